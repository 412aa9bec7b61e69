import { word } from '../../l2/frames.ts';
import { familyOf, type Family, type Ip } from '../../lb/ip.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { readIp, writeIp, writeMac } from './address.ts';
import type { AddressTexts } from './addresstexts.ts';
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

/** A whole Ethernet II frame with all checksums right, without padding (RFC 894, RFC 2464). */
export function encodeFrame(packet: Packet, link: EthernetAddresses): Uint8Array {
  const family = familyOf(packet.target);
  const bytes = new Uint8Array(frameHeader + packetLength(packet));
  writeMac(bytes, 0, link.ethTarget);
  writeMac(bytes, 6, link.ethSource);
  putWord(bytes, 12, family === 'IPv4' ? etherTypes.ipv4 : etherTypes.ipv6);
  const from = frameHeader + writeIpHeader(bytes, packet);
  const wide = family === 'IPv6';
  const span: TransportSpan = {
    addresses: wide ? frameHeader + 8 : frameHeader + 12,
    addressLength: wide ? 16 : 4,
    from,
    to: bytes.length,
    protocolNumber: protocolNumberOf(packet.protocol, family),
  };
  writeTransport(bytes, packet, span);
  return bytes;
}

function writeIpHeader(bytes: Uint8Array, packet: Packet): 20 | 40 {
  const family = familyOf(packet.target);
  const protocol = protocolNumberOf(packet.protocol, family);
  if (family === 'IPv6') {
    bytes[frameHeader] = 0x60;
    putWord(bytes, frameHeader + 4, bytes.length - frameHeader - 40);
    bytes[frameHeader + 6] = protocol;
    bytes[frameHeader + 7] = packet.ttl;
    writeIp(bytes, frameHeader + 8, packet.source);
    writeIp(bytes, frameHeader + 24, packet.target);
    return 40;
  }
  bytes[frameHeader] = 0x45;
  putWord(bytes, frameHeader + 2, bytes.length - frameHeader);
  // Don't Fragment with identification 0, as Linux sends (RFC 6864 section 4.1).
  bytes[frameHeader + 6] = 0x40;
  bytes[frameHeader + 8] = packet.ttl;
  bytes[frameHeader + 9] = protocol;
  writeIp(bytes, frameHeader + 12, packet.source);
  writeIp(bytes, frameHeader + 16, packet.target);
  const header = { from: frameHeader, to: frameHeader + 20 };
  putWord(bytes, frameHeader + 10, foldChecksum(sumWords(0, bytes, header)));
  return 20;
}

function writeTransport(bytes: Uint8Array, packet: Packet, span: TransportSpan): void {
  if (packet.icmp !== undefined) {
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
    bytes.set(packet.payload, span.from + 20);
    putWord(bytes, span.from + 16, transportChecksum(bytes, span));
    return;
  }
  putWord(bytes, span.from + 4, span.to - span.from);
  bytes.set(packet.payload, span.from + 8);
  if (packet.unchecked === true && span.addressLength === 4) return;
  // A computed 0 is sent as all ones, because 0 says that there is no checksum (RFC 768).
  const checksum = transportChecksum(bytes, span);
  putWord(bytes, span.from + 6, checksum === 0 ? 0xffff : checksum);
}

/** Where a packet to be decoded lies, and whose texts its addresses become. */
interface PacketSpan extends TransportSpan {
  readonly texts: AddressTexts | undefined;
}

/** The IP packet in a frame of EtherType IPv4 or IPv6; IPv4 options are skipped. */
export function decodeFrame(
  bytes: Uint8Array, texts?: AddressTexts,
): Result<Packet, PacketFault> {
  if (bytes.length < frameHeader + 20) return err('malformed');
  const version = (bytes[frameHeader] ?? 0) >> 4;
  if (version === 4) return decodeIpv4(bytes, texts);
  if (version === 6) return decodeIpv6(bytes, texts);
  return err('malformed');
}

function decodeIpv4(
  bytes: Uint8Array, texts: AddressTexts | undefined,
): Result<Packet, PacketFault> {
  const headerLength = ((bytes[frameHeader] ?? 0) & 0x0f) * 4;
  const total = word(bytes, frameHeader + 2);
  if (headerLength < 20 || total < headerLength || frameHeader + total > bytes.length) {
    return err('malformed');
  }
  const header = { from: frameHeader, to: frameHeader + headerLength };
  if (foldChecksum(sumWords(0, bytes, header)) !== 0) return err('bad-checksum');
  if ((word(bytes, frameHeader + 6) & 0x3fff) !== 0) return err('fragment');
  return decodeTransport(bytes, bytes[frameHeader + 8] ?? 0, {
    addresses: frameHeader + 12,
    addressLength: 4,
    from: frameHeader + headerLength,
    to: frameHeader + total,
    protocolNumber: bytes[frameHeader + 9] ?? 0,
    texts,
  });
}

function decodeIpv6(
  bytes: Uint8Array, texts: AddressTexts | undefined,
): Result<Packet, PacketFault> {
  if (bytes.length < frameHeader + 40) return err('malformed');
  const to = frameHeader + 40 + word(bytes, frameHeader + 4);
  if (to > bytes.length) return err('malformed');
  return decodeTransport(bytes, bytes[frameHeader + 7] ?? 0, {
    addresses: frameHeader + 8,
    addressLength: 16,
    from: frameHeader + 40,
    to,
    protocolNumber: bytes[frameHeader + 6] ?? 0,
    texts,
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
  const { addresses, addressLength, texts } = span;
  const read = (at: number): Ip => (
    texts === undefined ? readIp(bytes, at, addressLength) : texts.read(bytes, at, addressLength)
  );
  const source = read(addresses);
  const target = read(addresses + addressLength);
  if (protocol === 'ICMP') return decodeIcmp(bytes, { source, target, ttl }, span);
  const tuple: PacketTuple = {
    source, target, protocol,
    sourcePort: word(bytes, span.from),
    targetPort: word(bytes, span.from + 2),
  };
  if (protocol === 'TCP') return decodeTcp(bytes, { ...tuple, ttl }, span);
  const to = span.from + word(bytes, span.from + 4);
  if (to > span.to || to < span.from + 8) return err('malformed');
  const payload = bytes.slice(span.from + 8, to);
  return ok(unchecked ? { ...tuple, ttl, payload, unchecked } : { ...tuple, ttl, payload });
}

function decodeTcp(
  bytes: Uint8Array, head: PacketTuple & { readonly ttl: number }, span: TransportSpan,
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
  const { source, target, protocol, sourcePort, targetPort, ttl } = head;
  return ok({ source, target, protocol, sourcePort, targetPort, ttl, tcp, payload });
}

function protocolOf(number: number, family: Family): PacketProtocol | undefined {
  if (number === 6) return 'TCP';
  if (number === 17) return 'UDP';
  return number === protocolNumberOf('ICMP', family) ? 'ICMP' : undefined;
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
  return word(bytes, offset) * 0x1_0000 + word(bytes, offset + 2);
}
