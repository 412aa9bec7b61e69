// The simulated API server over HTTP in the network namespace that it is started in. Reads lines
// {"id","method","path","body"}, asks itself, and answers {"id","code","body"}; what it says first
// has no id and names its address.
import { createInterface } from 'node:readline';
import { resources } from '../../kube/resource.ts';
import { ApiFront } from '../../sim/api/http/front.ts';
import { ApiServer } from '../../sim/api/server.ts';
import { LiveDriver } from '../../sim/live/driver.real.ts';
import { serveApi } from '../../sim/live/http.real.ts';
import { LiveWorld } from '../../sim/live/live.ts';
import { World } from '../../sim/world.ts';
import { service, slice } from './objects.ts';

/** A question to the server; `path` begins with a slash. */
export interface Question {
  readonly id: number;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

/** So many Services of two endpoints each, as a cluster would have them already. */
function fill(server: ApiServer, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const name = `filled-${index}`;
    const { spec, ...object } = service(name);
    const objects = [
      { resource: resources.services, body: { ...object, spec: { ...spec, type: 'ClusterIP' } } },
      {
        resource: resources.endpointSlices,
        body: slice(name, Object.fromEntries([1, 2].map((end) => (
          [`10.${64 + end}.${index >> 8}.${index & 255}`, `node-${end}`]
        )))),
      },
    ];
    for (const { resource, body } of objects) {
      const request = { verb: 'create', resource, namespace: 'default', body } as const;
      const made = server.handle(request, 'filler');
      if (!made.ok) throw new Error(made.error.message);
    }
  }
}

async function start(host: string, filled: number): Promise<void> {
  const world = new World({ seed: 1n });
  const server = new ApiServer(world, {});
  fill(server, filled);
  const live = new LiveWorld(world, LiveDriver.now());
  const driver = new LiveDriver(live);
  const front = new ApiFront(world, server, { frozen: () => live.frozen });
  const api = await serveApi(driver, front, { host });
  process.stdout.write(`${JSON.stringify({ url: api.url })}\n`);
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { id, method, path, body } = JSON.parse(line) as Question;
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    void fetch(`${api.url}${path}`, {
      method, headers: { 'content-type': type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).then(async (answer) => {
      const said = { id, code: answer.status, body: await answer.json() as unknown };
      process.stdout.write(`${JSON.stringify(said)}\n`);
    });
  });
  lines.on('close', () => process.exit(0));
}

if (import.meta.main) {
  const [host = '127.0.0.1', filled = '0'] = (process.argv[2] ?? '').split(' ');
  await start(host, Number(filled));
}
