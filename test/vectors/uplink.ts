import { addrBit } from '../../bpf/layout.gen.ts';
import { at, bytes, service, type Rows, type ServiceFacts } from './fixture.ts';
import { frame, type Body, type PacketFacts } from './packet.ts';
import type { Step, Vector } from './vector.ts';

export type End = readonly [address: string, port: number];

/** A TCP frame from one end to another. */
export function tcp(
  from: End, to: End, flags = 'S', rest: Partial<PacketFacts> = {},
): Uint8Array {
  const body: Body = { kind: 'tcp', ports: [from[1], to[1]], flags };
  return frame({ source: from[0], target: to[0], body, ...rest });
}

/** A UDP frame; `unsummed` has no checksum. */
export function udp(
  from: End, to: End, rest: Partial<PacketFacts> & { readonly unsummed?: boolean } = {},
): Uint8Array {
  const { unsummed = false, ...facts } = rest;
  const body: Body = { kind: 'udp', ports: [from[1], to[1]], unsummed };
  return frame({ source: from[0], target: to[0], body, ...facts });
}

export const x: End = [at.x, 40000];
const y: End = [at.y, 40000];
const y2: End = [at.y, 40001];
export const vip: End = [at.vip, 80];
export const a1: End = [at.a1, 8080];
export const b1: End = [at.b1, 8080];
export const c1: End = [at.c1, 8080];
/** The port that V49 names. */
export const node: End = [at.node, 57707];
/** The same of UDP: its hash is another. */
export const node17: End = [at.node, 57127];
export const remote = { ttl: 63 };

export type Asked = Partial<Step> & Pick<Step, 'packet'>;

/** A packet that comes in by the uplink in second 1000. */
export function uplink(step: Asked): Step {
  const base = { program: 'fl_uplink_in', device: 'uplink', seconds: 1000 } as const;
  return { ...base, verdict: 'next', ...step };
}

export function dropped(packet: Uint8Array, reason: string, rest: Partial<Step> = {}): Step {
  return uplink({ packet, verdict: 'drop', reason, ...rest });
}

function single(name: string, facts: ServiceFacts, ...steps: readonly Step[]): Vector {
  return { name, rows: service(facts), steps };
}

const row49 = 'fl_ct forward 203.0.113.7:40000 198.51.100.10:80 10.64.2.21:8080 192.0.2.11:57707';
const reply49 = 'fl_snat reply 10.64.2.21:8080 192.0.2.11:57707 198.51.100.10:80 203.0.113.7:40000';
/** The first packet of V49. */
export const v49 = uplink({
  packet: tcp(x, vip), draw: 1, verdict: 'redirect', redirect: 'uplink',
  bytes: tcp(node, b1, 'S', remote),
  events: ['new none 203.0.113.7:40000 198.51.100.10:80 10.64.2.21:8080'],
  left: [`${row49} b2 snat`, `${reply49} b2 snat`],
});
const reply50 = uplink({
  packet: tcp(b1, node, 'SA'), verdict: 'redirect', redirect: 'uplink', events: [],
  bytes: tcp(vip, x, 'SA', remote),
  left: [`${row49} b2 answered snat`, `${reply49} b2 answered snat`],
});

const toNode = (address: string): Uint8Array => tcp(x, [address, 30080]);

/** V49 to V51: the paths of a packet from outside; what policy makes of them. */
export const uplinkVectors: readonly Vector[] = [
  single('V49 V50 remote endpoint and its answer', {}, v49, reply50),
  single('V49 at the last hop', {}, dropped(tcp(x, vip, 'S', { ttl: 1 }), 'ttl', { draw: 1 })),
  single('V51 local endpoint, whose reply leaves an uplink', {},
    uplink({
      packet: tcp(x, vip), draw: 0, bytes: tcp(x, a1),
      left: [
        'fl_ct forward 203.0.113.7:40000 198.51.100.10:80 10.64.1.21:8080 - b1',
        'fl_ct reply 10.64.1.21:8080 203.0.113.7:40000 198.51.100.10:80 203.0.113.7:40000 b1',
      ],
    }),
    uplink({
      program: 'fl_uplink_out', packet: tcp(a1, x, 'SA', remote), bytes: tcp(vip, x, 'SA', remote),
    })),
  single('V3 ClusterIP from outside', {}, uplink({
    packet: tcp(x, [at.cluster, 80]), draw: 1, verdict: 'redirect',
  })),
  {
    ...single('V3 ClusterIP from outside, off', {},
      dropped(tcp(x, [at.cluster, 80]), 'externalClusterIp')),
    options: { externalClusterIp: 0 },
  },
  single('V4 NodePort to a remote endpoint', {}, uplink({
    packet: toNode(at.node), draw: 2, verdict: 'redirect',
  })),
  single('V4 NodePort to the local endpoint keeps the client', {}, uplink({
    packet: toNode(at.node), draw: 3, bytes: tcp(x, a1),
  })),
  single('V5 NodePort with eTP Local', { externalLocal: true }, uplink({
    packet: toNode(at.node), draw: 2, bytes: tcp(x, a1),
  })),
  single('V6 VIP with eTP Local and no local endpoint',
    { externalLocal: true, endpoints: ['b1', 'c1'] }, dropped(tcp(x, vip), 'policyEmpty')),
  single('V10 ClusterIP with iTP Local from outside', { internalLocal: true }, uplink({
    packet: tcp(x, [at.cluster, 80]), draw: 2, bytes: tcp(x, a1),
  })),
  single('V11 ExternalIP with eTP Local', { externalLocal: true }, uplink({
    packet: tcp(x, [at.external, 80]), draw: 2, bytes: tcp(x, a1),
  })),
  single('V14 unknown port of a VIP', {}, dropped(tcp(x, [at.vip, 81]), 'vipPort')),
  {
    ...single('V14 unknown port of a VIP, guard off', {}, uplink({ packet: tcp(x, [at.vip, 81]) })),
    options: { vipGuard: 0 },
  },
  {
    name: 'V16 an ExternalIP that is the node’s own address is not guarded',
    rows: { ...service(), addresses: nodeAndVip() },
    steps: [uplink({ packet: tcp(x, [at.node, 22]) })],
  },
  single('V17 another address of the node', {}, uplink({ packet: toNode(at.h2) })),
  single('V43 source ranges', { ranges: [['203.0.113.0', 25]] },
    uplink({ packet: tcp(x, vip), draw: 0, bytes: tcp(x, a1) }),
    dropped(tcp(y, vip), 'srcRange'),
    uplink({ packet: tcp(y, [at.node, 30080]), draw: 0, bytes: tcp(y, a1) }),
    // Another port: two fronts of one endpoint would meet in its replies.
    uplink({ packet: tcp(y2, [at.external, 80]), draw: 0, bytes: tcp(y2, a1) })),
  single('V52 a UDP checksum of 0 stays 0', { proto: 17 },
    uplink({
      packet: udp(x, vip, { unsummed: true }), draw: 1, verdict: 'redirect',
      bytes: udp(node17, b1, { unsummed: true, ...remote }),
    }),
    uplink({
      packet: udp(b1, node17, { unsummed: true }), verdict: 'redirect',
      bytes: udp(vip, x, { unsummed: true, ...remote }),
    })),
];

function nodeAndVip(): Rows['addresses'] {
  const bits = addrBit.node | addrBit.nodePort | addrBit.vip;
  return [{ addr: bytes(at.node), bits }];
}
