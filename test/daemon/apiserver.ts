// The simulated API server over HTTP in the network namespace that it is started in. Reads lines
// {"id","method","path","body"}, asks itself, and answers {"id","code","body"}; what it says first
// has no id and names its address.
import { createInterface } from 'node:readline';
import { ApiFront } from '../../sim/api/http/front.ts';
import { ApiServer } from '../../sim/api/server.ts';
import { LiveDriver } from '../../sim/live/driver.real.ts';
import { serveApi } from '../../sim/live/http.real.ts';
import { LiveWorld } from '../../sim/live/live.ts';
import { World } from '../../sim/world.ts';

/** A question to the server; `path` begins with a slash. */
export interface Question {
  readonly id: number;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

async function start(host: string): Promise<void> {
  const world = new World({ seed: 1n });
  const server = new ApiServer(world, {});
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

if (import.meta.main) await start(process.argv[2] ?? '127.0.0.1');
