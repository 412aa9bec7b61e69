import * as layout from '../../bpf/layout.gen.ts';
import { at, bytes, service, type Rows } from '../vectors/fixture.ts';
import { frame, quoted, type Body, type PacketFacts } from '../vectors/packet.ts';
import type { Step, TcProgram, Vector } from '../vectors/vector.ts';
import type { CallStep } from './object-run.ts';
import { Draws } from './vectors.ts';

const clients = [at.x, at.y, at.p, at.h, at.a1, at.b1, '10.0.0.9', '192.0.2.200'];
const targets = [
  at.vip, at.vip, at.vip, at.cluster, at.external, at.node, at.node, at.a1, at.b1, at.x,
  '10.200.9.9', '10.200.0.77', '10.64.9.1', '224.0.0.1',
];
const clients6 = [at.x6, at.a6, at.node6];
const targets6 = [at.vip6, at.vip6, at.node6, at.x6, at.b6];
const ports = [80, 80, 80, 8080, 30080, 53, 0, 65535, 40000, 40001, 50000, 57707, 61234];
const tcpFlags = ['S', 'S', 'A', 'A', 'SA', 'FA', 'R', 'RA', '', 'SFRPA', 'PA'];

// The fixture's Service over TCP, and the same fronts over UDP with the same endpoints.
function both(tcp: Rows, udp: Rows): Rows {
  return { ...tcp, fronts: [...tcp.fronts, ...udp.fronts] };
}

/** The service that traffic goes to; `maglev` changes how endpoints are found. */
export function site(maglev: boolean): Vector {
  const rows = both(service({ maglev }), service({ maglev, proto: 17 }));
  return { name: 'traffic', rows, steps: [] };
}

/** Programs of the object that run on packets. */
export const programs: readonly TcProgram[] = [
  'fl_uplink_in', 'fl_uplink_out', 'fl_from_pod', 'fl_to_pod',
];

/** The packet of a seed, one of a few hundred in a second. */
export function packetStep(seed: number, program: TcProgram): Omit<Step, 'verdict'> {
  const draws = new Draws(seed);
  return {
    program, device: program.endsWith('pod') ? 'pod' : 'uplink', packet: packetOf(draws),
    // Time goes on, and sometimes stands still.
    seconds: 1000 + Math.floor(seed / 3) * 0.25, draw: draws.below(2 ** 32),
  };
}

/** Few flows that come back: from clients to fronts, and from endpoints to where they were sent. */
function flowOf(draws: Draws): PacketFacts {
  const port = draws.pick([40_000, 50_000, 50_001, 61_000]);
  const isUdp = draws.below(3) === 0;
  const body = (ends: readonly [number, number]): Body => isUdp
    ? { kind: 'udp', ports: ends, payload: draws.bytes(8), unsummed: draws.below(5) === 0 }
    : { kind: 'tcp', ports: ends, flags: draws.pick(['S', 'S', 'A', 'A', 'SA', 'PA', 'FA', 'R']) };
  const client = draws.pick([at.x, at.y, at.p]);
  const endpoint = draws.pick([at.a1, at.b1, at.c1]);
  switch (draws.below(5)) {
    case 0: return { source: endpoint, target: at.node, body: body([8080, port]) };
    case 1: return { source: endpoint, target: client, body: body([8080, port]) };
    case 2: {
      const inner = { source: at.node, target: endpoint, body: body([port, 8080]) };
      const kind = { kind: 'icmp', type: 3, code: draws.pick([3, 4]), rest: 1400 } as const;
      return { source: at.router, target: at.node, body: { ...kind, payload: quoted(inner, 28) } };
    }
    default: {
      const front = draws.pick([[at.vip, 80], [at.cluster, 80], [at.node, 30_080]] as const);
      return { source: client, target: front[0], body: body([port, front[1]]) };
    }
  }
}

function packetOf(draws: Draws): Uint8Array {
  if (draws.below(2) === 0) {
    const whole = frame({ ttl: 64, ...flowOf(draws) });
    return draws.below(10) === 0 ? damaged(draws, whole) : whole;
  }
  const isIpv6 = draws.below(5) === 0;
  const source = draws.pick(isIpv6 ? clients6 : clients);
  const target = draws.pick(isIpv6 ? targets6 : targets);
  const facts: PacketFacts = {
    source, target, ttl: draws.pick([64, 64, 64, 64, 2, 1, 0, 255]), id: draws.below(4),
    body: bodyOf(draws, { source, target }),
    ...(draws.below(12) === 0 ? { fragment: fragmentOf(draws) } : {}),
    ...(draws.below(4) === 0 ? { dontFragment: true } : {}),
    ...(isIpv6 && draws.below(3) === 0 ? { extensions: extensionsOf(draws) } : {}),
  };
  return damaged(draws, frame(facts));
}

const { connect, sendmsg, recvmsg, getpeername, postBind, sockRelease } = layout.hook;
const hooks = [
  connect, connect, connect, sendmsg, sendmsg, recvmsg, recvmsg, getpeername, postBind, sockRelease,
];
const callTargets = [
  at.cluster, at.cluster, at.vip, at.external, at.node, '127.0.0.1', at.a1, at.b1, '10.200.9.9',
  '10.200.0.77', at.x, '0.0.0.0',
];

/** A socket call: few sockets in few namespaces, so that calls meet rows of earlier ones. */
export function callStep(seed: number): CallStep {
  const draws = new Draws(seed);
  const isIpv6 = draws.below(8) === 0;
  const record = layout.encodeCall({
    target: bytes(isIpv6 ? draws.pick(targets6) : draws.pick(callTargets)),
    source: bytes(draws.pick(['::', '::', at.p, at.h])),
    cookie: BigInt(70 + draws.below(6)), netns: BigInt(draws.pick([1, 1, 2, 2, 3])),
    targetPort: draws.pick([80, 80, 80, 30_080, 8080, 53, 81]), proto: draws.pick([6, 17, 17, 132]),
    hook: draws.pick(hooks), family: isIpv6 ? 6 : 4, outcome: 0,
  });
  return { record, seconds: 1000 + Math.floor(seed / 3) * 0.25, draw: draws.below(2 ** 32) };
}

function fragmentOf(draws: Draws): NonNullable<PacketFacts['fragment']> {
  return { offset: draws.pick([0, 0, 3, 185]), more: draws.below(2) === 0 };
}

function extensionsOf(draws: Draws): NonNullable<PacketFacts['extensions']> {
  const count = draws.pick([1, 1, 2, 6, 7, 9]);
  return Array.from({ length: count }, () => (
    [draws.pick([0, 43, 60, 60, 51]), [0, 0, 0, 0, 0, 0, 0]] as const
  ));
}

function bodyOf(
  draws: Draws, { source, target }: { readonly source: string; readonly target: string },
): Body {
  const pair = [draws.pick(ports), draws.pick(ports)] as const;
  const payload = draws.bytes(draws.pick([0, 0, 1, 8, 33, 200]));
  switch (draws.below(8)) {
    case 0:
    case 1: return { kind: 'udp', ports: pair, payload, unsummed: draws.below(4) === 0 };
    case 2: return { kind: 'sctp', ports: pair };
    case 3: {
      // An error about a packet that went the other way, or a question.
      const ends = { source: target, target: source };
      const inner = { ...ends, body: bodyOf(draws, ends) };
      const type = draws.pick([3, 3, 8, 11, 0, 128, 1, 2]);
      const rest = draws.pick([0, 1400, 0xffff]);
      const length = draws.pick([28, 48, 68, 200]);
      const quote = inner.body.kind === 'icmp' ? payload : quoted(inner, length);
      return { kind: 'icmp', type, code: draws.pick([0, 1, 3, 4]), rest, payload: quote };
    }
    case 4: return { kind: 'raw', proto: draws.pick([47, 50, 0, 255]), bytes: payload };
    default: return { kind: 'tcp', ports: pair, flags: draws.pick(tcpFlags), payload };
  }
}

// Most packets stay whole: a program that drops them all would agree with anything.
function damaged(draws: Draws, whole: Uint8Array): Uint8Array {
  switch (draws.below(12)) {
    case 0: {
      const flipped = whole.slice();
      flipped[14 + draws.below(whole.length - 14)]! ^= 1 << draws.below(8);
      return flipped;
    }
    case 1: return whole.slice(0, Math.max(54, draws.below(whole.length)));
    case 2: return Uint8Array.from([...whole, ...draws.bytes(9)]);
    case 3: {
      const changed = whole.slice();
      const place = 14 + draws.below(Math.min(40, whole.length - 14));
      changed[place] = draws.pick([0, 0xff, 0x80, 0x45, 0x6f]);
      return changed;
    }
    default: return whole;
  }
}
