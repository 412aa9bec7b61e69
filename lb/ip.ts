import ipaddr from 'ipaddr.js';
import { ipv6Bytes, ipv6Text } from './ipv6.ts';
import { assert, err, ok, type Brand, type Result } from './result.ts';

/**
 * An address in canonical text (dotted decimal, or RFC 5952): equal strings are equal addresses.
 */
export type Ip = Brand<string, 'Ip'>;
/** A prefix in canonical text with all host bits zero, `192.0.2.0/24` or `2001:db8::/32`. */
export type Prefix = Brand<string, 'Prefix'>;
export type Family = 'IPv4' | 'IPv6';

export type AddressError =
  | { readonly kind: 'syntax'; readonly text: string }
  | { readonly kind: 'zoned'; readonly text: string }
  | { readonly kind: 'mapped'; readonly text: string }
  | { readonly kind: 'prefix-length'; readonly text: string };

// ipaddr.js reads `010.0.0.1` as octal and `1` as 0.0.0.1, so the text is judged here first.
const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const dotted = new RegExp(`^${octet}(?:\\.${octet}){3}$`, 'u');

/**
 * One address, or why the text is none: leading zeros, zones and IPv4-mapped IPv6 are refused,
 * the last because its family is ambiguous (lb-ipam.md 2.1).
 */
export function parseIp(text: string): Result<Ip, AddressError> {
  if (dotted.test(text)) return ok(text as Ip);
  if (text.includes('%')) return err({ kind: 'zoned', text });
  if (!text.includes(':') || !ipaddr.IPv6.isValid(text)) return err({ kind: 'syntax', text });
  // It takes `::010.0.0.1` too.
  const tail = text.slice(text.lastIndexOf(':') + 1);
  if (tail.includes('.') && !dotted.test(tail)) return err({ kind: 'syntax', text });
  const parsed = ipaddr.IPv6.parse(text);
  if (parsed.isIPv4MappedAddress()) return err({ kind: 'mapped', text });
  return ok(ipv6Text(Uint8Array.from(parsed.toByteArray()), 0) as Ip);
}

/**
 * As `parseIp`, but `::ffff:a.b.c.d` means the IPv4 address, as L2 and the datapath read it (l2.md
 * 1).
 */
export function parseIpUnmapped(text: string): Result<Ip, AddressError> {
  const parsed = parseIp(text);
  if (parsed.ok || parsed.error.kind !== 'mapped') return parsed;
  return ok(ipaddr.IPv6.parse(text).toIPv4Address().toString() as Ip);
}

/** An address that the code itself wrote; a text that is none is a bug. */
export function ip(text: string): Ip {
  const parsed = parseIp(text);
  assert(parsed.ok, `${text} is an address`);
  return parsed.value;
}

export function familyOf(address: Ip | Prefix): Family {
  // The first four digits end at a colon or before that at a dot: frames and maps ask for it all
  // the time, and to search the text is a call.
  for (let index = 0; index < 5; index += 1) {
    if (address.charCodeAt(index) === 0x3a) return 'IPv6';
  }
  return 'IPv4';
}

export function bitsOf(family: Family): 32 | 128 {
  return family === 'IPv4' ? 32 : 128;
}

/** The address as 4 or 16 bytes in network order. */
export function ipBytes(address: Ip): Uint8Array {
  if (familyOf(address) === 'IPv6') return ipv6Bytes(address);
  const bytes = new Uint8Array(4);
  const number = ipv4Number(address);
  bytes[0] = number >>> 24;
  bytes[1] = number >>> 16;
  bytes[2] = number >>> 8;
  bytes[3] = number;
  return bytes;
}

/** An IPv4 address as an unsigned 32-bit integer. */
export function ipv4Number(address: Ip): number {
  // Canonical text has nothing but digits and three dots; frames and maps ask for it all the time.
  let [number, byte] = [0, 0];
  for (let index = 0; index < address.length; index += 1) {
    const digit = address.charCodeAt(index) - 0x30;
    if (digit < 0) {
      number = (number << 8) | byte;
      byte = 0;
    } else {
      byte = byte * 10 + digit;
    }
  }
  return ((number << 8) | byte) >>> 0;
}

/** The address as 16 bytes, IPv4 as `::ffff:a.b.c.d` (datapath.md 7). */
export function ipBytes16(address: Ip): Uint8Array {
  const bytes = ipBytes(address);
  if (bytes.length === 16) return bytes;
  const mapped = new Uint8Array(16);
  mapped[10] = 0xff;
  mapped[11] = 0xff;
  mapped.set(bytes, 12);
  return mapped;
}

/** The reverse of `ipBytes` and of `ipBytes16`: 16 mapped bytes give the IPv4 address. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  assert(bytes.length === 4 || bytes.length === 16, `${bytes.length} bytes make an address`);
  return bytes.length === 4 ? ipv4At(bytes, 0) : ipAt(bytes, 0);
}

/** The address in 16 bytes at an offset, where a mapped one is the IPv4 address. */
export function ipAt(bytes: Uint8Array, offset: number): Ip {
  for (let index = 0; index < 12; index += 1) {
    if (bytes[offset + index] !== (index < 10 ? 0 : 0xff)) return ipv6Text(bytes, offset) as Ip;
  }
  return ipv4At(bytes, offset + 12);
}

/** The IPv4 address in four bytes at an offset, without a copy of them. */
export function ipv4At(bytes: Uint8Array, offset: number): Ip {
  const [first, second] = [bytes[offset], bytes[offset + 1]];
  return `${first}.${second}.${bytes[offset + 2]}.${bytes[offset + 3]}` as Ip;
}

/** The IPv4 address in four bytes at an offset as an unsigned integer. */
export function ipv4NumberAt(bytes: Uint8Array, offset: number): number {
  const [second, third] = [bytes[offset + 1] ?? 0, bytes[offset + 2] ?? 0];
  const low = (second << 16) | (third << 8) | (bytes[offset + 3] ?? 0);
  return (bytes[offset] ?? 0) * 0x100_0000 + low;
}

/** The address as an unsigned integer of 32 or 128 bits. */
export function ipNumber(address: Ip): bigint {
  let number = 0n;
  for (const byte of ipBytes(address)) number = (number << 8n) | BigInt(byte);
  return number;
}

export function ipFromNumber(number: bigint, family: Family): Ip {
  assert(number >= 0n && number < 1n << BigInt(bitsOf(family)), `${number} fits ${family}`);
  const bytes = new Uint8Array(bitsOf(family) / 8);
  let rest = number;
  for (let index = bytes.length - 1; index >= 0; index -= 1) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return ipFromBytes16OrV4(bytes, family);
}

// A number in ::ffff:0:0/96 stays IPv6 here: the caller named the family.
function ipFromBytes16OrV4(bytes: Uint8Array, family: Family): Ip {
  if (family === 'IPv4') return bytes.join('.') as Ip;
  return ipv6Text(bytes, 0) as Ip;
}

/** Total order: IPv4 before IPv6, then by value. */
export function compareIp(left: Ip, right: Ip): number {
  if (left === right) return 0;
  const families = bitsOf(familyOf(left)) - bitsOf(familyOf(right));
  if (families !== 0) return families;
  if (familyOf(left) === 'IPv4') return ipv4Number(left) - ipv4Number(right);
  const a = ipBytes(left);
  const b = ipBytes(right);
  for (let index = 0; index < a.length; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export interface PrefixParts {
  readonly prefix: Prefix;
  readonly family: Family;
  /** First and last address as integers, inclusive. */
  readonly first: bigint;
  readonly last: bigint;
  readonly prefixBits: number;
  /** True when the text had host bits set, which are cleared. */
  readonly hostBits: boolean;
}

/** `ADDRESS/BITS` with host bits cleared, and whether there were any. */
export function parsePrefix(text: string): Result<PrefixParts, AddressError> {
  const slash = text.indexOf('/');
  if (slash < 0) return err({ kind: 'prefix-length', text });
  const address = parseIp(text.slice(0, slash));
  if (!address.ok) return address;
  const family = familyOf(address.value);
  const length = text.slice(slash + 1);
  const prefixBits = Number(length);
  if (!/^(?:0|[1-9][0-9]{0,2})$/u.test(length) || prefixBits > bitsOf(family)) {
    return err({ kind: 'prefix-length', text });
  }
  const number = ipNumber(address.value);
  const size = 1n << BigInt(bitsOf(family) - prefixBits);
  const first = number - (number % size);
  const prefix = `${ipFromNumber(first, family)}/${prefixBits}` as Prefix;
  return ok({
    prefix,
    family,
    first,
    last: first + size - 1n,
    prefixBits,
    hostBits: first !== number,
  });
}

/** True when `address` lies in `prefix`; never across families. */
export function prefixContains(prefix: PrefixParts, address: Ip): boolean {
  if (familyOf(address) !== prefix.family) return false;
  const number = ipNumber(address);
  return number >= prefix.first && number <= prefix.last;
}
