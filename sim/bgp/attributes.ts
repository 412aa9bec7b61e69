import type { LargeCommunity } from '../../bgp/port.ts';
import { familyOf, ipBytes, ipFromBytes, ipv4At, type Family, type Ip, type Prefix } from
  '../../lb/ip.ts';
import { asTrans } from './open.ts';
import type { AsSegment, PathAttributes } from './message.ts';
import { afiOf, familyOfAfi, readPrefixes, unicast, writePrefix } from './nlri.ts';
import { ByteReader, type ByteWriter } from './wire.ts';

/** Type codes: RFC 4271 5.1, RFC 1997, RFC 4760, RFC 6793, RFC 8092. */
export const attributeCode = {
  origin: 1, asPath: 2, nextHop: 3, med: 4, localPref: 5, atomicAggregate: 6, aggregator: 7,
  communities: 8, mpReach: 14, mpUnreach: 15, as4Path: 17, as4Aggregator: 18, large: 32,
} as const;
const flag = { optional: 0x80, transitive: 0x40, extended: 0x10 } as const;
const segmentKinds = ['set', 'sequence'] as const;
const origins = ['igp', 'egp', 'incomplete'] as const;

/** How AS numbers travel on a session, and where it leads. */
export interface AttributeContext {
  /** Both sides have the four-octet capability (RFC 6793). */
  readonly asn4: boolean;
  /** Between different systems; LOCAL_PREF is not sent there and not believed from there. */
  readonly external: boolean;
}

// oxlint-disable-next-line max-params -- flags, code and body are the three fields of one attribute
function put(writer: ByteWriter, flags: number, code: number, body: () => void): void {
  writer.u8(flags | flag.extended);
  writer.u8(code);
  writer.sized(16, body);
}

/** Everything but reachability and next hop, ascending by type as RFC 4271 5 recommends. */
export function writeAttributes(
  writer: ByteWriter,
  attributes: PathAttributes,
  reach: { readonly context: AttributeContext; readonly nextHop4: Ip | undefined },
): void {
  const { context, nextHop4 } = reach;
  put(writer, flag.transitive, attributeCode.origin, () =>
    writer.u8(origins.indexOf(attributes.origin)));
  put(writer, flag.transitive, attributeCode.asPath, () =>
    writePath(writer, attributes.asPath, context.asn4));
  if (nextHop4 !== undefined) {
    put(writer, flag.transitive, attributeCode.nextHop, () => writer.put(ipBytes(nextHop4)));
  }
  const { med, localPref, communities, large } = attributes;
  if (med !== undefined)
    put(writer, flag.optional, attributeCode.med, () => writer.u32(med));
  if (localPref !== undefined && !context.external)
    put(writer, flag.transitive, attributeCode.localPref, () => writer.u32(localPref));
  if (communities.length > 0) {
    put(writer, flag.optional | flag.transitive, attributeCode.communities, () => {
      for (const community of communities) writer.u32(community);
    });
  }
  const wide = attributes.asPath.some(({ asns }) => asns.some((asn) => asn > 0xffff));
  if (!context.asn4 && wide) {
    put(writer, flag.optional | flag.transitive, attributeCode.as4Path, () =>
      writePath(writer, attributes.asPath, true));
  }
  if (large.length > 0) {
    put(writer, flag.optional | flag.transitive, attributeCode.large, () => {
      for (const community of large) for (const number of community) writer.u32(number);
    });
  }
}

// oxlint-disable-next-line max-params -- the third says how wide the numbers of the second are
function writePath(writer: ByteWriter, path: readonly AsSegment[], asn4: boolean): void {
  for (const { kind, asns } of path) {
    writer.u8(kind === 'set' ? 1 : 2);
    writer.u8(asns.length);
    for (const asn of asns) {
      if (asn4) writer.u32(asn);
      else writer.u16(asn > 0xffff ? asTrans : asn);
    }
  }
}

/** MP_REACH_NLRI (RFC 4760 3); IPv4 prefixes may have an IPv6 next hop (RFC 8950 4). */
export function writeReach(
  writer: ByteWriter, nextHop: Ip, prefixes: readonly [Prefix, ...Prefix[]],
): void {
  put(writer, flag.optional, attributeCode.mpReach, () => {
    writer.u16(afiOf[familyOf(prefixes[0])]);
    writer.u8(unicast);
    writer.sized(8, () => writer.put(ipBytes(nextHop)));
    writer.u8(0);
    for (const prefix of prefixes) writePrefix(writer, prefix);
  });
}

/** MP_UNREACH_NLRI (RFC 4760 4); without prefixes it is the family's End-of-RIB (RFC 4724 2). */
export function writeUnreach(
  writer: ByteWriter, family: Family, prefixes: readonly Prefix[],
): void {
  put(writer, flag.optional, attributeCode.mpUnreach, () => {
    writer.u16(afiOf[family]);
    writer.u8(unicast);
    for (const prefix of prefixes) writePrefix(writer, prefix);
  });
}

/** MP_REACH_NLRI; undefined: malformed. `family` undefined: one that is not spoken here. */
export function readReach(reader: ByteReader):
  { family: Family | undefined; nextHop: Ip; prefixes: Prefix[] } | undefined {
  const family = familyOfAfi(reader.u16(), reader.u8());
  const hop = reader.take(reader.u8());
  reader.u8();
  if (reader.short) return undefined;
  if (family === undefined) return { family, nextHop: '0.0.0.0' as Ip, prefixes: [] };
  // The global address first; a link-local one may follow it (RFC 2545 3).
  const fits = hop.length === 16 || hop.length === 32 || (family === 'IPv4' && hop.length === 4);
  const prefixes = fits ? readPrefixes(reader, family) : undefined;
  if (prefixes === undefined) return undefined;
  const nextHop = hop.length === 4 ? ipv4At(hop, 0) : ipFromBytes(hop.subarray(0, 16));
  return { family, nextHop, prefixes };
}

/** MP_UNREACH_NLRI; undefined: malformed. */
export function readUnreach(reader: ByteReader):
  { family: Family | undefined; prefixes: Prefix[] } | undefined {
  const family = familyOfAfi(reader.u16(), reader.u8());
  if (reader.short) return undefined;
  if (family === undefined) return { family, prefixes: [] };
  const prefixes = readPrefixes(reader, family);
  return prefixes === undefined ? undefined : { family, prefixes };
}

/** A path of AS numbers; undefined: malformed (RFC 7606 7.2). */
export function readPath(reader: ByteReader, asn4: boolean): AsSegment[] | undefined {
  const path: AsSegment[] = [];
  while (reader.left > 0) {
    const kind = segmentKinds[reader.u8() - 1];
    const count = reader.u8();
    if (kind === undefined || count === 0) return undefined;
    const asns: number[] = [];
    for (let index = 0; index < count; index += 1) asns.push(asn4 ? reader.u32() : reader.u16());
    if (reader.short) return undefined;
    path.push({ kind, asns });
  }
  return path;
}

export function readOrigin(reader: ByteReader): PathAttributes['origin'] | undefined {
  return reader.left === 1 ? origins[reader.u8()] : undefined;
}

/** One unsigned number; undefined: not four octets. */
export function readNumber(reader: ByteReader): number | undefined {
  return reader.left === 4 ? reader.u32() : undefined;
}

/** RFC 7606 7.8: a multiple of four octets, and not none. */
export function readCommunities(reader: ByteReader): number[] | undefined {
  if (reader.left === 0 || reader.left % 4 !== 0) return undefined;
  return Array.from({ length: reader.left / 4 }, () => reader.u32());
}

/** RFC 8092 5: a multiple of twelve octets, and not none. */
export function readLarge(reader: ByteReader): LargeCommunity[] | undefined {
  if (reader.left === 0 || reader.left % 12 !== 0) return undefined;
  return Array.from({ length: reader.left / 12 }, (): LargeCommunity =>
    [reader.u32(), reader.u32(), reader.u32()]);
}

/** Whether the flags of an attribute of that code are as its definition demands. */
export function flagsFit(code: number, flags: number): boolean {
  const kind = flags & (flag.optional | flag.transitive);
  switch (code) {
    case attributeCode.origin: case attributeCode.asPath: case attributeCode.nextHop:
    case attributeCode.localPref: case attributeCode.atomicAggregate:
      return kind === flag.transitive;
    case attributeCode.med: case attributeCode.mpReach: case attributeCode.mpUnreach:
      return kind === flag.optional;
    case attributeCode.aggregator: case attributeCode.communities: case attributeCode.as4Path:
    case attributeCode.as4Aggregator: case attributeCode.large:
      return kind === (flag.optional | flag.transitive);
    default:
      return (flags & flag.optional) !== 0;
  }
}

export function isExtended(flags: number): boolean {
  return (flags & flag.extended) !== 0;
}
