import anyTest from 'ava';
import { kernelTests } from '../kernel/machine.ts';
import type { Outcome } from './actor.ts';
import type { Change } from './nodeagent.ts';
import { at, type Lab } from './lab.ts';
import { endpoints, numbered, Shop, type Connect } from './shop.ts';
import { Wire } from './wire.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

function catalogue(lab: Lab): Change[] {
  return [
    ...numbered(10, { name: 'web', endpoints: endpoints(lab, 'a1', 'b1') }),
    ...numbered(15, { name: 'none', endpoints: [] }),
    ...numbered(16, { name: 'none-udp', protocol: 'UDP', endpoints: [] }),
    ...numbered(17, {
      name: 'sticky-udp', protocol: 'UDP', endpoints: endpoints(lab, 'a1', 'b1'),
      spec: { sessionAffinity: 'ClientIP' },
    }),
    ...sticky(lab, 'a1', 'b1'),
    ...[21, 22].flatMap((number) => (
      numbered(number, { name: `s${number}`, endpoints: endpoints(lab, 'a1') })
    )),
  ];
}

const sticky = (lab: Lab, ...pods: readonly string[]): Change[] => numbered(18, {
  name: 'sticky', endpoints: endpoints(lab, ...pods), spec: { sessionAffinity: 'ClientIP' },
});

let shop: Shop;
if (!skip) {
  anyTest.before(async () => { shop = await Shop.open(addon, catalogue); });
  anyTest.after.always(() => shop?.close());
}

const tcp = (ip: string, port = 80): Connect => ({ do: 'connect', protocol: 'tcp', ip, port });

async function heard(order: Connect): Promise<string[]> {
  const wire = new Wire(addon, shop.lab, { place: 'x' });
  try {
    await shop.seen('x', { ...order, timeoutMs: 300 }, 2);
    return wire.heardFrom(order.ip);
  } finally {
    wire.close();
  }
}

// V65, V14: 14 is RST and ACK.
test('a Service without endpoints answers a SYN with RST', async (t) => {
  t.deepEqual(await heard(tcp('198.51.100.15')), ['tcp 80 flags 14']);
});

test('a Service without endpoints answers a datagram with ICMP 3/3', async (t) => {
  t.deepEqual(await heard({ ...tcp('198.51.100.16'), protocol: 'udp' }), ['icmp 3/3']);
});

test('a port that a VIP has not is answered by nothing, and nothing goes back to the router', async (t) => {
  const router = new Wire(addon, shop.lab, { place: 'r', device: 'to-a' });
  t.teardown(() => router.close());
  t.true((await heard(tcp('198.51.100.10'))).includes('tcp 80 flags 12'));
  t.true(router.heardFrom('198.51.100.10').length > 0);
  t.deepEqual(await heard(tcp('198.51.100.10', 81)), []);
  for (const source of [at.x, at.a, '198.51.100.10']) t.deepEqual(router.heardFrom(source), []);
});

// V71: an unconnected socket is translated in its calls, a connected one of a hooked pod by
// packets.
test('packets and socket calls of one client share its affinity', async (t) => {
  const order = { ...tcp('10.200.0.17'), protocol: 'udp' } as const;
  const calls = await shop.seen('p', order, 8);
  t.is(calls.length, 1);
  t.deepEqual(await shop.seen('p', { ...order, connected: true }, 8), calls);
  t.deepEqual(await shop.seen('p', { ...order, ip: '198.51.100.17', connected: true }, 8), calls);
});

test('a client with affinity stays with one endpoint through every front', async (t) => {
  const one = async (place: 'x' | 'p', ip: string): Promise<string> => {
    const [first = '', ...others] = await shop.seen(place, tcp(ip), 16);
    t.deepEqual(others, []);
    return first.slice(0, 2);
  };
  t.is(await one('x', '198.51.100.18'), await one('x', '10.200.0.18'));
  t.is(await one('p', '198.51.100.18'), await one('p', '10.200.0.18'));
});

// V62.
test('a client leaves an endpoint that is draining, and goes to another one', async (t) => {
  const [before = ''] = await shop.seen('x', tcp('198.51.100.18'), 4);
  const stays = before.startsWith('a1') ? 'b1' : 'a1';
  await shop.apply(...sticky(shop.lab, `${before.slice(0, 2)} draining`, stays));
  const [now, ...others] = await shop.seen('x', tcp('198.51.100.18'), 8);
  t.deepEqual(others, []);
  t.is(now?.slice(0, 2), stays);
});

// The endpoint cannot tell them apart by their addresses: the newcomer gets another port.
test('one port of a client reaches one endpoint through two fronts at a time', async (t) => {
  const x = shop.lab.actor('x');
  const fromPort = 40_021;
  t.like(await x.ask({ ...tcp('198.51.100.21'), fromPort, hold: 'older' }), {
    client: `${at.x}:${fromPort}`,
  });
  const newer = await x.ask({ ...tcp('198.51.100.22'), fromPort, hold: 'newer' });
  t.regex(newer.client ?? newer.error ?? '', /^203\.0\.113\.7:(?!40021$)\d+$/u);
  for (const hold of ['older', 'newer']) t.deepEqual(await x.ask({ do: 'talk', hold }), {});
});

// V72: a held flow outlives the readiness of its endpoint, and new flows avoid it.
test('an established flow stays with a draining endpoint', async (t) => {
  const x = shop.lab.actor('x');
  const { server = '' } = await x.ask({ ...tcp('198.51.100.10'), hold: 'long' });
  const other = server === 'a1' ? 'b1' : 'a1';
  const web = (...pods: readonly string[]): Promise<void> => (
    shop.apply(...numbered(10, { name: 'web', endpoints: endpoints(shop.lab, ...pods) }))
  );
  await web(`${server} draining`, other);
  t.deepEqual(await x.ask({ do: 'talk', hold: 'long' }), {});
  const seen = await shop.seen('x', { ...tcp('198.51.100.10'), from: at.y }, 16);
  t.deepEqual(seen.map((text) => text.slice(0, 2)), [other]);
  await web(other);
  t.deepEqual(await x.ask({ do: 'talk', hold: 'long' }), {});
});

// V70.
test('a NodePort in use cannot be bound on the node, in either protocol of its Service', async (t) => {
  const bind = (place: 'a' | 'p', protocol: 'tcp' | 'udp', port: number): Promise<Outcome> => (
    shop.lab.actor(place).ask({ do: 'bind', protocol, port })
  );
  t.deepEqual(await bind('a', 'tcp', 30_010), { error: 'EADDRINUSE' });
  t.deepEqual(await bind('a', 'udp', 30_016), { error: 'EADDRINUSE' });
  t.deepEqual(await bind('a', 'udp', 30_010), {});
  t.deepEqual(await bind('a', 'tcp', 30_099), {});
  t.deepEqual(await bind('p', 'tcp', 30_010), {});
});

// R7: make before break, seen from outside, from a pod's socket and from the host.
test('fifty changes of endpoints break and refuse no connection', async (t) => {
  const clients = (['x', 'p', 'a'] as const).map((place) => shop.lab.actor(place));
  const web = (...pods: readonly string[]): readonly Change[] => (
    numbered(23, { name: 'churned', endpoints: endpoints(shop.lab, ...pods) })
  );
  await shop.apply(...web('a1', 'b1'));
  for (const client of clients) {
    await client.ask({ do: 'storm', ip: '198.51.100.23', port: 80, everyMs: 4 });
  }
  const states = [web('a1'), web('a1', 'b1'), web('b1'), web('a1 draining', 'b1')];
  for (let change = 0; change < 50; change += 1) await shop.apply(...states[change % 4]!);
  for (const client of clients) {
    const { done = 0, failed } = await client.ask({ do: 'storm-end' });
    t.deepEqual(failed, []);
    t.true(done > 0);
  }
});

// C31.
test('a Service that is deleted is no longer served, and comes back', async (t) => {
  const all = numbered(10, { name: 'web', endpoints: endpoints(shop.lab, 'a1') });
  await shop.apply(...all.map((change) => ({ ...change, type: 'DELETED' as const }) as Change));
  t.deepEqual(await shop.seen('x', { ...tcp('198.51.100.10'), timeoutMs: 300 }, 2), ['timeout']);
  await shop.apply(...all);
  t.deepEqual(await shop.seen('x', tcp('198.51.100.10'), 4), [`a1 sees ${at.x}`]);
});

test('no table was ever found torn, and no agent complained', (t) => {
  for (const home of ['a', 'b'] as const) {
    t.is(shop.count(home, 'stale') + shop.count(home, 'noBackend'), 0n);
    t.is(shop.agents[home].said, '');
  }
});
