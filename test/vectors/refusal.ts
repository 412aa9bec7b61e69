import * as layout from '../../bpf/layout.gen.ts';
import { at, bytes, service, service6 } from './fixture.ts';
import { frame, quoted, type PacketFacts } from './packet.ts';
import { dropped, tcp, udp, uplink, vip, x } from './uplink.ts';
import type { Vector } from './vector.ts';

const macs = ['02:00:00:00:00:0c', '02:00:00:00:00:0a'] as const;
const none = service({ endpoints: [] });
const none6 = (() => {
  const rows = service6();
  const sets = rows.sets.map((set) => ({ ...set, localN: 0, clusterN: 0, flags: 0 }));
  return { ...rows, sets };
})();

function answer(facts: Omit<PacketFacts, 'macs'>): Uint8Array {
  return frame({ ...facts, macs });
}

const datagram: PacketFacts = {
  source: at.x, target: at.vip, body: { kind: 'udp', ports: [40000, 80] },
};
const six: PacketFacts = {
  source: at.x6, target: at.vip6, body: { kind: 'tcp', ports: [40000, 80], flags: 'S', seq: 7 },
};
const options = (payload: number): Uint8Array => new Uint8Array(payload).fill(0x5a);
const large: PacketFacts = {
  source: at.x6, target: at.vip6,
  body: { kind: 'udp', ports: [40000, 81], payload: options(1400) },
};
const guarded = {
  ...none6, addresses: [{ addr: bytes(at.vip6), bits: layout.addrBit.clusterIp }],
};

/** V65 and V6: how refusals look. */
export const refusalVectors: readonly Vector[] = [
  {
    name: 'V65 a SYN is reset', rows: none,
    steps: [uplink({
      packet: frame({
        source: at.x, target: at.vip,
        body: { kind: 'tcp', ports: [40000, 80], flags: 'S', seq: 0xfffffff0 },
      }),
      verdict: 'redirect', redirect: 'uplink', reason: 'noEndpoint', left: [],
      bytes: answer({
        source: at.vip, target: at.x,
        body: { kind: 'tcp', ports: [80, 40000], flags: 'RA', seq: 0, ack: 0xfffffff1, window: 0 },
      }),
    })],
  },
  {
    name: 'V65 a SYN is reset over IPv6', rows: none6,
    steps: [uplink({
      packet: frame(six), verdict: 'redirect', reason: 'noEndpoint',
      bytes: answer({
        source: at.vip6, target: at.x6,
        body: { kind: 'tcp', ports: [80, 40000], flags: 'RA', seq: 0, ack: 8, window: 0 },
      }),
    })],
  },
  {
    name: 'V65 a segment with data is reset past its data', rows: none, options: { midstream: 1 },
    steps: [uplink({
      packet: frame({
        source: at.x, target: at.vip, body: {
          kind: 'tcp', ports: [40000, 80], flags: 'SP', seq: 10, payload: Uint8Array.of(1, 2, 3),
        },
      }),
      verdict: 'redirect', reason: 'noEndpoint',
      bytes: answer({
        source: at.vip, target: at.x,
        body: { kind: 'tcp', ports: [80, 40000], flags: 'RA', seq: 0, ack: 14, window: 0 },
      }),
    })],
  },
  {
    name: 'V65 a datagram is answered with port unreachable', rows: service({ endpoints: [], proto: 17 }),
    steps: [uplink({
      packet: frame(datagram), verdict: 'redirect', redirect: 'uplink', reason: 'noEndpoint',
      bytes: answer({
        source: at.vip, target: at.x,
        body: { kind: 'icmp', type: 3, code: 3, payload: quoted(datagram, 28) },
      }),
    })],
  },
  {
    name: 'V65 over IPv6 the answer quotes what 1280 bytes hold', rows: guarded,
    steps: [uplink({
      packet: frame(large), verdict: 'redirect', reason: 'unknownPort',
      bytes: answer({
        source: at.vip6, target: at.x6,
        body: { kind: 'icmp', type: 1, code: 4, payload: quoted(large, 1232) },
      }),
    })],
  },
  {
    name: 'V65 a reset is not answered', rows: none,
    steps: [
      dropped(tcp(x, vip, 'R'), 'noEndpoint'),
      dropped(tcp(x, vip, 'RA'), 'noEndpoint'),
    ],
  },
  {
    name: 'V65 off: nothing is said', rows: none, options: { noEndpoints: 1 },
    steps: [dropped(tcp(x, vip), 'noEndpoint')],
  },
  {
    name: 'V65 a bucket that is empty', rows: none, cfg: { refusalBurst: 1, refusalRate: 1 },
    steps: [
      uplink({ packet: tcp(x, vip), verdict: 'redirect', reason: 'noEndpoint' }),
      dropped(tcp(x, vip), 'rate'),
      uplink({ packet: tcp(x, vip), verdict: 'redirect', reason: 'noEndpoint', seconds: 1001 }),
    ],
  },
  {
    name: 'a packet larger than the egress device is told its MTU', rows: service({ proto: 17 }),
    steps: [uplink({
      packet: frame(huge()), draw: 1, verdict: 'redirect', redirect: 'uplink', reason: 'tooBig',
      left: [],
      bytes: answer({
        source: at.vip, target: at.x,
        body: { kind: 'icmp', type: 3, code: 4, rest: 1500, payload: quoted(huge(), 28) },
      }),
    })],
  },
  {
    name: 'a malformed packet to a VIP, and to anybody else', rows: service(),
    steps: [
      dropped(udp(x, vip).slice(0, 40), 'malformed'),
      uplink({ packet: udp(x, [at.y, 80]).slice(0, 40) }),
    ],
  },
];

function huge(): PacketFacts {
  const body = { kind: 'udp', ports: [40000, 80], payload: options(1600) } as const;
  return { source: at.x, target: at.vip, body };
}
