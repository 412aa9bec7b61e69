import { word } from '../../l2/frames.ts';
import { familyOf, type Family, type Ip } from '../../lb/ip.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { readIp, writeIp } from './address.ts';
import type { AddressTexts } from './addresstexts.ts';
import type { FrameBytes } from './framebytes.ts';
import {
  foldChecksum, protocolNumberOf, sumWords, transportChecksum, type TransportSpan,
} from './checksum.ts';
import {
  noPayload, packetLength, type Packet, type PacketProtocol, type PacketTuple,
} from './packet.ts';
import { decodeIcmp, encodeIcmp } from './icmp.ts';

/** Why bytes are no packet that a host here can use. */
export type PacketFault = 'malformed' | 'bad-checksum' | 'fragment' | 'unsupported';

export const etherTypes = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;

export interface EthernetAddresses {
  readonly ethSource: string;
  readonly ethTarget: string;
}

const frameHeader = 14;

/**
 * Writes a packet as it stands behind the addresses of an Ethernet II frame that begins at `at`,
 * with all checksums right and without padding (RFC 894, RFC 2464). `ttl` takes the place of the
 * packet's own. Every byte from the EtherType on is written, whatever was there.
 */
export function writePacket(
  bytes: Uint8Array, at: number, { packet, ttl }: { packet: Packet; ttl: number },
): void {
  const header = at + frameHeader;
  const length = packetLength(packet);
  const wide = familyOf(packet.target) === 'IPv6';
  putWord(bytes, at + 12, wide ? etherTypes.ipv6 : etherTypes.ipv4);
  const protocolNumber = protocolNumberOf(packet.protocol, wide ? 'IPv6' : 'IPv4');
  const head = { header, length, ttl, protocolNumber };
  if (wide) writeIpv6Header(bytes, packet, head);
  else writeIpv4Header(bytes, packet, head);
  writeTransport(bytes, packet, {
    addresses: wide ? header + 8 : header + 12,
    addressLength: wide ? 16 : 4,
    from: header + (wide ? 40 : 20),
    to: header + length,
    protocolNumber,
  });
}

/** What an IP header says beside the addresses, and where it begins. */
interface IpHead {
  readonly header: number;
  /** Bytes of the whole packet. */
  readonly length: number;
  readonly ttl: number;
  readonly protocolNumber: number;
}

function writeIpv6Header(bytes: Uint8Array, packet: PacketTuple, head: IpHead): void {
  const { header } = head;
  bytes[header] = 0x60;
  bytes[header + 1] = 0;
  putWord(bytes, header + 2, 0);
  putWord(bytes, header + 4, head.length - 40);
  bytes[header + 6] = head.protocolNumber;
  bytes[header + 7] = head.ttl;
  writeIp(bytes, header + 8, packet.source);
  writeIp(bytes, header + 24, packet.target);
}

function writeIpv4Header(bytes: Uint8Array, packet: PacketTuple, head: IpHead): void {
  const { header } = head;
  bytes[header] = 0x45;
  bytes[header + 1] = 0;
  putWord(bytes, header + 2, head.length);
  // Don't Fragment with identification 0, as Linux sends (RFC 6864 section 4.1).
  putWord(bytes, header + 4, 0);
  putWord(bytes, header + 6, 0x4000);
  bytes[header + 8] = head.ttl;
  bytes[header + 9] = head.protocolNumber;
  putWord(bytes, header + 10, 0);
  writeIp(bytes, header + 12, packet.source);
  writeIp(bytes, header + 16, packet.target);
  const span = { from: header, to: header + 20 };
  putWord(bytes, header + 10, foldChecksum(sumWords(0, bytes, span)));
}

function writeTransport(bytes: Uint8Array, packet: Packet, span: TransportSpan): void {
  if (packet.icmp !== undefined) {
    bytes.fill(0, span.from, span.to);
    encodeIcmp(bytes, packet, span.from);
    putWord(bytes, span.from + 2, transportChecksum(bytes, span));
    return;
  }
  putWord(bytes, span.from, packet.sourcePort);
  putWord(bytes, span.from + 2, packet.targetPort);
  if (packet.tcp !== undefined) {
    putLong(bytes, span.from + 4, packet.tcp.seq);
    putLong(bytes, span.from + 8, packet.tcp.ack);
    bytes[span.from + 12] = 5 << 4;
    bytes[span.from + 13] = packet.tcp.flags;
    putWord(bytes, span.from + 14, 0xffff);
    putLong(bytes, span.from + 16, 0);
    putPayload(bytes, packet.payload, span.from + 20);
    putWord(bytes, span.from + 16, transportChecksum(bytes, span));
    return;
  }
  putWord(bytes, span.from + 4, span.to - span.from);
  putWord(bytes, span.from + 6, 0);
  putPayload(bytes, packet.payload, span.from + 8);
  if (packet.unchecked === true && span.addressLength === 4) return;
  // A computed 0 is sent as all ones, because 0 says that there is no checksum (RFC 768).
  const checksum = transportChecksum(bytes, span);
  putWord(bytes, span.from + 6, checksum === 0 ? 0xffff : checksum);
}

/** Where a packet to be decoded lies. */
interface PacketSpan extends TransportSpan {
  readonly options: DecodeOptions;
}

/** What the bytes of a packet do not tell. */
export interface DecodeOptions {
  /** Whose texts the addresses become. */
  readonly texts: AddressTexts | undefined;
  /** Of the packet; 0 for none. */
  readonly trail: number;
}

/** Where an IP packet begins, and where the frame around it ends. */
interface IpSpan {
  readonly header: number;
  readonly end: number;
  readonly options: DecodeOptions;
}

/** The IP packet in a frame of EtherType IPv4 or IPv6; IPv4 options are skipped. */
export function decodeFrame(
  { memory: { bytes }, at, length }: FrameBytes, options: DecodeOptions,
): Result<Packet, PacketFault> {
  if (length < frameHeader + 20) return err('malformed');
  const span = { header: at + frameHeader, end: at + length, options };
  const version = (bytes[span.header] ?? 0) >> 4;
  if (version === 4) return decodeIpv4(bytes, span);
  if (version === 6) return decodeIpv6(bytes, span);
  return err('malformed');
}

function decodeIpv4(bytes: Uint8Array, span: IpSpan): Result<Packet, PacketFault> {
  const { header, end, options } = span;
  const headerLength = ((bytes[header] ?? 0) & 0x0f) * 4;
  const total = word(bytes, header + 2);
  if (headerLength < 20 || total < headerLength || header + total > end) return err('malformed');
  const checked = { from: header, to: header + headerLength };
  if (foldChecksum(sumWords(0, bytes, checked)) !== 0) return err('bad-checksum');
  if ((word(bytes, header + 6) & 0x3fff) !== 0) return err('fragment');
  return decodeTransport(bytes, bytes[header + 8] ?? 0, {
    addresses: header + 12,
    addressLength: 4,
    from: header + headerLength,
    to: header + total,
    protocolNumber: bytes[header + 9] ?? 0,
    options,
  });
}

function decodeIpv6(bytes: Uint8Array, span: IpSpan): Result<Packet, PacketFault> {
  const { header, end, options } = span;
  if (header + 40 > end) return err('malformed');
  const to = header + 40 + word(bytes, header + 4);
  if (to > end) return err('malformed');
  return decodeTransport(bytes, bytes[header + 7] ?? 0, {
    addresses: header + 8,
    addressLength: 16,
    from: header + 40,
    to,
    protocolNumber: bytes[header + 6] ?? 0,
    options,
  });
}

function decodeTransport(
  bytes: Uint8Array, ttl: number, span: PacketSpan,
): Result<Packet, PacketFault> {
  const protocol = protocolOf(span.protocolNumber, span.addressLength === 4 ? 'IPv4' : 'IPv6');
  if (protocol === undefined) return err('unsupported');
  const length = span.to - span.from;
  if (length < (protocol === 'TCP' ? 20 : 8)) return err('malformed');
  const datagram4 = protocol === 'UDP' && span.addressLength === 4;
  const unchecked = datagram4 && word(bytes, span.from + 6) === 0;
  if (!unchecked && transportChecksum(bytes, span) !== 0) return err('bad-checksum');
  const source = addressAt(bytes, span.addresses, span);
  const target = addressAt(bytes, span.addresses + span.addressLength, span);
  switch (protocol) {
    case 'ICMP': {
      const decoded = decodeIcmp(bytes, { source, target, ttl }, span);
      return decoded.ok ? ok(trailed(decoded.value, span.options.trail)) : decoded;
    }
    case 'UDP': return decodeUdp(bytes, { source, target, ttl, unchecked }, span);
    case 'TCP': return decodeTcp(bytes, { source, target, ttl }, span);
  }
}

function addressAt(bytes: Uint8Array, at: number, { addressLength, options }: PacketSpan): Ip {
  const { texts } = options;
  if (texts === undefined) return readIp(bytes, at, addressLength);
  return texts.read(bytes, at, addressLength);
}

function trailed(packet: Packet, trail: number): Packet {
  return trail === 0 ? packet : { ...packet, trail };
}

interface IpEnds {
  readonly source: Ip;
  readonly target: Ip;
  readonly ttl: number;
}

function decodeUdp(
  bytes: Uint8Array, ends: IpEnds & { readonly unchecked: boolean }, span: PacketSpan,
): Result<Packet, PacketFault> {
  const { source, target, ttl, unchecked } = ends;
  const to = span.from + word(bytes, span.from + 4);
  if (to > span.to || to < span.from + 8) return err('malformed');
  const packet: Packet = {
    source, target, protocol: 'UDP',
    sourcePort: word(bytes, span.from), targetPort: word(bytes, span.from + 2),
    ttl, payload: bytes.slice(span.from + 8, to),
  };
  return ok(trailed(unchecked ? { ...packet, unchecked } : packet, span.options.trail));
}

function decodeTcp(
  bytes: Uint8Array, { source, target, ttl }: IpEnds, span: PacketSpan,
): Result<Packet, PacketFault> {
  const headerLength = ((bytes[span.from + 12] ?? 0) >> 4) * 4;
  if (headerLength < 20 || span.from + headerLength > span.to) return err('malformed');
  const tcp = {
    seq: long(bytes, span.from + 4),
    ack: long(bytes, span.from + 8),
    flags: (bytes[span.from + 13] ?? 0) & 0x3f,
  };
  const from = span.from + headerLength;
  const payload = from === span.to ? noPayload : bytes.slice(from, span.to);
  const sourcePort = word(bytes, span.from);
  const targetPort = word(bytes, span.from + 2);
  const { trail } = span.options;
  // In the order in which a connection makes them, so that packets of both are alike.
  const protocol = 'TCP';
  return ok(trail === 0
    ? { source, target, protocol, sourcePort, targetPort, ttl, payload, tcp }
    : { source, target, protocol, sourcePort, targetPort, ttl, payload, tcp, trail });
}

function protocolOf(number: number, family: Family): PacketProtocol | undefined {
  if (number === 6) return 'TCP';
  if (number === 17) return 'UDP';
  return number === protocolNumberOf('ICMP', family) ? 'ICMP' : undefined;
}

// Mostly a few bytes, which a loop has written before a call has begun.
function putPayload(bytes: Uint8Array, payload: Uint8Array, at: number): void {
  for (let index = 0; index < payload.length; index += 1) bytes[at + index] = payload[index] ?? 0;
}

// Views of the same bytes cost more than the few fields that are read through them.
function putWord(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

function putLong(bytes: Uint8Array, offset: number, value: number): void {
  putWord(bytes, offset, value >>> 16);
  putWord(bytes, offset + 2, value);
}

function long(bytes: Uint8Array, offset: number): number {
  return ((word(bytes, offset) << 16) | word(bytes, offset + 2)) >>> 0;
}
