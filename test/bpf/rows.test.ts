import anyTest from 'ava';
import fc from 'fast-check';
import { rowLifetime, type FlowState } from '../../lb/flow.ts';
import { at, service, service6 } from '../vectors/fixture.ts';
import { frame } from '../vectors/packet.ts';
import { b1, node, node17, remote, tcp, udp, uplink, v49, vip, x } from '../vectors/uplink.ts';
import type { Step, Vector } from '../vectors/vector.ts';
import { flowRows, KernelRun, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

const tcpS: Vector = { name: 'tcp', rows: service(), steps: [] };
const udpS: Vector = { name: 'udp', rows: service({ proto: 17 }), steps: [] };
const opened = [v49, uplink({ packet: tcp(b1, node, 'SA') })];
const datagram = uplink({ packet: udp(x, vip), draw: 1 });

interface Aged {
  readonly vector: Vector;
  readonly steps: readonly Step[];
  readonly state: FlowState;
  readonly answered: boolean;
}

const aged: Readonly<Record<string, Aged>> = {
  'a handshake': { vector: tcpS, steps: [v49], state: 'handshake', answered: false },
  'an open connection': { vector: tcpS, steps: opened, state: 'open', answered: true },
  'a half-closed connection': {
    vector: tcpS, steps: [...opened, uplink({ packet: tcp(x, vip, 'FA') })],
    state: 'half-closed', answered: true,
  },
  'a closed connection': {
    vector: tcpS, state: 'closing', answered: true,
    steps: [
      ...opened, uplink({ packet: tcp(x, vip, 'FA') }), uplink({ packet: tcp(b1, node, 'FA') }),
    ],
  },
  'a reset connection': {
    vector: tcpS, steps: [...opened, uplink({ packet: tcp(b1, node, 'R') })],
    state: 'closing', answered: true,
  },
  'an unanswered datagram': { vector: udpS, steps: [datagram], state: 'open', answered: false },
  'an answered datagram': {
    vector: udpS, steps: [datagram, uplink({ packet: udp(b1, node17) })],
    state: 'open', answered: true,
  },
};

for (const [name, { vector, steps, state, answered }] of Object.entries(aged)) {
  const udpFlow = vector === udpS;
  test(`the row of ${name} lives as long as the oracle says`, (t) => {
    const row = { state, answered } as Parameters<typeof rowLifetime>[0];
    const seconds = rowLifetime(row, udpFlow ? 'UDP' : 'TCP') / 1_000_000;
    // An acknowledgement finds the row or none; a datagram its endpoint or another.
    const packet = udpFlow ? udp(x, vip) : tcp(x, vip, 'A');
    const after = (age: number): boolean => {
      const rig = kernel!.begin(vector);
      for (const step of steps) kernel!.step(rig, vector, step);
      const ran = kernel!.step(rig, vector, uplink({ packet, seconds: 1000 + age, draw: 2 }));
      return ran.verdict === 'redirect' && !ran.events.some((one) => one.startsWith('new'));
    };
    t.deepEqual([after(seconds - 1), after(seconds)], [true, false]);
  });
}

test('a reply restores a forward row that was evicted', (t) => {
  const rig = kernel!.begin(tcpS);
  for (const step of opened) kernel!.step(rig, tcpS, step);
  const rows = flowRows(rig);
  for (const { key } of rig.map('fl_ct').dump()) rig.map('fl_ct').remove(key);
  const reply = uplink({ packet: tcp(b1, node, 'A'), seconds: 1001 });
  t.is(kernel!.step(rig, tcpS, reply).verdict, 'redirect');
  t.deepEqual(flowRows(rig), rows);
});

test('eight seconds on, a forward packet restores a reply row that is missing', (t) => {
  const rig = kernel!.begin(tcpS);
  for (const step of opened) kernel!.step(rig, tcpS, step);
  const rows = flowRows(rig);
  for (const { key } of rig.map('fl_snat').dump()) rig.map('fl_snat').remove(key);
  kernel!.step(rig, tcpS, uplink({ packet: tcp(x, vip, 'A'), seconds: 1008 }));
  t.deepEqual(flowRows(rig), rows);
});

test('a packet in mid-stream of a Maglev flow finds its own SNAT row again', (t) => {
  const vector: Vector = { name: 'maglev', rows: service({ maglev: true }), steps: [] };
  const rig = kernel!.begin(vector);
  kernel!.step(rig, vector, uplink({ packet: tcp(x, vip) }));
  for (const { key } of rig.map('fl_ct').dump()) rig.map('fl_ct').remove(key);
  const ran = kernel!.step(rig, vector, uplink({ packet: tcp(x, vip, 'A') }));
  t.deepEqual(ran.packet, tcp(node, [at.c1, 8080], 'A', remote));
  t.is(rig.map('fl_snat').dump().length, 1);
});

const port = fc.integer({ min: 1, max: 29_999 });
const payload = fc.uint8Array({ maxLength: 40 });

test('incremental checksums are those from scratch, and replies restore the request', (t) => {
  const rig = kernel!.begin(udpS);
  const address = fc.tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255))
    .map((parts) => parts.join('.')).filter((text) => !/^(?:10|127|192\.0\.2)\./.test(text));
  fc.assert(fc.property(address, port, payload, fc.boolean(), (source, from, bytes, near) => {
    const body = { kind: 'udp', ports: [from, 80], payload: bytes } as const;
    const target = near ? at.a1 : at.b1;
    const asked = uplink({ packet: frame({ source, target: at.vip, body }), draw: near ? 0 : 1 });
    const sent = kernel!.step(rig, udpS, asked).packet;
    const seen = near ? [source, from] as const
      : [at.node, (sent[34]! << 8) | sent[35]!] as const;
    t.deepEqual(sent, frame({
      source: seen[0], target, ttl: near ? 64 : 63, body: { ...body, ports: [seen[1], 8080] },
    }));
    const answer = { ...body, ports: [8080, seen[1]] as const };
    const back = uplink({
      program: near ? 'fl_uplink_out' : 'fl_uplink_in',
      packet: frame({ source: target, target: seen[0], body: answer }),
    });
    t.deepEqual(kernel!.step(rig, udpS, back).packet, frame({
      source: at.vip, target: source, ttl: near ? 64 : 63, body: { ...body, ports: [80, from] },
    }));
  }), { seed: 11, numRuns: 300 });
});

test('incremental checksums are those from scratch over IPv6', (t) => {
  const vector: Vector = { name: 'six', rows: service6(), steps: [] };
  const rig = kernel!.begin(vector);
  const host = fc.integer({ min: 1, max: 0xffff });
  fc.assert(fc.property(host, port, payload, (low, from, bytes) => {
    const source = `2001:db8:e::${low.toString(16)}`;
    const body = { kind: 'tcp', ports: [from, 80], flags: 'S', payload: bytes } as const;
    const asked = uplink({ packet: frame({ source, target: at.vip6, body }), draw: 0 });
    t.deepEqual(kernel!.step(rig, vector, asked).packet, frame({
      source, target: at.a6, body: { ...body, ports: [from, 8080] },
    }));
  }), { seed: 12, numRuns: 200 });
});
