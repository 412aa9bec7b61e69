import { familyOf, ipv4At, type Family, type Ip, type Prefix } from '../../lb/ip.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import {
  attributeCode, flagsFit, isExtended, readCommunities, readLarge, readNumber, readOrigin,
  readPath, readReach, readUnreach, writeAttributes, writeReach, writeUnreach,
  type AttributeContext,
} from './attributes.ts';
import {
  notification, type AsSegment, type Notification, type PathAttributes, type Reach,
  type UpdateMessage,
} from './message.ts';
import { byFamily, readPrefixes, writePrefix } from './nlri.ts';
import { ByteReader, type ByteWriter } from './wire.ts';

/** Writes an UPDATE of one kind of reachability; what is too long was split by `splitUpdates`. */
export function writeUpdate(
  writer: ByteWriter, update: UpdateMessage, context: AttributeContext,
): void {
  const withdrawn = byFamily(update.withdrawn);
  const [reach] = update.announced;
  const classic = reach !== undefined && isClassic(reach);
  writer.sized(16, () => {
    for (const prefix of withdrawn.IPv4) writePrefix(writer, prefix);
  });
  writer.sized(16, () => {
    if (update.attributes !== undefined && reach !== undefined) {
      const nextHop4 = classic ? reach.nextHop : undefined;
      writeAttributes(writer, update.attributes, { context, nextHop4 });
      const [first, ...rest] = reach.prefixes;
      if (!classic && first !== undefined) writeReach(writer, reach.nextHop, [first, ...rest]);
    }
    if (withdrawn.IPv6.length > 0 || update.endOfRib === 'IPv6')
      writeUnreach(writer, 'IPv6', withdrawn.IPv6);
  });
  if (classic) for (const prefix of reach.prefixes) writePrefix(writer, prefix);
}

// Both families IPv4: the fields of RFC 4271, which every router reads.
function isClassic({ nextHop, prefixes: [first] }: Reach): boolean {
  return first !== undefined && familyOf(first) === 'IPv4' && familyOf(nextHop) === 'IPv4';
}

interface Gathered {
  origin?: PathAttributes['origin'];
  asPath?: AsSegment[];
  as4Path?: AsSegment[];
  nextHop?: Ip;
  med?: number;
  localPref?: number;
  communities?: number[];
  large?: PathAttributes['large'];
  reach?: { family: Family | undefined; nextHop: Ip; prefixes: Prefix[] };
  unreach?: { family: Family | undefined; prefixes: Prefix[] };
  /** Why the announcements are to be treated as withdrawals; the first reason. */
  malformed?: string;
}

/**
 * An UPDATE without its header. Errors are answered by their kind (RFC 7606): some end the session,
 * some withdraw what the message announced (`malformed`), some lose one attribute.
 */
export function readUpdate(
  reader: ByteReader, context: AttributeContext,
): Result<UpdateMessage, Notification> {
  const lost = reader.part(reader.u16());
  const body = reader.part(reader.u16());
  if (reader.short) return err(notification(3, 1));
  const withdrawn = readPrefixes(lost, 'IPv4');
  const classic = readPrefixes(reader, 'IPv4');
  if (withdrawn === undefined || classic === undefined) return err(notification(3, 10));
  const empty = withdrawn.length === 0 && classic.length === 0 && body.left === 0;
  if (empty) return ok({ kind: 'update', withdrawn: [], announced: [], endOfRib: 'IPv4' });
  const gathered = readAttributes(body, context);
  if (!gathered.ok) return gathered;
  return ok(assemble({ found: gathered.value, withdrawn, classic, context }));
}

interface Parts {
  readonly found: Gathered;
  readonly withdrawn: readonly Prefix[];
  readonly classic: readonly Prefix[];
  readonly context: AttributeContext;
}

function assemble({ found, withdrawn, classic, context }: Parts): UpdateMessage {
  const { reach, unreach } = found;
  const multi = reach?.prefixes ?? [];
  const gone = [...withdrawn, ...(unreach?.prefixes ?? [])];
  const announcing = classic.length + multi.length > 0;
  const malformed = found.malformed ?? (announcing ? missing(found, classic, context) : undefined);
  if (malformed !== undefined) {
    return {
      kind: 'update', withdrawn: [...gone, ...classic, ...multi], announced: [], malformed,
    };
  }
  const announced: Reach[] = [];
  if (classic.length > 0 && found.nextHop !== undefined)
    announced.push({ nextHop: found.nextHop, prefixes: classic });
  if (reach !== undefined && multi.length > 0)
    announced.push({ nextHop: reach.nextHop, prefixes: multi });
  const update = { kind: 'update', withdrawn: gone, announced } as const;
  if (announcing) return { ...update, attributes: attributesOf(found) };
  const ended = gone.length === 0 && reach === undefined ? unreach?.family : undefined;
  return ended === undefined ? update : { ...update, endOfRib: ended };
}

function attributesOf(found: Gathered): PathAttributes {
  const { origin = 'incomplete', med, localPref, communities = [], large = [] } = found;
  return {
    origin,
    asPath: found.as4Path ?? found.asPath ?? [],
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined ? {} : { localPref }),
    communities,
    large,
  };
}

// RFC 7606 3 (d): without a mandatory attribute the routes are withdrawn.
// oxlint-disable-next-line max-params -- what was found, what it was for, and on which session
function missing(
  found: Gathered, classic: readonly Prefix[], context: AttributeContext,
): string | undefined {
  if (found.origin === undefined) return 'ORIGIN is missing';
  if (found.asPath === undefined) return 'AS_PATH is missing';
  if (classic.length > 0 && found.nextHop === undefined) return 'NEXT_HOP is missing';
  if (!context.external && found.localPref === undefined) return 'LOCAL_PREF is missing';
  return undefined;
}

function readAttributes(
  body: ByteReader, context: AttributeContext,
): Result<Gathered, Notification> {
  const found: Gathered = {};
  const seen = new Set<number>();
  while (body.left > 0) {
    const flags = body.u8();
    const code = body.u8();
    const value = body.part(isExtended(flags) ? body.u16() : body.u8());
    if (body.short) {
      found.malformed ??= `attribute ${code} is longer than the list`;
      return ok(found);
    }
    const multi = code === attributeCode.mpReach || code === attributeCode.mpUnreach;
    if (seen.has(code)) {
      if (multi) return err(notification(3, 1));
      continue;
    }
    seen.add(code);
    if (!flagsFit(code, flags)) {
      if (!knownCodes.has(code)) return err(notification(3, 2));
      if (multi) return err(notification(3, 9));
      found.malformed ??= `attribute ${code} has wrong flags`;
      continue;
    }
    if (multi) {
      if (!readMulti(found, code, value)) return err(notification(3, 9));
    } else readOne({ found, code, value, context });
  }
  return ok(found);
}

const knownCodes: ReadonlySet<number> = new Set(Object.values(attributeCode));

function readMulti(found: Gathered, code: number, value: ByteReader): boolean {
  if (code === attributeCode.mpReach) {
    const reach = readReach(value);
    if (reach !== undefined) found.reach = reach;
    return reach !== undefined;
  }
  const unreach = readUnreach(value);
  if (unreach !== undefined) found.unreach = unreach;
  return unreach !== undefined;
}

interface OneAttribute {
  readonly found: Gathered;
  readonly code: number;
  readonly value: ByteReader;
  readonly context: AttributeContext;
}

function readOne({ found, code, value, context }: OneAttribute): void {
  const keep = <Key extends keyof Gathered>(key: Key, read: Gathered[Key] | undefined): void => {
    if (read === undefined) found.malformed ??= `attribute ${code} is malformed`;
    else found[key] = read;
  };
  switch (code) {
    case attributeCode.origin: return keep('origin', readOrigin(value));
    case attributeCode.asPath: return keep('asPath', readPath(value, context.asn4));
    case attributeCode.nextHop:
      return keep('nextHop', value.left === 4 ? ipv4At(value.take(4), 0) : undefined);
    case attributeCode.med: return keep('med', readNumber(value));
    case attributeCode.localPref:
      // Not believed from another system, whatever it says (RFC 7606 7.5).
      return context.external ? undefined : keep('localPref', readNumber(value));
    case attributeCode.communities: return keep('communities', readCommunities(value));
    case attributeCode.large: return keep('large', readLarge(value));
    case attributeCode.as4Path: {
      // A malformed one is discarded (RFC 6793 6), and between new speakers it means nothing.
      const path = context.asn4 ? undefined : readPath(value, true);
      if (path !== undefined) found.as4Path = path;
      return undefined;
    }
    default: return undefined;
  }
}
