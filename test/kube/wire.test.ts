import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { setImmediate as turn } from 'node:timers/promises';
import anyTest, { type TestFn } from 'ava';
import type { RealKube } from '../../kube/client.real.ts';
import type { KubeAnswer, KubeError, KubeRequest, WatchEvent } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { Result } from '../../lb/result.ts';
import { chunk, client, RawServer, say, stream, type RawScript } from './rawserver.ts';

interface Context {
  readonly later: (() => void)[];
}

const test = anyTest as TestFn<Context>;
test.beforeEach((t) => { t.context = { later: [] }; });
test.afterEach.always((t) => { for (const undo of t.context.later) undo(); });

const get: KubeRequest = {
  verb: 'get', ref: { resource: resources.nodes, namespace: '', name: 'a' },
};
const patch: KubeRequest = { verb: 'patch', ref: get.ref, body: {} };

function ask(kube: RealKube, request: KubeRequest): Promise<Result<KubeAnswer, KubeError>> {
  return new Promise((resolve) => { kube.request(request, resolve); });
}

async function verdict(kube: RealKube, request: KubeRequest): Promise<string> {
  const answer = await ask(kube, request);
  return answer.ok ? 'ok' : `${answer.error.kind}: ${answer.error.message}`;
}

/** A server that answers like this, and the adapter in front of it. */
async function pair(later: (() => void)[], script: RawScript) {
  const server = await new RawServer(script).listen();
  const kube = client([`http://${server.address}`]);
  later.push(() => { kube.close(); }, () => { server.close(); });
  return { server, kube };
}

const yes: RawScript = (request) => { say(request, '200 OK', '{"metadata":{"name":"a"}}'); };

/** A port on which nobody listens. */
async function closedAddress(): Promise<string> {
  const server = await new RawServer(yes).listen();
  const { address } = server;
  server.close();
  return address;
}

test('a request says who asks and what it takes', async (t) => {
  const { server, kube } = await pair(t.context.later, yes);
  t.deepEqual(await ask(kube, get), {
    ok: true, value: { kind: 'object', object: { metadata: { name: 'a' } } },
  });
  // Inside its own answer a connection is still taken.
  await turn();
  await ask(kube, patch);
  const [first, second] = server.requests;
  t.is(first?.line, 'GET /api/v1/nodes/a');
  t.is(first?.headers.get('accept'), 'application/json');
  t.is(first?.headers.get('user-agent'), 'fairlead/test');
  t.is(second?.headers.get('content-type'), 'application/merge-patch+json');
  t.is(second?.body, '{}');
  t.true(first?.socket === second?.socket, 'one connection serves both');
});

test('a gateway may stand in front, with a path of its own', async (t) => {
  const { server } = await pair(t.context.later, yes);
  const kube = client([`http://${server.address}/k8s/one/`]);
  t.context.later.unshift(() => { kube.close(); });
  await ask(kube, get);
  t.is(server.requests[0]?.line, 'GET /k8s/one/api/v1/nodes/a');
});

test('a proxy stands in front of an endpoint, and its refusal is the connection\'s', async (t) => {
  const { server } = await pair(t.context.later, yes);
  const credentials = { proxy: `http://${server.address}` };
  const kube = client(['http://api.example.com:6443'], credentials);
  t.context.later.unshift(() => { kube.close(); });
  t.is(await verdict(kube, get), 'ok');
  t.is(server.requests[0]?.line, 'GET http://api.example.com:6443/api/v1/nodes/a');
  const tunnelled = client(['api.example.com:6443'], credentials);
  t.context.later.unshift(() => { tunnelled.close(); });
  server.script = (request) => { say(request, '403 Forbidden', '{}'); };
  t.regex(await verdict(tunnelled, patch), /^unreachable: api\.example\.com:6443: /u);
  t.is(server.requests[1]?.line, 'CONNECT api.example.com:6443');
});

test('a refused endpoint is left for the next; with none left nothing was done', async (t) => {
  const { server } = await pair(t.context.later, yes);
  const closed = await closedAddress();
  const kube = client([`http://${closed}`, `http://${server.address}`]);
  const lost = client([`http://${closed}`]);
  t.context.later.unshift(() => { kube.close(); }, () => { lost.close(); });
  t.is(await verdict(kube, patch), 'ok');
  t.is(await verdict(lost, patch), `unreachable: ${closed}: connection refused`);
});

test('a write whose connection ends before its answer has an unknown outcome', async (t) => {
  const { server, kube } = await pair(t.context.later, ({ socket }) => {
    socket.resetAndDestroy();
  });
  t.is(await verdict(kube, patch), `unknown-outcome: ${server.address}: connection reset by peer`);
  t.is(await verdict(kube, get), `unreachable: ${server.address}: connection reset by peer`);
  t.is(server.requests.length, 2, 'nothing is sent twice');
  server.script = ({ socket }) => {
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"a":');
  };
  t.regex(await verdict(kube, patch), /^unknown-outcome: [\d.:]+: connection lost: /u);
  server.script = ({ socket }) => { socket.end('HTTP/9 what\r\n\r\n'); };
  t.regex(await verdict(kube, patch), /^unknown-outcome: /u);
});

test('a silent server ends a request at its time-out and loses the connection', async (t) => {
  const { server, kube } = await pair(t.context.later, () => undefined);
  const bounded = { ...patch, timeout: 20_000 };
  t.is(await verdict(kube, bounded), `unknown-outcome: ${server.address}: no answer in time`);
  while (server.sockets.size > 0) await turn();
  server.script = yes;
  t.is(await verdict(kube, patch), 'ok');
});

test('Retry-After is told in microseconds', async (t) => {
  const { kube } = await pair(t.context.later, (request) => {
    say(request, '429 Too Many Requests', '{"message":"slow down"}', 'retry-after: 7\r\n');
  });
  const answer = await ask(kube, get);
  t.deepEqual(answer, {
    ok: false, error: { kind: 'throttled', message: 'slow down', retryAfter: 7_000_000 },
  });
});

/** Watches nodes; `heard` fills, `ended` is the end. */
function watching(kube: RealKube) {
  const heard: WatchEvent[] = [];
  let end: (error: KubeError | undefined) => void;
  const ended = new Promise<KubeError | undefined>((resolve) => { end = resolve; });
  const watch = kube.watch(
    { resource: resources.nodes, namespace: '', resourceVersion: '1' },
    { event: (event) => { heard.push(event); }, end: (error) => { end(error); } },
  );
  return { heard, ended, watch };
}

const added = (name: string): string => (
  `${JSON.stringify({ type: 'ADDED', object: { metadata: { name } } })}\n`
);

test('events come over chunks that cut their characters, and the stream ends in order', async (t) => {
  const { kube } = await pair(t.context.later, (request) => {
    stream(request);
    const bytes = Buffer.from(added('żółw') + added('二'));
    for (const byte of bytes) chunk(request, Buffer.from([byte]));
    request.socket.write('0\r\n\r\n');
  });
  const { heard, ended } = watching(kube);
  t.is(await ended, undefined);
  t.deepEqual(heard.map((event) => event.type === 'ADDED' && event.object.metadata?.name), [
    'żółw', '二',
  ]);
});

test('a stream that breaks off ends with an error, however whole its last line is', async (t) => {
  const { server, kube } = await pair(t.context.later, (request) => {
    stream(request);
    chunk(request, added('a'));
    request.socket.end();
  });
  const whole = watching(kube);
  t.is((await whole.ended)?.kind, 'unreachable');
  t.is(whole.heard.length, 1);
  server.script = (request) => {
    stream(request);
    chunk(request, added('a') + added('b').slice(0, -4));
    request.socket.resetAndDestroy();
  };
  const halved = watching(kube);
  t.is((await halved.ended)?.kind, 'unreachable');
  t.true(halved.heard.length <= 1);
});

test('a cancelled watch closes its connection, a closed client all of them', async (t) => {
  const { server, kube } = await pair(t.context.later, (request) => {
    stream(request);
    chunk(request, added('a'));
  });
  const [one, two] = [watching(kube), watching(kube)];
  while (one.heard.length + two.heard.length < 2) await turn();
  t.is(server.sockets.size, 2, 'each watch has a connection of its own');
  one.watch.cancel();
  while (server.sockets.size > 1) await turn();
  kube.close();
  while (server.sockets.size > 0) await turn();
  t.deepEqual([one.heard.length, two.heard.length], [1, 1]);
});

test('what a slow sink has not taken stays with the server', async (t) => {
  const line = added('x'.repeat(200));
  const lines = 200_000;
  let written = 0;
  const { kube } = await pair(t.context.later, (request) => {
    stream(request);
    const fill = (): void => {
      while (written < lines) {
        written += 100;
        if (!chunk(request, line.repeat(100))) {
          request.socket.once('drain', fill);
          return;
        }
      }
      request.socket.write('0\r\n\r\n');
    };
    fill();
  });
  let told = 0;
  let ahead = 0;
  const end = await new Promise<KubeError | undefined>((resolve) => {
    kube.watch({ resource: resources.nodes, namespace: '', resourceVersion: '1' }, {
      event: () => {
        told += 1;
        ahead = Math.max(ahead, written - told);
      },
      end: resolve,
    });
  });
  t.is(end, undefined);
  t.is(told, lines);
  // Both kernels' socket buffers hold some megabytes; the whole stream is fifty.
  t.true(ahead < lines / 2, `${ahead} lines were under way`);
});

test('a token is read again once it was refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-token-'));
  t.context.later.push(() => { rmSync(folder, { recursive: true }); });
  const path = join(folder, 'token');
  writeFileSync(path, 'old\n');
  const server = await new RawServer((request) => {
    const known = request.headers.get('authorization') === 'Bearer new';
    if (known) say(request, '200 OK', '{}');
    else say(request, '401 Unauthorized', '{"reason":"Unauthorized","message":"Unauthorized"}');
  }).listen();
  const credentials = { authorization: { kind: 'token-file', path } as const, impersonate: 'jane' };
  const kube = client([`http://${server.address}`], credentials);
  t.context.later.push(() => { kube.close(); }, () => { server.close(); });
  t.is(await verdict(kube, get), 'denied: Unauthorized');
  writeFileSync(path, '');
  t.is(await verdict(kube, get), 'denied: Unauthorized');
  t.is(server.requests[1]?.headers.get('authorization'), 'Bearer old', 'better than none');
  writeFileSync(path, 'new\n');
  t.is(await verdict(kube, get), 'ok');
  t.is(server.requests[2]?.headers.get('impersonate-user'), 'jane');
  const absent = { authorization: { kind: 'token-file', path: `${path}x` } as const };
  t.throws(() => client(['http://x'], absent), { message: /tokenx/u });
});

test('TLS: the server has to lead to the CA, and the client shows its certificate', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-tls-'));
  t.context.later.push(() => { rmSync(folder, { recursive: true }); });
  const file = (name: string): string => readFileSync(join(folder, name), 'utf8');
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=jane', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:kubernetes',
    '-keyout', 'key', '-out', 'certificate',
  ], { cwd: folder, stdio: 'pipe' });
  const [certificate, key] = [file('certificate'), file('key')];
  let shown: string | undefined;
  const server = await new RawServer((request) => {
    const subject = (request.socket as TLSSocket).getPeerCertificate().subject as unknown;
    shown = (subject as { CN?: string } | undefined)?.CN;
    say(request, '200 OK', '{}');
  }, { cert: certificate, key, ca: certificate, requestCert: true, rejectUnauthorized: false })
    .listen();
  const ways = [
    {}, { ca: certificate }, { ca: certificate, serverName: 'other' },
    { ca: certificate, serverName: 'kubernetes' }, { insecure: true },
    { ca: certificate, client: { certificate, key } },
  ].map((credentials) => client([server.address], credentials));
  t.context.later.push(...ways.map((kube) => () => { kube.close(); }), () => { server.close(); });
  const verdicts: string[] = [];
  for (const kube of ways) verdicts.push(`${await verdict(kube, patch)} ${shown}`);
  t.regex(verdicts[0] ?? '', /^unreachable: [\d.:]+: self-signed certificate/u);
  t.regex(verdicts[2] ?? '', /^unreachable: .*certificate's altnames/u);
  t.deepEqual([verdicts[1], ...verdicts.slice(3)], [
    'ok undefined', 'ok undefined', 'ok undefined', 'ok jane',
  ]);
});

test('what a sink throws ends the process and is not taken for a broken stream', async (t) => {
  const { server } = await pair(t.context.later, (request) => {
    stream(request);
    chunk(request, added('a'));
  });
  const script = `import { client } from '${new URL('rawserver.ts', import.meta.url).href}';
    import { resources } from '${new URL('../../kube/resource.ts', import.meta.url).href}';
    const scope = { resource: resources.nodes, namespace: '', resourceVersion: '1' };
    client(['http://${server.address}']).watch(scope, {
      event: () => { throw new Error('a bug'); }, end: () => console.log('taken for an end'),
    });`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script]);
  let [out, err] = ['', ''];
  child.stdout.on('data', (piece) => { out += piece; });
  child.stderr.on('data', (piece) => { err += piece; });
  const code = await new Promise((resolve) => { child.on('close', resolve); });
  t.is(code, 1, err);
  t.regex(err, /a bug/u);
  t.is(out, '');
});
