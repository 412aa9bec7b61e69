import test from 'ava';
import fc from 'fast-check';
import { broadcastMac, groupMac, allNodes, zeroMac } from '../../l2/frames.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import type { TrafficOptions } from '../../sim/net/client.ts';
import { decodeAnswer, encodeAnswer, serveEcho } from '../../sim/net/echo.ts';
import { Frame } from '../../sim/net/frame.ts';
import type { Host } from '../../sim/net/host.ts';
import { OutageMeter } from '../../sim/net/outage.ts';
import { payloadOf } from '../../sim/net/packet.ts';
import { resetFor } from '../../sim/net/tcp.ts';
import { describeDrop } from '../../sim/net/tap.ts';
import { buildLan, second, startLine, type Lan, type LanOptions } from './lan.ts';

const server6 = ip('2001:db8:10::a');

function run(lan: Lan, time: number): void {
  lan.world.schedule(time - lan.world.now, { kind: 'end', entity: 'test' }, () => undefined);
  lan.world.run(time);
}

const works = test.macro({
  exec: (t, client: 'laptop' | 'phone', options: Partial<TrafficOptions>, latency: number) => {
    const lan = buildLan();
    const line = startLine(lan, { client, every: 100_000, ...options });
    run(lan, 60 * second);
    t.deepEqual(line.failures, []);
    t.true(line.counts.ok >= 599 && line.counts.ok <= 600);
    t.true(line.latencyMean >= latency && line.latencyMean < latency + 20, `${line.latencyMean}`);
    t.deepEqual(line.outages.outages, []);
  },
  title: (_, client, options, latency) =>
    `${client} ${JSON.stringify(options)} has a latency of ${latency} µs`,
});
test(works, 'laptop', { protocol: 'TCP' }, 400);
test(works, 'phone', { protocol: 'TCP' }, 800);
test(works, 'laptop', { protocol: 'UDP' }, 200);
test(works, 'phone', { protocol: 'UDP', target: server6 }, 400);
test(works, 'laptop', { protocol: 'TCP', target: server6 }, 400);

interface FailRow {
  readonly name: string;
  readonly outcome: string;
  readonly options?: Partial<TrafficOptions>;
  readonly cause?: string;
  readonly spoil: (lan: Lan) => void;
}

const fails = test.macro({
  exec: (t, row: FailRow) => {
    const lan = buildLan();
    const line = startLine(lan, { client: 'phone', every: 500_000, ...row.options });
    run(lan, 5 * second);
    t.deepEqual(line.failures, []);
    row.spoil(lan);
    const from = lan.world.now;
    run(lan, 15 * second);
    const judged = line.failures.filter(({ startedAt }) => startedAt > from + second);
    t.true(judged.length >= 10);
    t.deepEqual([...new Set(judged.map(({ outcome }) => outcome))] as string[], [row.outcome]);
    if (row.cause !== undefined) t.is(describeDrop(judged.at(-1)!.drop!), row.cause);
    t.true(line.outages.longest(lan.world.now) > 9 * second);
  },
  title: (_, row: FailRow) =>
    `sim 5.6: ${row.name} gives ${row.outcome}${row.cause === undefined ? '' : `, because ${row.cause}`}`,
});

const foreign = (lan: Lan): Host => {
  serveEcho(lan.laptop.transport, { port: 80, backend: 'other' });
  return lan.laptop;
};

const rows: FailRow[] = [
  { name: 'a closed port', outcome: 'refused', spoil: (lan) => { lan.server.transport.listen(80, () => ({}))(); } },
  { name: 'a closed UDP port', outcome: 'refused', options: { protocol: 'UDP' },
    spoil: (lan) => { lan.server.transport.bind(80, { onDatagram: () => undefined })(); } },
  { name: 'a server that is off', outcome: 'timeout', cause: 'no-neighbour at router router: 192.168.10.10',
    options: { timeout: 4 * second }, spoil: (lan) => {
      lan.server.nic.setAdminUp(false);
      lan.router.stack.interfaces[0]!.neighbours.flush();
    } },
  { name: 'a stale router entry', outcome: 'timeout', cause: 'interface-down at lan/server:eth0:in: server:eth0',
    spoil: (lan) => lan.server.nic.setAdminUp(false) },
  { name: 'a dark link', outcome: 'timeout', cause: 'link-down at lan/server:eth0:in: server:eth0',
    spoil: (lan) => lan.lan.linkOf('server')!.setUp(false, 'fromSwitch') },
  { name: 'no route', outcome: 'timeout', cause: 'no-route at router router',
    spoil: (lan) => lan.router.stack.routes.remove('192.168.10.0/24') },
  { name: 'a connection that is reset after its start', outcome: 'reset', spoil: (lan) => {
    lan.server.transport.listen(80, () => ({ onPayload: (connection) => connection.abort() }));
  } },
  { name: 'a connection that closes without an answer', outcome: 'reset', spoil: (lan) => {
    lan.server.transport.listen(80, () => ({ onPayload: (connection) => connection.close() }));
  } },
  { name: 'a server that never answers', outcome: 'timeout', spoil: (lan) => { lan.server.transport.listen(80, () => ({})); } },
  { name: 'an answer that is none', outcome: 'wrong-backend', spoil: (lan) => {
    lan.server.transport.listen(
      80, () => ({ onPayload: (connection) => connection.send(payloadOf('hello')) }),
    );
  } },
  { name: 'a foreign backend', outcome: 'wrong-backend', options: { judge: { backend: (name) => name === 'server' } },
    spoil: (lan) => { lan.server.stack.removeAddress(lan.server.iface, ip('192.168.10.10'));
      foreign(lan).stack.addAddress(lan.laptop.iface, { ip: ip('192.168.10.10'), prefixBits: 24 });
      lan.router.stack.interfaces[0]!.neighbours.flush(); } },
  { name: 'a backend that saw another source', outcome: 'wrong-source', options: { judge: { source: (address) => address === '192.168.20.12' } },
    spoil: (lan) => { lan.router.stack.postrouting = (packet) =>
      packet.targetPort === 80 ? { ...packet, source: ip('192.168.10.1') } : {
        ...packet, target: ip('192.168.20.12'),
      };
    lan.router.stack.ingress = (frame) => frame.packet?.target === '192.168.10.1'
      && frame.packet.protocol === 'TCP'
      ? Frame.ofPacket({ ...frame.packet, target: ip('192.168.20.12') }, frame) : frame; } },
  { name: 'an answer from another address', outcome: 'wrong-source', spoil: (lan) => {
    lan.server.stack.postrouting = (packet) => ({ ...packet, source: ip('192.168.10.66') }); } },
  { name: 'a datagram from another address', outcome: 'wrong-source', options: { protocol: 'UDP' }, spoil: (lan) => {
    lan.server.stack.postrouting = (packet) => ({ ...packet, source: ip('192.168.10.66') }); } },
  { name: 'a client without address of the family', outcome: 'timeout', spoil: (lan) => {
    lan.phone.stack.removeAddress(lan.phone.iface, ip('192.168.20.12')); } },
];
for (const row of rows) test(fails, row);

test('an outage runs from the first failed start to the next good one', (t) => {
  const lan = buildLan();
  const line = startLine(lan, { every: 200_000 });
  run(lan, 10 * second);
  const link = lan.lan.linkOf('server')!;
  link.setUp(false, 'fromSwitch');
  run(lan, 13 * second);
  t.not(line.outages.openSince, undefined);
  t.is(line.outages.recoveredAt, undefined);
  link.setUp(true);
  run(lan, 20 * second);
  const [outage] = line.outages.outages;
  t.is(line.outages.outages.length, 1);
  t.true((outage?.from ?? 0) >= 10 * second && (outage?.from ?? 0) < 10_200_000);
  const length = (outage?.until ?? 0) - (outage?.from ?? 0);
  // Requests of the last second before the link returns are saved by retransmission.
  t.true(length >= 2 * second - 200_000 && length <= 3_200_000, `${length}`);
  t.is(line.outages.longest(lan.world.now), length);
  t.is(line.outages.total(lan.world.now), length);
  t.is(line.outages.firstFailureAt, outage?.from);
  t.is(line.outages.recoveredAt, outage?.until);
});

test('outages do not depend on the order in which requests end', (t) => {
  fc.assert(fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 50 }), (worked) => {
    const meter = new OutageMeter();
    worked.forEach((good, index) => meter.add(index * 10, good));
    const end = worked.length * 10;
    let total = 0;
    let longest = 0;
    let current = 0;
    for (const good of worked) {
      current = good ? 0 : current + 10;
      if (!good) total += 10;
      longest = Math.max(longest, current);
    }
    t.is(meter.total(end), total);
    t.is(meter.longest(end), longest);
  }), { seed: 8, numRuns: 200 });
});

test('the address of a Service may change while traffic runs', (t) => {
  const lan = buildLan();
  const line = startLine(lan, { every: 100_000 });
  run(lan, second);
  line.setTarget(ip('192.168.20.12'), 8080);
  serveEcho(lan.phone.transport, { port: 8080, backend: 'phone' });
  const backends = new Set<string | undefined>();
  line.onRecord(({ backend }) => backends.add(backend));
  run(lan, 3 * second);
  t.deepEqual([...backends], ['phone']);
  t.deepEqual(line.failures, []);
});

test('the period may change while traffic runs, and a stopped line asks no more', (t) => {
  const lan = buildLan();
  const line = startLine(lan, { every: 100_000 });
  run(lan, 10 * second);
  const before = line.requestCount;
  line.setEvery(5 * second);
  run(lan, 30 * second);
  t.is(line.requestCount - before, 4);
  line.setEvery(100_000);
  run(lan, 31 * second);
  t.true(line.requestCount - before >= 13);
  line.stop();
  const stopped = line.requestCount;
  run(lan, 60 * second);
  t.is(line.requestCount, stopped);
});

// Kept flows.

test('sim 5.6: kept flows stay up over an outage shorter than their patience, on the same backend', (t) => {
  const lan = buildLan();
  const line = startLine(lan, { every: 1 * second, flows: 20 });
  run(lan, 10 * second);
  t.is(line.flowsUp, 20);
  lan.lan.linkOf('server')!.setUp(false, 'fromSwitch');
  run(lan, 20 * second);
  lan.lan.linkOf('server')!.setUp(true);
  run(lan, 60 * second);
  t.is(line.flowsUp, 20);
  t.is(line.counts['broken-after-established'], 0);
  t.true(line.flows.every((flow) => flow.openedCount === 1 && flow.backend === 'server'));
});

test('sim 5.6: a flow whose server forgot it is broken after it was established, and opened again', (t) => {
  const lan = buildLan();
  const line = startLine(lan, { every: 1 * second, flows: 5 });
  run(lan, 10 * second);
  lan.server.transport.vanish();
  serveEcho(lan.server.transport, { port: 80, backend: 'server' });
  run(lan, 20 * second);
  t.is(line.counts['broken-after-established'], 5);
  t.is(line.flowsUp, 5);
  t.true(line.failures.every(({ flow, outcome }) => flow !== undefined
    && outcome === 'broken-after-established'));
  t.deepEqual(line.outages.outages, []);
});

test('a flow without an answer breaks after the patience of its line', (t) => {
  const lan = buildLan();
  const line = startLine(lan, { every: 1 * second, flows: 3, flowTimeout: 10 * second });
  run(lan, 10 * second);
  lan.server.nic.setAdminUp(false);
  run(lan, 40 * second);
  t.is(line.counts['broken-after-established'], 3);
  t.is(line.flowsUp, 0);
  t.true(line.flows.every((flow) => flow.brokenCount === 1));
});

// An address moves to another machine: who believes the announcement?

const vip = ip('192.168.10.200');
const vip6 = ip('2001:db8:10::200');

function move(lan: Lan, address: Ip, announce: boolean): void {
  lan.server.nic.setAdminUp(false);
  lan.laptop.stack.addAddress(
    lan.laptop.iface, { ip: address, prefixBits: address.includes(':') ? 128 : 32 },
  );
  if (!announce) return;
  const { mac } = lan.laptop.nic;
  lan.laptop.nic.send(address.includes(':')
    ? Frame.ofNdp({ kind: 'advertisement', ethSource: mac, ethTarget: groupMac(allNodes),
      source: address, destination: allNodes,
      target: address, linkLayer: mac, router: false, solicited: false, override: true,
        hopLimit: 255 })
    : Frame.ofArp({ kind: 'arp', opcode: 1, ethSource: mac, ethTarget: broadcastMac, senderMac: mac,
      senderIp: address,
      targetMac: zeroMac, targetIp: address }));
}

const moves = test.macro({
  exec: (t, lanOptions: LanOptions, address: Ip, announce: boolean, outage: [number, number]) => {
    const lan = buildLan(lanOptions);
    lan.server.stack.addAddress(
      lan.server.iface, { ip: address, prefixBits: address.includes(':') ? 128 : 32 },
    );
    serveEcho(lan.laptop.transport, { port: 80, backend: 'laptop' });
    const line = startLine(lan, { client: 'phone', every: 200_000, target: address });
    run(lan, 3 * second);
    move(lan, address, announce);
    run(lan, 600 * second);
    const longest = line.outages.longest(lan.world.now) / second;
    t.true(longest >= outage[0] && longest <= outage[1], `${longest}`);
    t.is(line.outages.openSince, undefined);
  },
  title: (_, lanOptions: LanOptions, address, announce, [low, high]: [number, number]) =>
    `after a move ${announce ? 'with' : 'without'} announcement a router of profile ${lanOptions.neighbour?.profile ?? 'linux'} reaches ${address} after ${low} to ${high} s`,
});
test(moves, {}, vip, true, [0, 0.2]);
test(moves, {}, vip6, true, [0, 0.2]);
test(moves, {}, vip, false, [15, 54]);
test(moves, {}, vip6, false, [15, 54]);
test(moves, { neighbour: { profile: 'sticky' } }, vip, true, [55, 61]);
test(moves, { neighbour: { profile: 'long' } }, vip, true, [0, 0.2]);
test(moves, { neighbour: { profile: 'long', timeout: 300 * second } }, vip, false, [295, 301]);
test(moves, { neighbour: { profile: 'strict' } }, vip, true, [15, 54]);
test(moves, { neighbour: { dropGratuitous: true } }, vip, true, [15, 54]);

// Determinism.

const noisy = (order: 'fifo' | 'uniform', seed: bigint): Lan => {
  const lan = buildLan({ order, seed });
  startLine(lan, { every: 50_000, flows: 3 });
  startLine(lan, { client: 'phone', every: 70_000, target: server6 });
  for (const host of ['server', 'laptop'] as const) {
    const link = lan.lan.linkOf(host)!;
    link.setDelay({ min: 100, mean: 400 });
    for (
      const fault of ['lossPpm', 'duplicatePpm', 'reorderPpm', 'corruptPpm'] as const
    ) link.setRatio(fault, 30_000);
  }
  run(lan, 60 * second);
  return lan;
};

for (const order of ['fifo', 'uniform'] as const) {
  test(`the same seed gives the same run in order ${order}, another seed another`, (t) => {
    const [first, second_, other] = [noisy(order, 5n), noisy(order, 5n), noisy(order, 6n)];
    t.is(first.world.trace.hash, second_.world.trace.hash);
    t.is(first.world.unseed(), second_.world.unseed());
    t.not(first.world.trace.hash, other.world.trace.hash);
  });
}

test('listening to steps changes nothing', (t) => {
  const hash = (listen: boolean): string => {
    const lan = buildLan();
    if (listen) lan.tap.onStep(() => undefined);
    startLine(lan, { client: 'phone', every: 50_000 });
    run(lan, 20 * second);
    return lan.world.trace.hash;
  };
  t.is(hash(true), hash(false));
});

test('an answer survives its text, and other text is none', (t) => {
  const answer = { backend: 'media/jellyfin-0', source: server6, sourcePort: 40_000 };
  t.deepEqual(decodeAnswer(encodeAnswer(answer)), answer);
  for (const text of ['', 'once', 'a\nb', 'a\nb\nc', 'a\n10.0.0.1\nx', 'a\n10.0.0.256\n1']) {
    t.is(decodeAnswer(payloadOf(text)), undefined, text);
  }
});

test('a reset acknowledges what it refuses', (t) => {
  const packet = {
    source: vip, target: server6, protocol: 'TCP', sourcePort: 1, targetPort: 2, ttl: 9,
    payload: payloadOf('abc'),
  } as const;
  t.deepEqual(
    resetFor({ ...packet, tcp: { seq: 0xffff_ffff, ack: 0, flags: 2 } }).tcp,
    { seq: 0, ack: 3, flags: 20 },
  );
  t.deepEqual(
    resetFor({ ...packet, tcp: { seq: 5, ack: 77, flags: 16 } }).tcp, { seq: 77, ack: 0, flags: 4 },
  );
});
