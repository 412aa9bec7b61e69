import { addrBit, rangeBit } from '../../bpf/layout.gen.ts';
import { at, bytes, service, service6, type Rows } from './fixture.ts';
import { frame, joined, quoted, type PacketFacts } from './packet.ts';
import { dropped, remote, tcp, uplink, vip, x } from './uplink.ts';
import type { Step, Vector } from './vector.ts';

const podMacs = ['02:00:00:00:00:0b', '02:00:00:00:00:0d'] as const;
const back = ['02:00:00:00:00:0d', '02:00:00:00:00:0b'] as const;
const port = 62_878;
const router6 = '2001:db8:ffff::1';

type End = readonly [address: string, port: number];

function facts(from: End, to: End, kind: 'tcp' | 'udp' = 'tcp', ttl = 64): PacketFacts {
  const ports = [from[1], to[1]] as const;
  const body = kind === 'tcp' ? { kind, ports, flags: 'S' } as const : { kind, ports } as const;
  return { source: from[0], target: to[0], ttl, body };
}

function error(ends: readonly [string, string], about: PacketFacts, rest: object = {}): Uint8Array {
  // Header and 8 bytes: the checksum of a quoted TCP header is left alone (datapath.md 8.6).
  const payload = quoted(about, 48);
  const body = { kind: 'icmp', type: 2, rest: 1400, payload } as const;
  return frame({ source: ends[0], target: ends[1], body, ...rest });
}

const client: End = [at.x6, 40000];
const front: End = [at.vip6, 80];
const near: End = [at.a6, 8080];
const far: End = [at.b6, 8080];
const nat: End = [at.node6, port];
const self: End = [at.a6, 33000];
const own: End = [at.vip, 700];
const echo = (type: number, ends: readonly [string, string], rest: object = {}): Uint8Array =>
  frame({
    source: ends[0], target: ends[1],
    body: { kind: 'icmp', type, rest: 0x00010002, payload: joined([9, 8, 7]) }, ...rest,
  });

const opened: Step = uplink({
  packet: frame(facts(client, front)), draw: 1, verdict: 'redirect', redirect: 'uplink',
  bytes: frame(facts(nat, far, 'tcp', 63)),
});
const fromPod = (step: Partial<Step> & Pick<Step, 'packet'>): Step =>
  uplink({ program: 'fl_from_pod', device: 'pod', verdict: 'redirect', redirect: 'pod', ...step });

/** What IPv6, SCTP, VLAN tags and odd headers change. */
export const oddVectors: readonly Vector[] = [
  {
    name: 'V50 over IPv6', rows: service6(),
    steps: [opened, uplink({
      packet: frame(facts(far, nat)), verdict: 'redirect',
      bytes: frame(facts(front, client, 'tcp', 63)),
    })],
  },
  {
    name: 'V46 over IPv6', rows: service6(),
    steps: [
      opened,
      uplink({
        packet: error([router6, at.node6], facts(nat, far)), verdict: 'redirect',
        bytes: error([router6, at.x6], facts(client, front), remote),
      }),
      uplink({
        packet: error([router6, at.vip6], facts(front, client)), verdict: 'redirect',
        bytes: error([router6, at.b6], facts(far, nat), remote),
      }),
    ],
  },
  {
    name: 'V47 over IPv6, about a datagram', rows: udp6(),
    steps: [
      uplink({
        packet: frame(facts(client, front, 'udp')), draw: 0,
        bytes: frame(facts(client, near, 'udp')),
      }),
      uplink({
        program: 'fl_uplink_out', packet: error([at.a6, at.x6], facts(client, near, 'udp')),
        bytes: error([at.vip6, at.x6], facts(client, front, 'udp')),
      }),
    ],
  },
  {
    name: 'V15 over IPv6', rows: service6(),
    steps: [uplink({
      packet: echo(128, [at.x6, at.vip6], { ttl: 9 }), verdict: 'redirect',
      bytes: echo(129, [at.vip6, at.x6], {
        macs: ['02:00:00:00:00:0c', '02:00:00:00:00:0a'],
      }),
    })],
  },
  {
    name: 'V18 over IPv6', rows: service6(),
    steps: [
      fromPod({
        packet: frame({ ...facts(self, front), macs: podMacs }), draw: 0,
        bytes: frame({ ...facts([at.hairpin6, 33000], near), macs: back }),
      }),
      fromPod({
        packet: frame({ ...facts(near, [at.hairpin6, 33000]), macs: podMacs }),
        bytes: frame({ ...facts(front, self), macs: back }),
      }),
    ],
  },
  {
    name: 'SCTP is translated where the port stays', rows: service({ proto: 132, targetPort: 80 }),
    steps: [
      uplink({ packet: sctp([at.x, 40000], vip), draw: 0, bytes: sctp(x, [at.a1, 80]) }),
      uplink({
        packet: sctp([at.x, 50005], vip), draw: 1, verdict: 'redirect',
        bytes: sctp([at.node, 50005], [at.b1, 80], 63),
      }),
      dropped(sctp([at.x, 40001], vip), 'sctpPort', { draw: 1 }),
    ],
  },
  {
    name: 'SCTP is dropped where the port would change', rows: service({ proto: 132 }),
    steps: [dropped(sctp(x, vip), 'sctpPort', { draw: 0 })],
  },
  {
    name: 'a tag in the frame moves the headers', rows: service(),
    steps: [uplink({ packet: tagged(tcp(x, vip)), draw: 0, bytes: tagged(tcp(x, [at.a1, 8080])) })],
  },
  {
    name: 'V45 a range of a node admits the VIP as its own source', rows: selfRange(),
    steps: [
      uplink({ packet: tcp(own, vip), draw: 0, bytes: tcp(own, [at.a1, 8080]) }),
      dropped(tcp(own, [at.vip2, 80]), 'srcRange'),
      dropped(tcp(x, vip), 'srcRange'),
    ],
  },
];

function udp6(): Rows {
  const rows = service6();
  const fronts = rows.fronts.map((one) => ({ ...one, proto: 17 }));
  return { ...rows, fronts, backends: rows.backends.map((one) => ({ ...one, proto: 17 })) };
}

function sctp(from: End, to: End, ttl = 64): Uint8Array {
  const body = { kind: 'sctp', ports: [from[1], to[1]] } as const;
  return frame({ source: from[0], target: to[0], ttl, body });
}

// A second tag: the first one of a frame becomes metadata before any program sees it.
function tagged(bare: Uint8Array): Uint8Array {
  return joined(bare.subarray(0, 12), [0x88, 0xa8, 0, 7, 0x81, 0, 0, 9], bare.subarray(12));
}

function selfRange(): Rows {
  const rows = service({ ranges: [['192.0.2.0', 24]] });
  const self = { prefixlen: 160, rangeId: 1, addr: bytes(at.vip), bits: rangeBit.self };
  const second = rows.fronts.filter(({ addr }) => addr.join() === bytes(at.vip).join())
    .map((one) => ({ ...one, addr: bytes(at.vip2) }));
  return {
    ...rows, fronts: [...rows.fronts, ...second], ranges: [...rows.ranges, self],
    addresses: [...rows.addresses, { addr: bytes(at.vip2), bits: addrBit.vip }],
  };
}
