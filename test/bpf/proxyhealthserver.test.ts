import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { portHolder } from '../../bpf/portholder.real.ts';
import {
  healthzAddress, serveProxyHealth, type ProxyHealthPorts,
} from '../../bpf/proxyhealthserver.real.ts';
import {
  changeQueued, proxyHealth, syncCompleted, type ProxyFacts,
} from '../../lb/proxyhealth.ts';
import { node } from '../datapath/fixture.ts';

const second = 1_000_000;
const host = '127.0.0.1';

const facts: ProxyFacts = {
  now: 100 * second, syncPeriod: 30 * second,
  families: { IPv4: syncCompleted(99 * second), IPv6: syncCompleted(98 * second) },
  node: node('n-a', ['192.0.2.11']),
};

/** A server on a free port of loopback, closed when the test ends. */
async function served(t: ExecutionContext, of: () => ProxyFacts): Promise<string> {
  const port = await new Promise<number>((opened) => {
    const refused = (why: string): void => t.fail(why);
    const ports = { health: () => proxyHealth(of()), refused, opened };
    const listener = serveProxyHealth({ host, port: 0 }, ports);
    t.teardown(() => listener.close());
  });
  return `http://${host}:${port}`;
}

const v75 = test.macro({
  exec: async (t, more: Partial<ProxyFacts>, statuses: readonly number[]) => {
    const base = await served(t, () => ({ ...facts, ...more }));
    const heard = await Promise.all(['/healthz', '/livez'].map((path) => fetch(base + path)));
    t.deepEqual(heard.map(({ status }) => status), statuses);
    for (const { headers } of heard) {
      t.is(headers.get('content-type'), 'application/json');
      t.is(headers.get('x-content-type-options'), 'nosniff');
    }
  },
  title: (claim = '', _more: unknown, statuses: readonly number[]) => (
    `V75: ${claim}: ${statuses.join(' and ')}`
  ),
});

const late = changeQueued(syncCompleted(0), 40 * second);
const tainted = {
  ...node('n-a', []),
  taints: [{ key: 'ToBeDeletedByClusterAutoscaler', value: '1', effect: 'NoSchedule' } as const],
};

test('all is well', v75, {}, [200, 200]);
test('an update waits twice the period', v75, { families: { IPv4: syncCompleted(99), IPv6: late } }, [503, 503]);
test('an update waits a little less', v75, { families: { IPv4: late }, now: 99 * second }, [200, 200]);
test('the Node is tainted for deletion', v75, { node: tainted }, [503, 200]);
test('the Node is not known yet', v75, { node: undefined }, [200, 200]);

test('14.4: the bodies have the fields that others read', async (t) => {
  const base = await served(t, () => facts);
  t.deepEqual(await (await fetch(`${base}/healthz`)).json(), {
    lastUpdated: '1970-01-01T00:01:38.000000Z', currentTime: '1970-01-01T00:01:40.000000Z',
    nodeEligible: true, healthy: true,
    status: {
      IPv4: { lastUpdated: '1970-01-01T00:01:39.000000Z', healthy: true },
      IPv6: { lastUpdated: '1970-01-01T00:01:38.000000Z', healthy: true },
    },
  });
  const livez = await (await fetch(`${base}/livez`)).json() as object;
  t.false('nodeEligible' in livez);
});

test('no other path is there', async (t) => {
  const base = await served(t, () => facts);
  for (const path of ['/', '/metrics', '/healthz/', '/proxyMode']) {
    t.is((await fetch(base + path)).status, 404, path);
  }
});

test('the answer is that of the moment', async (t) => {
  let { now } = facts;
  const base = await served(t, () => ({ ...facts, families: { IPv4: late }, now }));
  t.is((await fetch(`${base}/healthz?x`)).status, 503);
  now = 99 * second;
  t.is((await fetch(`${base}/healthz?x`)).status, 200);
});

test('a port in use is told with its holder, and taken when it is free', async (t) => {
  const holder = createServer().listen(0, host);
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  const said: string[] = [];
  const turn = { opened: (_port: number): void => undefined, refused: (): void => undefined };
  const refusal = new Promise<void>((resolve) => (turn.refused = resolve));
  const opening = new Promise<number>((resolve) => (turn.opened = resolve));
  const ports: ProxyHealthPorts = {
    health: () => proxyHealth(facts), retryDelayMs: 1,
    opened: (of) => turn.opened(of),
    refused: (why) => {
      said.push(why);
      turn.refused();
    },
  };
  const listener = serveProxyHealth({ host, port }, ports);
  t.teardown(() => listener.close());
  await refusal;
  holder.close();
  t.is(await opening, port);
  t.is((await fetch(`http://${host}:${port}/livez`)).status, 200);
  t.is(said.length, 1);
  t.regex(said[0] ?? '', /^127\.0\.0\.1:[0-9]+: EADDRINUSE, held by .+ \(pid [0-9]+\)$/u);
  t.true(said[0]?.endsWith(`(pid ${process.pid})`));
});

test('nobody holds a port on which nobody listens', async (t) => {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.is(portHolder(port)?.pid, process.pid);
  server.close();
  await once(server, 'close');
  t.is(portHolder(port), undefined);
});

const addresses = test.macro({
  exec: (t, text: string, expected: string) => {
    const { ok, ...rest } = healthzAddress(text) as { ok: boolean; value?: unknown };
    t.is(ok ? JSON.stringify(rest.value ?? 'off') : 'refused', expected);
  },
  title: (_, text, expected) => `healthzAddress '${text}' is ${expected}`,
});

test(addresses, '0.0.0.0:10256', '{"host":"0.0.0.0","port":10256}');
test(addresses, '[::]:10256', '{"host":"::","port":10256}');
test(addresses, ':10256', '{"host":"0.0.0.0","port":10256}');
test(addresses, '', '"off"');
test(addresses, '10256', 'refused');
test(addresses, '0.0.0.0', 'refused');
test(addresses, '0.0.0.0:', 'refused');
test(addresses, '0.0.0.0:65536', 'refused');
test(addresses, '::1:10256', 'refused');
test(addresses, '0.0.0.0:10256 ', 'refused');
