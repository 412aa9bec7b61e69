import {
  bitsOf, familyOf, ipBytes, ipFromNumber, parsePrefix, type Family, type Ip, type Prefix,
} from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import type { ByteReader, ByteWriter } from './wire.ts';

/** Address family identifiers (RFC 4760); SAFI 1 is unicast. */
export const afiOf = { IPv4: 1, IPv6: 2 } as const;
export const unicast = 1;

/** The family of an AFI and SAFI, where it is one of the two unicast ones. */
export function familyOfAfi(afi: number, safi: number): Family | undefined {
  if (safi !== unicast) return undefined;
  if (afi === afiOf.IPv4) return 'IPv4';
  return afi === afiOf.IPv6 ? 'IPv6' : undefined;
}

/** Bytes of one prefix in a message: its length in bits, then as many octets as that needs. */
export function nlriLength(prefix: Prefix): number {
  return 1 + Math.ceil(Number(prefix.slice(prefix.indexOf('/') + 1)) / 8);
}

export function writePrefix(writer: ByteWriter, prefix: Prefix): void {
  const slash = prefix.indexOf('/');
  const bits = Number(prefix.slice(slash + 1));
  writer.u8(bits);
  writer.put(ipBytes(prefix.slice(0, slash) as Ip).subarray(0, Math.ceil(bits / 8)));
}

/**
 * Every prefix up to the end of the bytes; host bits are cleared, as RFC 4271 4.3 leaves them
 * irrelevant. Undefined: a length that is none, or bytes that end too early.
 */
export function readPrefixes(reader: ByteReader, family: Family): Prefix[] | undefined {
  const prefixes: Prefix[] = [];
  while (reader.left > 0) {
    const bits = reader.u8();
    if (bits > bitsOf(family)) return undefined;
    const octets = reader.take(Math.ceil(bits / 8));
    if (reader.short) return undefined;
    const prefix = prefixFrom(octets, bits, family);
    if (prefix !== undefined) prefixes.push(prefix);
  }
  return prefixes;
}

// oxlint-disable-next-line max-params -- octets, bits and family are the three fields of one NLRI
function prefixFrom(octets: Uint8Array, bits: number, family: Family): Prefix | undefined {
  const bytes = new Uint8Array(bitsOf(family) / 8);
  bytes.set(octets);
  let number = 0n;
  for (const byte of bytes) number = (number << 8n) | BigInt(byte);
  const parsed = parsePrefix(`${ipFromNumber(number, family)}/${bits}`);
  // A mapped IPv6 prefix has no canonical text here; no packet could follow it.
  return parsed.ok ? parsed.value.prefix : undefined;
}

/** Splits prefixes by family, each in the order given. */
export function byFamily(prefixes: readonly Prefix[]): Record<Family, Prefix[]> {
  const split: Record<Family, Prefix[]> = { IPv4: [], IPv6: [] };
  for (const prefix of prefixes) split[familyOf(prefix)].push(prefix);
  assert(split.IPv4.length + split.IPv6.length === prefixes.length, 'a prefix has one family');
  return split;
}
