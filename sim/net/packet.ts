import { familyOf, type Ip } from '../../lb/ip.ts';

export type PacketProtocol = 'TCP' | 'UDP' | 'ICMP';

/** Bits of the TCP flags byte (RFC 9293 section 3.1). */
export const tcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export interface TcpHeader {
  /** Unsigned 32-bit. */
  readonly seq: number;
  /** Unsigned 32-bit; 0 without the ACK flag. */
  readonly ack: number;
  readonly flags: number;
}

/** What names one direction of a flow. Ports are 0 for ICMP. */
export interface PacketTuple {
  readonly source: Ip;
  readonly target: Ip;
  readonly protocol: PacketProtocol;
  readonly sourcePort: number;
  readonly targetPort: number;
}

/** Why an ICMP error says that a target cannot be reached, alike in both families. */
export type UnreachableCause = 'network' | 'host' | 'port' | 'prohibited';

/** ICMP and ICMPv6 as far as hosts here need them (RFC 792, RFC 1191, RFC 4443). */
export type IcmpMessage =
  | { readonly kind: 'echo-request' | 'echo-reply'; readonly id: number; readonly sequence: number }
  | {
      readonly kind: 'unreachable';
      readonly cause: UnreachableCause;
      readonly quoted: PacketTuple;
    }
  | { readonly kind: 'time-exceeded'; readonly quoted: PacketTuple }
  | { readonly kind: 'too-big'; readonly mtuBytes: number; readonly quoted: PacketTuple };

/**
 * One IP packet, decoded. Fields that no host here judges (DSCP, identification, window, options)
 * are not kept; whoever needs them works on the bytes of the frame.
 */
export interface Packet extends PacketTuple {
  /** TTL or hop limit. */
  readonly ttl: number;
  /** Present exactly for TCP. */
  readonly tcp?: TcpHeader;
  /** Present exactly for ICMP. */
  readonly icmp?: IcmpMessage;
  readonly payload: Uint8Array;
  /** An IPv4 UDP packet without checksum, which translation has to leave so (RFC 768). */
  readonly unchecked?: boolean;
  /**
   * Number of the request that it serves, for the tap alone: no bytes, no influence on any verdict.
   * Whoever rewrites or answers a packet copies it.
   */
  readonly trail?: number;
}

/** An empty payload, shared. */
export const noPayload: Uint8Array = new Uint8Array(0);

/** Bytes of the IP packet on the wire, without the Ethernet header. */
export function packetLength(packet: Packet): number {
  const header = familyOf(packet.target) === 'IPv4' ? 20 : 40;
  return header + transportLength(packet);
}

/** Bytes of transport header and payload. */
export function transportLength(packet: Packet): number {
  if (packet.protocol === 'TCP') return 20 + packet.payload.length;
  if (packet.icmp === undefined) return 8 + packet.payload.length;
  if (packet.icmp.kind.startsWith('echo')) return 8 + packet.payload.length;
  return 8 + (familyOf(packet.target) === 'IPv4' ? 28 : 48);
}

/** The tuple alone, as ICMP errors quote it. */
export function tupleOf(packet: PacketTuple): PacketTuple {
  const { source, target, protocol, sourcePort, targetPort } = packet;
  return { source, target, protocol, sourcePort, targetPort };
}

/** The packet `hops` hops further. */
export function agedPacket(packet: Packet, hops: number): Packet {
  const { tcp, trail } = packet;
  const ttl = packet.ttl - hops;
  if (tcp === undefined || trail === undefined) return { ...packet, ttl };
  // By far most packets are these, and alike when they are made in this order.
  const { source, target, protocol, sourcePort, targetPort, payload } = packet;
  return { source, target, protocol, sourcePort, targetPort, ttl, payload, tcp, trail };
}

/** `TCP 10.0.0.9:40000 → 192.0.2.1:80 [SYN]`, for people. */
export function describePacket(packet: Packet): string {
  const ends =
    `${end(packet.source, packet.sourcePort)} → ${end(packet.target, packet.targetPort)}`;
  if (packet.icmp !== undefined) {
    return `ICMP ${packet.source} → ${packet.target} [${packet.icmp.kind}]`;
  }
  if (packet.tcp === undefined) return `UDP ${ends}`;
  const { flags } = packet.tcp;
  const names = [
    flags & tcpFlag.syn ? 'SYN' : '', flags & tcpFlag.fin ? 'FIN' : '',
    flags & tcpFlag.rst ? 'RST' : '', flags & tcpFlag.ack ? 'ACK' : '',
    packet.payload.length > 0 ? `${packet.payload.length} B` : '',
  ].filter((name) => name !== '');
  return `TCP ${ends} [${names.join(' ')}]`;
}

function end(address: Ip, port: number): string {
  return familyOf(address) === 'IPv4' ? `${address}:${port}` : `[${address}]:${port}`;
}

/** ASCII text as a payload. */
export function payloadOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index);
  return bytes;
}

/** The reverse of `payloadOf`. */
export function textOf(payload: Uint8Array): string {
  let text = '';
  for (const byte of payload) text += String.fromCharCode(byte);
  return text;
}
