import { at, service, service6 } from './fixture.ts';
import { frame } from './packet.ts';
import {
  a1, b1, c1, dropped, node, node17, remote, tcp, udp, uplink, v49, vip, x, type Asked,
} from './uplink.ts';
import type { Step, Vector } from './vector.ts';

const later = (seconds: number, step: Asked): Step => uplink({ seconds, ...step });
const closing = { packet: tcp(x, vip, 'FA'), verdict: 'redirect' } as const;
const draining = service({ draining: ['b1'], gen: 2 });
const datagram = { packet: udp(x, vip), verdict: 'redirect' } as const;
const maglev = { ...service({ maglev: true }) };
const aff = (port: number): Uint8Array => tcp([at.x, port], vip);
const toA = (port: number): Uint8Array => tcp([at.x, port], a1);
const fragment = (more: boolean, offset: number, id = 77) => ({ id, fragment: { more, offset } });
const six = { source: at.x6, target: at.vip6 };
const tcp6 = { kind: 'tcp', ports: [40000, 80], flags: 'S' } as const;
const hop = [0, [0, 1, 4, 0, 0, 0, 0]] as const;

/** V52 to V62: what rows, fragments, extension headers and affinity change. */
export const flowVectors: readonly Vector[] = [
  {
    name: 'V55 a SYN on a row that is closing for three seconds', rows: service(),
    steps: [
      v49, later(1000, closing),
      later(1003, {
        packet: tcp(x, vip), draw: 2, verdict: 'redirect', bytes: tcp(node, c1, 'S', remote),
        events: ['reselect none 203.0.113.7:40000 198.51.100.10:80 10.64.3.21:8080'],
        left: [
          'fl_ct forward 203.0.113.7:40000 198.51.100.10:80 10.64.3.21:8080 192.0.2.11:57707 b3 snat',
          'fl_snat reply 10.64.3.21:8080 192.0.2.11:57707 198.51.100.10:80 203.0.113.7:40000 b3 snat',
        ],
      }),
    ],
  },
  {
    name: 'V55 a SYN on a row that is closing for two seconds', rows: service(),
    steps: [
      v49,
      later(1000, {
        ...closing,
        events: ['close none 203.0.113.7:40000 198.51.100.10:80 10.64.2.21:8080'],
      }),
      later(1002, {
        packet: tcp(x, vip), draw: 2, verdict: 'redirect', bytes: tcp(node, b1, 'S', remote),
        events: [],
      }),
    ],
  },
  {
    name: 'V56 a SYN repeated', rows: service(),
    steps: [
      v49,
      later(1001, {
        packet: tcp(x, vip), draw: 2, verdict: 'redirect', bytes: tcp(node, b1, 'S', remote),
        events: [],
      }),
    ],
  },
  {
    name: 'V56 a SYN repeated to an endpoint that is selectable no more', rows: service(),
    steps: [
      v49,
      later(1001, {
        rows: draining, packet: tcp(x, vip), draw: 1, verdict: 'redirect',
        bytes: tcp(node, c1, 'S', remote),
      }),
    ],
  },
  {
    name: 'V72 an established flow stays with an endpoint that is selectable no more',
    rows: service(),
    steps: [
      v49,
      later(1001, {
        rows: draining, packet: tcp(x, vip, 'A'), verdict: 'redirect',
        bytes: tcp(node, b1, 'A', remote),
      }),
    ],
  },
  {
    name: 'two fronts of one local endpoint from one port are two flows', rows: service(),
    steps: [
      uplink({ packet: tcp(x, vip), draw: 0, bytes: tcp(x, a1) }),
      uplink({
        packet: tcp(x, [at.external, 80]), draw: 0, bytes: tcp([at.x, 50013], a1),
        events: [
          'new none 203.0.113.7:40000 192.0.2.250:80 10.64.1.21:8080',
          'conflict none 203.0.113.7:40000 192.0.2.250:80 10.64.1.21:8080',
        ],
      }),
      uplink({
        program: 'fl_uplink_out', packet: tcp(a1, [at.x, 50013], 'SA'),
        bytes: tcp([at.external, 80], x, 'SA'),
      }),
      uplink({ packet: tcp(x, [at.external, 80], 'A'), bytes: tcp([at.x, 50013], a1, 'A') }),
      uplink({ program: 'fl_uplink_out', packet: tcp(a1, x, 'SA'), bytes: tcp(vip, x, 'SA') }),
      uplink({ packet: tcp(x, vip, 'A'), bytes: tcp(x, a1, 'A') }),
    ],
  },
  {
    name: 'V57 a packet in mid-stream finds its Maglev slot', rows: maglev,
    steps: [uplink({
      packet: tcp(x, vip, 'A'), verdict: 'redirect', bytes: tcp(node, c1, 'A', remote),
      left: [
        'fl_ct forward 203.0.113.7:40000 198.51.100.10:80 10.64.3.21:8080 192.0.2.11:57707 b3 midstream snat',
        'fl_snat reply 10.64.3.21:8080 192.0.2.11:57707 198.51.100.10:80 203.0.113.7:40000 b3 midstream snat',
      ],
    })],
  },
  {
    name: 'V57 a packet in mid-stream of a random service', rows: service(),
    steps: [dropped(tcp(x, vip, 'A'), 'noRow', { left: [] })],
  },
  {
    name: 'V57 a packet in mid-stream may be reset', rows: service(), options: { midstream: 1 },
    steps: [uplink({
      packet: frame({ source: at.x, target: at.vip, body: { ...tcpAt('A'), seq: 9, ack: 77 } }),
      verdict: 'redirect', redirect: 'uplink', reason: 'noRow',
      bytes: answer({ ...tcpAt('R'), ports: [80, 40000], seq: 77, window: 0 }),
    })],
  },
  {
    name: 'V57 a packet in mid-stream may be passed', rows: maglev, options: { midstream: 2 },
    steps: [uplink({ packet: tcp(x, vip, 'A'), events: [] })],
  },
  {
    name: 'V66 an affinity client of a Maglev service has its own slot',
    rows: service({ maglev: true, affinitySeconds: 10 }),
    steps: [uplink({
      packet: tcp(x, vip), verdict: 'redirect', bytes: tcp(node, b1, 'S', remote),
    })],
  },
  {
    name: 'V58 a datagram leaves an endpoint that serves no more', rows: service({ proto: 17 }),
    steps: [
      uplink({ ...datagram, draw: 1, bytes: udp(node17, b1, remote) }),
      later(1001, {
        rows: service({ proto: 17, gen: 2, draining: ['b1'] }), ...datagram, draw: 2,
        bytes: udp(node17, b1, remote), events: [],
      }),
      later(1002, {
        rows: service({ proto: 17, gen: 3, gone: ['b1'] }), ...datagram, draw: 1,
        bytes: udp(node17, c1, remote),
        events: ['reselect none 203.0.113.7:40000 198.51.100.10:80 10.64.3.21:8080'],
      }),
    ],
  },
  {
    name: 'V61 affinity for ten seconds', rows: service({ affinitySeconds: 10 }),
    steps: [
      later(1000, { packet: aff(1001), draw: 0, bytes: toA(1001) }),
      later(1003, { packet: aff(1002), draw: 1, bytes: toA(1002) }),
      later(1012.9, { packet: aff(1003), draw: 1, bytes: toA(1003) }),
      later(1022.9, { packet: aff(1004), draw: 1, verdict: 'redirect' }),
    ],
  },
  {
    name: 'V62 affinity to an endpoint that drains', rows: service({ affinitySeconds: 10 }),
    steps: [
      later(1000, { packet: aff(1001), draw: 0, bytes: toA(1001) }),
      later(1001, {
        rows: service({ affinitySeconds: 10, gen: 2, draining: ['a1'] }), packet: aff(1002),
        draw: 0, verdict: 'redirect',
        events: [
          'new none 203.0.113.7:1002 198.51.100.10:80 10.64.2.21:8080',
          'affinity none 203.0.113.7:1002 198.51.100.10:80 10.64.2.21:8080',
        ],
      }),
    ],
  },
  {
    name: 'V53 fragments follow their first one', rows: service({ proto: 17 }),
    steps: [
      uplink({
        ...datagram, packet: udp(x, vip, fragment(true, 0)), draw: 1,
        bytes: udp(node17, b1, { ...remote, ...fragment(true, 0) }),
      }),
      uplink({
        packet: second(at.x, at.vip, 77), verdict: 'redirect',
        bytes: second(at.node, at.b1, 77, 63),
      }),
      dropped(second(at.x, at.vip, 78), 'frag'),
    ],
  },
  {
    name: 'V54 IPv6 with a hop-by-hop header', rows: service6(),
    steps: [uplink({
      packet: frame({ ...six, extensions: [hop], body: tcp6 }), draw: 1, verdict: 'redirect',
      bytes: frame({
        source: at.node6, target: at.b6, ttl: 63, extensions: [hop],
        body: { ...tcp6, ports: [62878, 8080] },
      }),
    })],
  },
  {
    name: 'V54 IPv6 with nine extension headers', rows: service6(),
    steps: [dropped(
      frame({ ...six, extensions: Array.from({ length: 9 }, () => hop), body: tcp6 }), 'extHdr',
    )],
  },
  {
    name: 'V51 over IPv6: local endpoint and its reply', rows: service6(),
    steps: [
      uplink({
        packet: frame({ ...six, body: tcp6 }), draw: 0,
        bytes: frame({ source: at.x6, target: at.a6, body: { ...tcp6, ports: [40000, 8080] } }),
      }),
      uplink({
        program: 'fl_uplink_out',
        packet: frame({ source: at.a6, target: at.x6, body: { ...tcp6, ports: [8080, 40000] } }),
        bytes: frame({ source: at.vip6, target: at.x6, body: { ...tcp6, ports: [80, 40000] } }),
      }),
    ],
  },
];

function tcpAt(flags: string) {
  return { kind: 'tcp', ports: [40000, 80] as const, flags } as const;
}

function answer(body: Parameters<typeof frame>[0]['body']): Uint8Array {
  return frame({
    source: at.vip, target: at.x, body, macs: ['02:00:00:00:00:0c', '02:00:00:00:00:0a'],
  });
}

function second(source: string, target: string, id: number, ttl = 64): Uint8Array {
  const raw = { kind: 'raw', proto: 17, bytes: Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2) } as const;
  return frame({ source, target, ttl, ...fragment(false, 2, id), body: raw });
}
