import { at, service } from './fixture.ts';
import { frame, joined, quoted } from './packet.ts';
import {
  a1, b1, dropped, node, remote, tcp, udp, uplink, v49, vip, x, type Asked, type End,
} from './uplink.ts';
import type { Step, Vector } from './vector.ts';

const podMacs = ['02:00:00:00:00:0b', '02:00:00:00:00:0d'] as const;
const back = ['02:00:00:00:00:0d', '02:00:00:00:00:0b'] as const;
const p: End = [at.p, 33000];
const p2: End = [at.p, 33001];
const cluster: End = [at.cluster, 80];
const hairpin: End = [at.hairpin, 33000];
const self: End = [at.a1, 33000];
const macs = { macs: podMacs };

function fromPod(step: Asked): Step {
  return uplink({ program: 'fl_from_pod', device: 'pod', ...step });
}

function toPod(step: Asked): Step {
  return uplink({ program: 'fl_to_pod', device: 'pod', ...step });
}

/** An ICMP error from `source` to `target` about a packet. */
function error(
  ends: readonly [source: string, target: string],
  about: Parameters<typeof frame>[0], rest: { readonly mtu?: number; readonly ttl?: number } = {},
): Uint8Array {
  const code = rest.mtu === undefined ? 3 : 4;
  const payload = quoted(about, 28);
  const body = { kind: 'icmp', type: 3, code, rest: rest.mtu ?? 0, payload } as const;
  return frame({ source: ends[0], target: ends[1], ttl: rest.ttl ?? 64, body });
}

const about = (from: End, to: End, kind: 'tcp' | 'udp', ttl = 60): Parameters<typeof frame>[0] => ({
  source: from[0], target: to[0], ttl,
  body: kind === 'tcp' ? { kind, ports: [from[1], to[1]], flags: 'S', window: 512 }
    : { kind, ports: [from[1], to[1]] },
});

/** V1 to V18 of pods, V46 to V48: what pods and routers say of translated flows. */
export const podVectors: readonly Vector[] = [
  {
    name: 'V1 a pod to a ClusterIP, and what it is answered', rows: service(),
    steps: [
      fromPod({
        packet: tcp(p, cluster, 'S', macs), draw: 1, bytes: tcp(p, b1, 'S', macs),
        left: [
          'fl_ct forward 10.64.1.9:33000 10.200.0.10:80 10.64.2.21:8080 - b2',
          'fl_ct reply 10.64.2.21:8080 10.64.1.9:33000 10.200.0.10:80 10.64.1.9:33000 b2',
        ],
      }),
      toPod({ packet: tcp(b1, p, 'SA', macs), bytes: tcp(cluster, p, 'SA', macs) }),
      toPod({ packet: tcp([at.c1, 8080], p, 'SA', macs) }),
    ],
  },
  {
    name: 'V7 V8 a pod to VIP and NodePort with eTP Local', rows: service({ externalLocal: true }),
    steps: [
      fromPod({ packet: tcp(p, vip), draw: 1, bytes: tcp(p, b1) }),
      fromPod({ packet: tcp(p2, [at.node, 30080]), draw: 1, bytes: tcp(p2, b1) }),
    ],
  },
  {
    name: 'V9 a pod to a ClusterIP with iTP Local', rows: service({ internalLocal: true }),
    steps: [
      fromPod({ packet: tcp(p, cluster), draw: 2, bytes: tcp(p, a1) }),
      fromPod({
        rows: service({ internalLocal: true, endpoints: ['b1', 'c1'], gen: 2 }),
        packet: tcp([at.p, 33001], cluster), verdict: 'drop', reason: 'policyEmpty',
      }),
    ],
  },
  {
    name: 'V12 V13 V14 what pods reach that is no front', rows: service(),
    steps: [
      fromPod({
        packet: tcp(p, [at.cluster, 81]), verdict: 'redirect', redirect: 'pod',
        reason: 'unknownPort',
      }),
      fromPod({ packet: udp(p, cluster), verdict: 'redirect', reason: 'unknownPort' }),
      fromPod({ packet: tcp(p, ['10.200.9.9', 80]) }),
      fromPod({ packet: tcp(p, ['10.200.0.77', 80]) }),
      fromPod({ packet: tcp(p, [at.vip, 81]) }),
      uplink({
        program: 'fl_uplink_out', packet: tcp(p, ['10.200.9.9', 80]), verdict: 'drop',
        reason: 'unallocated',
      }),
      uplink({ program: 'fl_uplink_out', packet: tcp(p, ['10.200.0.77', 80]) }),
      uplink({ program: 'fl_uplink_out', packet: tcp(p, [at.y, 80]) }),
    ],
  },
  {
    name: 'V26 NodePort of another node', rows: service({ externalLocal: true }),
    steps: [fromPod({ packet: tcp(p, ['192.0.2.12', 30080]) })],
  },
  {
    name: 'V18 a pod reaches itself through a front', rows: service(),
    steps: [
      fromPod({
        packet: tcp(self, cluster, 'S', macs), draw: 0, verdict: 'redirect', redirect: 'pod',
        bytes: tcp(hairpin, a1, 'S', { macs: back }),
      }),
      fromPod({
        packet: tcp(a1, hairpin, 'SA', macs), verdict: 'redirect', redirect: 'pod',
        bytes: tcp(cluster, self, 'SA', { macs: back }),
      }),
    ],
  },
  {
    name: 'V6 V9 what a socket call left untranslated ends at the uplink',
    rows: service({ endpoints: ['b1'], internalLocal: true }),
    steps: [uplink({
      program: 'fl_uplink_out', packet: tcp([at.h, 33000], cluster), verdict: 'drop',
      reason: 'policyEmpty',
    })],
  },
  {
    name: 'V46 a router says too big of a request', rows: service(),
    steps: [
      v49,
      uplink({
        packet: error([at.router, at.node], about(node, b1, 'tcp'), { mtu: 1400 }),
        verdict: 'redirect', redirect: 'uplink',
        bytes: error([at.router, at.x], about(x, vip, 'tcp'), { mtu: 1400, ttl: 63 }),
      }),
    ],
  },
  {
    name: 'V46 the endpoint itself says unreachable', rows: service(),
    steps: [
      v49,
      uplink({
        packet: error([at.b1, at.node], about(node, b1, 'tcp')), verdict: 'redirect',
        bytes: error([at.vip, at.x], about(x, vip, 'tcp'), remote),
      }),
    ],
  },
  {
    name: 'V46 the client says too big of a reply', rows: service(),
    steps: [
      v49,
      uplink({
        packet: error([at.router, at.vip], about(vip, x, 'tcp'), { mtu: 1400 }),
        verdict: 'redirect',
        bytes: error([at.router, at.b1], about(b1, node, 'tcp'), { mtu: 1400, ttl: 63 }),
      }),
    ],
  },
  {
    name: 'V46 an error about nothing known', rows: service(),
    steps: [
      dropped(error([at.router, at.vip], about(vip, x, 'tcp'), { mtu: 1400 }), 'icmpNoRow'),
      uplink({ packet: error([at.router, at.node], about(node, b1, 'tcp'), { mtu: 1400 }) }),
    ],
  },
  {
    name: 'V47 a local endpoint refuses a datagram', rows: service({ proto: 17 }),
    steps: [
      uplink({ packet: udp(x, vip), draw: 0, bytes: udp(x, a1) }),
      uplink({
        program: 'fl_uplink_out', packet: error([at.a1, at.x], about(x, a1, 'udp'), remote),
        bytes: error([at.vip, at.x], about(x, vip, 'udp'), remote),
      }),
    ],
  },
  {
    name: 'V48 a router says too big of what a pod sent', rows: service(),
    steps: [
      fromPod({ packet: tcp(p, cluster), draw: 1, bytes: tcp(p, b1) }),
      toPod({
        packet: error([at.router, at.p], about(p, b1, 'tcp'), { mtu: 1400 }),
        bytes: error([at.router, at.p], about(p, cluster, 'tcp'), { mtu: 1400 }),
      }),
    ],
  },
  {
    name: 'V15 echo of a VIP', rows: service(),
    steps: [uplink({
      packet: echo(8, { ttl: 9 }), verdict: 'redirect', redirect: 'uplink',
      bytes: echo(0, { ttl: 64 }), events: [],
    })],
  },
  {
    name: 'V15 echo of a VIP, off', rows: service(), options: { vipEcho: 0 },
    steps: [dropped(echo(8, { ttl: 9 }), 'echo')],
  },
  {
    name: 'V15 echo of the node', rows: service(),
    steps: [uplink({
      packet: frame({
        source: at.x, target: at.node,
        body: { kind: 'icmp', type: 8, rest: 1, payload: Uint8Array.of(1) },
      }),
    })],
  },
];

function echo(type: 0 | 8, { ttl }: { readonly ttl: number }): Uint8Array {
  const payload = joined([1, 2, 3, 4, 5, 6, 7]);
  const body = { kind: 'icmp', type, rest: 0x12340001, payload } as const;
  if (type === 8) return frame({ source: at.x, target: at.vip, ttl, body });
  return frame({
    source: at.vip, target: at.x, ttl, body, macs: ['02:00:00:00:00:0c', '02:00:00:00:00:0a'],
  });
}
