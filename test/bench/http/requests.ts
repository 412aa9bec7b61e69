// Prints requests per second that one client over eight connections gets answered: three reads of
// one object to one patch.
import { Agent, request } from 'node:http';
import { startUp } from './up.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const connections = 8;
const count = 8000;

const up = await startUp('--nodes', '1', '--rate', '0.001x');
const agent = new Agent({ keepAlive: true, maxSockets: connections });
await ask('POST', maps, { metadata: { name: 'a' }, data: { x: '0' } });
await round(2000);
const started = performance.now();
await round(count);
console.log((count * 1000) / (performance.now() - started));
agent.destroy();
await up.stop();

async function round(total: number): Promise<void> {
  const share = Array.from({ length: connections }, async (_, connection) => {
    for (let index = connection; index < total; index += connections) {
      if (index % 4 === 0) await ask('PATCH', `${maps}/a`, { data: { x: String(index) } });
      else await ask('GET', `${maps}/a`);
    }
  });
  await Promise.all(share);
}

function ask(method: string, path: string, body?: object): Promise<void> {
  const headers = { 'content-type': 'application/merge-patch+json' };
  if (method === 'POST') headers['content-type'] = 'application/json';
  return new Promise((resolve, reject) => {
    const outgoing = request(`${up.url}${path}`, { method, agent, headers }, (response) => {
      response.resume();
      response.on('end', () => {
        if ((response.statusCode ?? 500) < 300) resolve();
        else reject(new Error(`${method} ${path}: ${response.statusCode}`));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
