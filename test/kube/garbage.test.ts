import test from 'ava';
import type { KubeRequest } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { Prng } from '../../sim/prng.ts';
import { client, RawServer } from './rawserver.ts';

const answers = 300;
const kinds = [
  'conflict', 'exists', 'gone', 'expired', 'invalid', 'denied', 'throttled', 'server',
  'unreachable', 'unknown-outcome',
];
const body = JSON.stringify({
  kind: 'List', metadata: { resourceVersion: '1' }, items: [{ metadata: { name: 'a' } }],
});
const whole = [
  `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n' +
    `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  'HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\nretry-after: 1\r\n\r\n{}',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
];

/** An answer with some bytes changed, taken out or put in, and perhaps its end missing. */
function damaged(prng: Prng): Buffer {
  const bytes = [...Buffer.from(prng.pick(whole))];
  for (let count = prng.below(4); count > 0; count -= 1) {
    const put = prng.ratio(1, 2) ? [prng.below(256)] : [];
    bytes.splice(prng.below(bytes.length), prng.below(3), ...put);
  }
  return Buffer.from(bytes.slice(0, prng.ratio(1, 3) ? prng.below(bytes.length) : undefined));
}

test('whatever a server says, each request has one answer and each watch one end', async (t) => {
  const prng = new Prng(1n, 'garbage');
  const server = await new RawServer(({ socket }) => {
    socket.write(damaged(prng));
    if (prng.ratio(1, 2)) socket.end();
    else setImmediate(() => socket.resetAndDestroy());
  }).listen();
  const kube = client([`http://${server.address}`]);
  const told = new Map<string, number>();
  const tell = (kind: string): void => { told.set(kind, (told.get(kind) ?? 0) + 1); };
  const { nodes } = resources;
  const list: KubeRequest = { verb: 'list', resource: nodes, namespace: '', options: {} };
  for (let index = 0; index < answers; index += 1) {
    const calls = await new Promise<number>((resolve) => {
      let count = 0;
      const once = (kind: string): void => {
        tell(kind);
        count += 1;
        // Whatever came a second time would come with what is left of the connection.
        setImmediate(() => setImmediate(() => { resolve(count); }));
      };
      if (index % 2 === 0) {
        kube.request(list, (answer) => {
          once(answer.ok ? answer.value.kind : answer.error.kind);
        });
      } else {
        kube.watch({ resource: nodes, namespace: '', resourceVersion: '1' }, {
          event: () => { tell('event'); }, end: (error) => { once(error?.kind ?? 'in order'); },
        });
      }
    });
    t.is(calls, 1);
  }
  kube.close();
  server.close();
  t.deepEqual([...told.keys()].filter((kind) => (
    ![...kinds, 'list', 'in order'].includes(kind)
  )), []);
  for (const kind of ['list', 'conflict', 'unreachable', 'server']) {
    t.true((told.get(kind) ?? 0) > 3, `${kind} ${told.get(kind)}`);
  }
});
