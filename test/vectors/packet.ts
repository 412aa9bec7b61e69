import { ipBytes, ip } from '../../lb/ip.ts';
import { macBytes } from '../../l2/frames.ts';

/** An Ethernet frame in words; every checksum is computed from scratch. */
export interface PacketFacts {
  readonly source: string;
  readonly target: string;
  readonly ttl?: number;
  /** `[target, source]`; by default the uplink's and its router's. */
  readonly macs?: readonly [string, string];
  readonly id?: number;
  /** Offset in units of 8 bytes. */
  readonly fragment?: { readonly offset: number; readonly more: boolean };
  /** Extension headers as [type, bytes after the next header field]. */
  readonly extensions?: readonly (readonly [number, readonly number[]])[];
  readonly dontFragment?: boolean;
  readonly body: Body;
}

export type Body =
  | TcpBody
  | { readonly kind: 'udp'; readonly ports: Ports; readonly payload?: Uint8Array;
      readonly unsummed?: boolean }
  | { readonly kind: 'icmp'; readonly type: number; readonly code?: number;
      readonly rest?: number; readonly payload: Uint8Array }
  | { readonly kind: 'sctp'; readonly ports: Ports }
  | { readonly kind: 'raw'; readonly proto: number; readonly bytes: Uint8Array };

export interface TcpBody {
  readonly kind: 'tcp';
  readonly ports: Ports;
  /** Of `S`, `A`, `F`, `R`. */
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly payload?: Uint8Array;
}

type Ports = readonly [source: number, target: number];

export const uplinkMac = '02:00:00:00:00:0a';
export const routerMac = '02:00:00:00:00:0c';

const protocols = { tcp: 6, udp: 17, sctp: 132 } as const;

/** The bytes of a frame. */
export function frame(facts: PacketFacts): Uint8Array {
  const six = facts.source.includes(':');
  const [to, from] = facts.macs ?? [uplinkMac, routerMac];
  const proto = protocolOf(facts.body, six);
  const l4 = bodyBytes(facts, proto);
  const network = six ? ipv6(facts, { proto, l4 }) : ipv4(facts, { proto, l4 });
  return joined(macBytes(to), macBytes(from), be16(six ? 0x86dd : 0x0800), network);
}

/** The packet without its Ethernet header, as ICMP errors quote it. */
export function quoted(facts: PacketFacts, bytes: number): Uint8Array {
  return frame(facts).subarray(14, 14 + bytes);
}

export function joined(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function be16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

export function be32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** RFC 1071, from scratch. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return 0xffff - sum;
}

function protocolOf(body: Body, six: boolean): number {
  if (body.kind === 'raw') return body.proto;
  if (body.kind === 'icmp') return six ? 58 : 1;
  return protocols[body.kind];
}

function bodyBytes({ source, target, body }: PacketFacts, proto: number): Uint8Array {
  const sum = (bytes: Uint8Array): number => checksum(joined(
    ipBytes(ip(source)), ipBytes(ip(target)), be32(bytes.length), be32(proto), bytes,
  ));
  switch (body.kind) {
    case 'raw': return body.bytes;
    case 'tcp': return tcp(body, sum);
    case 'udp': return udp(body, sum);
    case 'icmp': return icmp(body, source.includes(':') ? sum : checksum);
    case 'sctp': return joined(be16(body.ports[0]), be16(body.ports[1]), new Uint8Array(8));
  }
}

type Sum = (bytes: Uint8Array) => number;

function tcp(body: TcpBody, sum: Sum): Uint8Array {
  const { ports, flags, seq = 1, ack = 0, window = 512 } = body;
  const letters = 'FSRPA';
  const bits = letters.split('').reduce(
    (all, letter, bit) => all | (flags.includes(letter) ? 1 << bit : 0), 0,
  );
  const bytes = joined(
    be16(ports[0]), be16(ports[1]), be32(seq), be32(ack), [0x50, bits], be16(window), [0, 0, 0, 0],
    body.payload ?? [],
  );
  bytes.set(be16(sum(bytes)), 16);
  return bytes;
}

function udp(body: Extract<Body, { kind: 'udp' }>, sum: Sum): Uint8Array {
  const { ports, payload = Uint8Array.of(1, 2, 3, 4) } = body;
  const bytes = joined(
    be16(ports[0]), be16(ports[1]), be16(8 + payload.length), [0, 0], payload,
  );
  // A computed 0 is sent as all ones (RFC 768).
  if (body.unsummed !== true) bytes.set(be16(sum(bytes) || 0xffff), 6);
  return bytes;
}

function icmp(body: Extract<Body, { kind: 'icmp' }>, sum: Sum): Uint8Array {
  const bytes = joined([body.type, body.code ?? 0, 0, 0], be32(body.rest ?? 0), body.payload);
  bytes.set(be16(sum(bytes)), 2);
  return bytes;
}

interface Payload {
  readonly proto: number;
  readonly l4: Uint8Array;
}

function ipv4(facts: PacketFacts, { proto, l4 }: Payload): Uint8Array {
  const { fragment, ttl = 64, id = 0, dontFragment = true } = facts;
  const field = fragment === undefined
    ? (dontFragment ? 0x4000 : 0) : (fragment.more ? 0x2000 : 0) | fragment.offset;
  const header = joined(
    [0x45, 0], be16(20 + l4.length), be16(id), be16(field), [ttl, proto, 0, 0],
    ipBytes(ip(facts.source)), ipBytes(ip(facts.target)),
  );
  header.set(be16(checksum(header)), 10);
  return joined(header, l4);
}

function ipv6(facts: PacketFacts, { proto, l4 }: Payload): Uint8Array {
  const chain = facts.extensions ?? [];
  const types = [...chain.map(([type]) => type), proto];
  const extensions = chain.map(([, bytes], index) => [types[index + 1]!, ...bytes]);
  const length = extensions.reduce((sum, one) => sum + one.length, 0) + l4.length;
  return joined(
    [0x60, 0, 0, 0], be16(length), [types[0]!, facts.ttl ?? 64],
    ipBytes(ip(facts.source)), ipBytes(ip(facts.target)), ...extensions, l4,
  );
}
