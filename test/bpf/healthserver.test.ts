import { once } from 'node:events';
import { request, type IncomingHttpHeaders } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import anyTest, { type ExecutionContext } from 'ava';
import { HealthServer } from '../../bpf/healthserver.real.ts';
import { healthPortOf, type HealthPort } from '../../lb/healthport.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import { serviceKey, type Endpoint } from '../../lb/model.ts';
import { endpoint, service, slice } from '../datapath/fixture.ts';

// A part of loopback that no other process binds to, so that a port that was free stays so.
const network = `127.${1 + (process.pid & 127)}.74`;
// One after the other, for the same reason.
const test = anyTest.serial;
const loopback = ip(`${network}.1`);

/** A TCP port of loopback that somebody holds until the server is closed. */
async function held(host: string = loopback): Promise<{ port: number; server: Server }> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server };
}

async function freePort(): Promise<number> {
  const { port, server } = await held();
  server.close();
  await once(server, 'close');
  return port;
}

interface Heard {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function ask(
  port: number, { path = '/', method = 'GET', host = loopback as string } = {},
): Promise<Heard> {
  const asked = request({ host, port, path, method, agent: false });
  asked.end();
  const [response] = await once(asked, 'response');
  let body = '';
  for await (const piece of response) body += String(piece);
  return { status: response.statusCode, headers: response.headers, body };
}

/** A server with what it told, closed when the test ends. */
class Site {
  readonly refusals: string[] = [];
  healthy = true;
  readonly server: HealthServer;
  #opened: (() => void)[] = [];
  #refused: (() => void)[] = [];

  constructor(t: ExecutionContext, hosts: readonly Ip[] | undefined) {
    this.server = new HealthServer({
      proxyHealthy: () => this.healthy,
      opened: () => this.#opened.shift()?.(),
      retryDelayMs: 1,
    }, hosts);
    this.server.onRefused(({ name }, why) => {
      this.refusals.push(`${name} ${why}`);
      this.#refused.shift()?.();
    });
    t.teardown(() => this.server.close());
  }

  /** Follows, and waits for so many listeners to open. */
  async follow(wanted: readonly HealthPort[], opens: number, refusals = 0): Promise<void> {
    const wait = (list: (() => void)[]) => new Promise<void>((resolve) => void list.push(resolve));
    const waits = [
      ...Array.from({ length: opens }, () => wait(this.#opened)),
      ...Array.from({ length: refusals }, () => wait(this.#refused)),
    ];
    this.server.follow(wanted);
    await Promise.all(waits);
  }

  opening(): Promise<void> {
    return new Promise<void>((resolve) => void this.#opened.push(resolve));
  }
}

const port = (name: string, number: number, localEndpoints = 1): HealthPort => ({
  service: serviceKey('default', name), namespace: 'default', name, port: number, localEndpoints,
});

const draining = { ready: false, serving: true, terminating: true };
const a2 = endpoint('10.64.1.22', { nodeName: 'n-a' });

const v74 = anyTest.macro({
  exec: async (t, endpoints: readonly Endpoint[], status: number, count: number) => {
    const site = new Site(t, [loopback]);
    const number = await freePort();
    const of = service({ externalTrafficPolicy: 'Local', healthCheckNodePort: number });
    const place = { nodeName: 'n-a', zone: undefined };
    await site.follow([healthPortOf(of, [slice(endpoints)], place)!], 1);
    const heard = await ask(number);
    t.is(heard.status, status);
    t.is(heard.body, '{"service":{"namespace":"default","name":"s"},'
      + `"localEndpoints":${count},"serviceProxyHealthy":true}`);
    t.is(heard.headers['x-load-balancing-endpoint-weight'], String(count));
    t.is(heard.headers['content-type'], 'application/json');
    t.is(heard.headers['x-content-type-options'], 'nosniff');
  },
  title: (claim = '', _endpoints, status, count) => `V74: ${claim}: ${status}, N = ${count}`,
});

test('two ready local endpoints', v74, [endpoint('a1'), a2, endpoint('b1')], 200, 2);
test('one ready, one terminating', v74, [endpoint('a1'), { ...a2, ...draining }], 200, 1);
test('two terminating', v74, [endpoint('a1', draining), { ...a2, ...draining }], 503, 0);

test('V74: a port that another process holds is told once and harms no other Service',
  async (t) => {
    const site = new Site(t, [loopback]);
    const other = await held();
    const number = await freePort();
    await site.follow([port('s', other.port), port('t', number)], 1, 1);
    t.is((await ask(number)).status, 200);
    t.deepEqual(site.refusals, [`s ${loopback}: EADDRINUSE`]);
    const opening = site.opening();
    other.server.close();
    await opening;
    t.is((await ask(other.port)).status, 200);
    t.deepEqual(site.refusals, [`s ${loopback}: EADDRINUSE`]);
  });

test('every path and method answers', async (t) => {
  const site = new Site(t, [loopback]);
  const number = await freePort();
  await site.follow([port('s', number)], 1);
  const get = await ask(number, { path: '/healthz?verbose' });
  t.is((await ask(number, { path: '/any/thing', method: 'POST' })).body, get.body);
  const head = await ask(number, { method: 'HEAD' });
  t.deepEqual([head.status, head.body], [200, '']);
});

test('answers follow the facts on the same listener', async (t) => {
  const site = new Site(t, [loopback]);
  const number = await freePort();
  await site.follow([port('s', number, 2)], 1);
  t.is((await ask(number)).status, 200);
  await site.follow([port('s', number, 0)], 0);
  t.is((await ask(number)).status, 503);
  await site.follow([port('s', number, 1)], 0);
  site.healthy = false;
  const { status, body, headers } = await ask(number);
  t.deepEqual([status, headers['x-load-balancing-endpoint-weight']], [503, '1']);
  t.true((JSON.parse(body) as { serviceProxyHealthy: boolean }).serviceProxyHealthy === false);
});

test('a number that changes or goes closes its listener', async (t) => {
  const site = new Site(t, [loopback]);
  const [one, two] = [await freePort(), await freePort()];
  await site.follow([port('s', one)], 1);
  await site.follow([port('s', two)], 1);
  await t.throwsAsync(ask(one), { code: 'ECONNREFUSED' });
  t.is((await ask(two)).status, 200);
  await site.follow([], 0);
  await t.throwsAsync(ask(two), { code: 'ECONNREFUSED' });
});

test('a number that goes to another Service answers for that one', async (t) => {
  const site = new Site(t, [loopback]);
  const number = await freePort();
  await site.follow([port('s', number)], 1);
  await site.follow([port('t', number)], 1);
  t.regex((await ask(number)).body, /"name":"t"/u);
});

test('of two Services with one number the second is told, once', async (t) => {
  const site = new Site(t, [loopback]);
  const number = await freePort();
  const wanted = [port('t', number), port('s', number)];
  await site.follow(wanted, 1, 1);
  site.server.follow(wanted);
  t.deepEqual(site.refusals, ['t default/s has it']);
  t.regex((await ask(number)).body, /"name":"s"/u);
});

test('without addresses given every one answers', async (t) => {
  const { port: number, server } = await held('0.0.0.0');
  server.close();
  await once(server, 'close');
  const site = new Site(t, undefined);
  await site.follow([port('s', number)], 1);
  for (const host of ['127.0.0.1', `${network}.9`]) t.is((await ask(number, { host })).status, 200);
});

test('with addresses given only those answer, each by itself', async (t) => {
  const { port: number, server } = await held(`${network}.2`);
  t.teardown(() => server.close());
  const site = new Site(t, [loopback, ip(`${network}.2`)]);
  await site.follow([port('s', number)], 1, 1);
  t.is((await ask(number)).status, 200);
  t.deepEqual(site.refusals, [`s ${network}.2: EADDRINUSE`]);
  await t.throwsAsync(ask(number, { host: `${network}.3` }), { code: 'ECONNREFUSED' });
});
