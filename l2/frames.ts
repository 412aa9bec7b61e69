import { familyOf, ip, ipBytes, ipFromBytes, ipv4At, type Ip } from '../lb/ip.ts';
import { assert } from '../lb/result.ts';

/** Ethernet's all-ones address. */
export const broadcastMac = 'ff:ff:ff:ff:ff:ff';
/** The unknown hardware address of an ARP request (RFC 5227 section 2.3). */
export const zeroMac = '00:00:00:00:00:00';
/** All nodes of a link, ff02::1 (RFC 4291 section 2.7.1). */
export const allNodes = ip('ff02::1');

export const etherTypeArp = 0x0806;
export const etherTypeIpv6 = 0x86dd;

/** An ARP frame of Ethernet and IPv4 (RFC 826); MACs as `02:00:00:00:00:0a`. */
export interface ArpFrame {
  readonly kind: 'arp';
  readonly ethSource: string;
  readonly ethTarget: string;
  /** 1 asks, 2 answers. */
  readonly opcode: 1 | 2;
  readonly senderMac: string;
  /** `0.0.0.0` in a probe (RFC 5227 section 2.1.1). */
  readonly senderIp: Ip;
  readonly targetMac: string;
  readonly targetIp: Ip;
}

/** A Neighbor Solicitation or Advertisement (RFC 4861 sections 4.3 and 4.4). */
export interface NdpFrame {
  readonly kind: 'solicitation' | 'advertisement';
  readonly ethSource: string;
  readonly ethTarget: string;
  readonly source: Ip;
  readonly destination: Ip;
  readonly target: Ip;
  /** Source option of a solicitation, Target option of an advertisement. */
  readonly linkLayer: string | undefined;
  /** Flags R, S and O of an advertisement; false in a solicitation. */
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  readonly hopLimit: number;
}

/** 42 bytes, without padding (l2.md 9.1). */
export function encodeArp(frame: ArpFrame): Uint8Array {
  const bytes = new Uint8Array(42);
  bytes.set(macBytes(frame.ethTarget), 0);
  bytes.set(macBytes(frame.ethSource), 6);
  bytes.set([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, frame.opcode], 12);
  bytes.set(macBytes(frame.senderMac), 22);
  bytes.set(ipBytes(frame.senderIp), 28);
  bytes.set(macBytes(frame.targetMac), 32);
  bytes.set(ipBytes(frame.targetIp), 38);
  return bytes;
}

/**
 * The opcode of an untagged ARP request or reply of Ethernet and IPv4; undefined for all else.
 * Every node of a segment hears every announcement, so most frames are judged by this and one
 * address.
 */
export function arpOpcode(bytes: Uint8Array): 1 | 2 | undefined {
  if (bytes.length < 42 || word(bytes, 12) !== etherTypeArp) return undefined;
  if (word(bytes, 14) !== 1 || word(bytes, 16) !== 0x0800 || word(bytes, 18) !== 0x0604) {
    return undefined;
  }
  const opcode = word(bytes, 20);
  return opcode === 1 || opcode === 2 ? opcode : undefined;
}

/** Where the addresses of an ARP frame stand (RFC 826, Ethernet and IPv4). */
export const arpOffsets = { senderMac: 22, senderIp: 28, targetMac: 32, targetIp: 38 };

/** Undefined for what has no `arpOpcode`. */
export function decodeArp(bytes: Uint8Array): ArpFrame | undefined {
  const opcode = arpOpcode(bytes);
  if (opcode === undefined) return undefined;
  return {
    kind: 'arp',
    ethSource: macText(bytes, 6),
    ethTarget: macText(bytes, 0),
    opcode,
    senderMac: macText(bytes, arpOffsets.senderMac),
    senderIp: ipv4At(bytes, arpOffsets.senderIp),
    targetMac: macText(bytes, arpOffsets.targetMac),
    targetIp: ipv4At(bytes, arpOffsets.targetIp),
  };
}

/** Checksum computed; a link-layer option where `linkLayer` is given (86 bytes, else 78). */
export function encodeNdp(frame: NdpFrame): Uint8Array {
  const solicitation = frame.kind === 'solicitation';
  const payload = frame.linkLayer === undefined ? 24 : 32;
  const bytes = new Uint8Array(54 + payload);
  bytes.set(macBytes(frame.ethTarget), 0);
  bytes.set(macBytes(frame.ethSource), 6);
  bytes.set([0x86, 0xdd, 0x60, 0, 0, 0, 0, payload, 58, frame.hopLimit], 12);
  bytes.set(ipBytes(frame.source), 22);
  bytes.set(ipBytes(frame.destination), 38);
  bytes[54] = solicitation ? 135 : 136;
  const solicited = frame.solicited ? 0x40 : 0;
  bytes[58] = (frame.router ? 0x80 : 0) | solicited | (frame.override ? 0x20 : 0);
  bytes.set(ipBytes(frame.target), 62);
  if (frame.linkLayer !== undefined) {
    bytes.set([solicitation ? 1 : 2, 1], 78);
    bytes.set(macBytes(frame.linkLayer), 80);
  }
  const checksum = icmpv6Checksum(bytes);
  bytes[56] = checksum >> 8;
  bytes[57] = checksum & 0xff;
  return bytes;
}

/**
 * Undefined for anything but an untagged, checksummed solicitation or advertisement with sound
 * options directly after the fixed header. The hop limit is reported, not judged.
 */
export function decodeNdp(bytes: Uint8Array): NdpFrame | undefined {
  if (bytes.length < 78 || word(bytes, 12) !== etherTypeIpv6 || (bytes[14] ?? 0) >> 4 !== 6) {
    return undefined;
  }
  const type = bytes[54];
  if (bytes[20] !== 58 || (type !== 135 && type !== 136) || bytes[55] !== 0) return undefined;
  const payload = word(bytes, 18);
  if (payload < 24 || 54 + payload > bytes.length || icmpv6Sum(bytes) !== 0xffff) return undefined;
  const options = ndpOptions(bytes);
  if (options === undefined) return undefined;
  const flags = type === 136 ? (bytes[58] ?? 0) : 0;
  return {
    kind: type === 135 ? 'solicitation' : 'advertisement',
    ethSource: macText(bytes, 6),
    ethTarget: macText(bytes, 0),
    source: ipv6At(bytes, 22),
    destination: ipv6At(bytes, 38),
    target: ipv6At(bytes, 62),
    linkLayer: type === 135 ? options.source : options.target,
    router: (flags & 0x80) !== 0,
    solicited: (flags & 0x40) !== 0,
    override: (flags & 0x20) !== 0,
    hopLimit: bytes[21] ?? 0,
  };
}

export interface NdpOptions {
  readonly count: number;
  readonly source: string | undefined;
  readonly target: string | undefined;
}

/** Options by RFC 4861 section 4.6; undefined when one has no length or no room. */
export function ndpOptions(bytes: Uint8Array): NdpOptions | undefined {
  const end = 54 + word(bytes, 18);
  let count = 0;
  let source: string | undefined;
  let target: string | undefined;
  for (let offset = 78; offset < end; count += 1) {
    const length = (bytes[offset + 1] ?? 0) * 8;
    if (offset + 2 > end || length === 0 || offset + length > end) return undefined;
    if (bytes[offset] === 1) source ??= macText(bytes, offset + 2);
    if (bytes[offset] === 2) target ??= macText(bytes, offset + 2);
    offset += length;
  }
  return { count, source, target };
}

/** ff02::1:ffXX:XXXX of an IPv6 address (RFC 4291 section 2.7.1). */
export function solicitedNodeGroup(address: Ip): Ip {
  assert(familyOf(address) === 'IPv6', `${address} is an IPv6 address`);
  const bytes = ipBytes(allNodes);
  bytes.set([1, 0xff, ...ipBytes(address).subarray(13)], 11);
  return ipFromBytes(bytes);
}

/** The Ethernet group of an IPv6 multicast address (RFC 2464 section 7). */
export function groupMac(group: Ip): string {
  return macText(Uint8Array.from([0x33, 0x33, ...ipBytes(group).subarray(12)]), 0);
}

/** Six bytes of `02:00:00:00:00:0a`. */
export function macBytes(mac: string): Uint8Array {
  assert(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/u.test(mac), `${mac} is a MAC address`);
  const bytes = new Uint8Array(6);
  for (let index = 0; index < 6; index += 1) {
    const high = hexDigit(mac.charCodeAt(3 * index));
    bytes[index] = (high << 4) | hexDigit(mac.charCodeAt(3 * index + 1));
  }
  return bytes;
}

// `0`-`9` are 48 to 57, `a`-`f` 97 to 102.
function hexDigit(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}

/** The MAC address at an offset that holds six bytes. */
export function macText(bytes: Uint8Array, offset: number): string {
  let text = '';
  for (let index = offset; index < offset + 6; index += 1) {
    const octet = (bytes[index] ?? 0).toString(16);
    text += `${text === '' ? '' : ':'}${octet.length === 1 ? '0' : ''}${octet}`;
  }
  return text;
}

/** Whether the six bytes at an offset are that MAC address; most differ in the last byte. */
export function macIs(bytes: Uint8Array, offset: number, mac: string): boolean {
  for (let index = 5; index >= 0; index -= 1) {
    const high = hexDigit(mac.charCodeAt(3 * index));
    if (bytes[offset + index] !== ((high << 4) | hexDigit(mac.charCodeAt(3 * index + 1)))) {
      return false;
    }
  }
  return true;
}

/** The unsigned 16-bit integer in network order at an offset. */
export function word(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

/** One's complement sum over pseudo-header and message; 0xffff: the checksum is right. */
export function icmpv6Sum(bytes: Uint8Array): number {
  const payload = word(bytes, 18);
  let sum = payload + 58;
  for (let offset = 22; offset < 54 + payload; offset += 2) {
    const last = offset + 1 === 54 + payload;
    sum += last ? (bytes[offset] ?? 0) << 8 : word(bytes, offset);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** The checksum of a message whose checksum field is zero (RFC 4443 section 2.3). */
export function icmpv6Checksum(bytes: Uint8Array): number {
  return 0xffff - icmpv6Sum(bytes);
}

/** The IPv6 address at an offset. */
function ipv6At(bytes: Uint8Array, offset: number): Ip {
  return ipFromBytes(bytes.subarray(offset, offset + 16));
}
