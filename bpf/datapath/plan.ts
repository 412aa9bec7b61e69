import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import type { Ip } from '../../lb/ip.ts';
import type { KernelError, Micros } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import { setFlag } from '../layout.gen.ts';
import type { Backend } from './backends.ts';
import type { Region } from './ids.ts';
import type { BackendImage, RecordImage, SetFields } from './image.ts';
import type { DatapathMemo } from './memo.ts';
import type { MaglevTables, Member, Programmed, ProgrammedSet } from './programmed.ts';
import { rangeRowsOf, rangeText, type RangeList } from './ranges.ts';
import type { Stores } from './stores.ts';
import type { MapName } from './writer.ts';

/** A write that a map refused, or ids that it has no room for. */
export interface Refusal {
  readonly map: MapName;
  readonly error: KernelError;
}

/** The way of one service port from what the kernel holds to what is wanted (datapath.md 10). */
export interface PortPlan {
  readonly port: Programmed;
  readonly image: RecordImage;
  /** Undefined: the set in the maps is the wanted one. */
  readonly next: ProgrammedSet | undefined;
  /** Generation of `next`. */
  readonly gen: number;
  /** Why the service port stays with its old set. */
  refusal: Refusal | undefined;
}

/** What planning looks at beside the service port. */
export interface PlanContext {
  readonly stores: Stores;
  readonly memo: DatapathMemo;
  readonly options: DatapathOptions;
  readonly nodeAddresses: readonly Ip[];
  readonly now: Micros;
  /** Interface of the pod with this address on this node; 0: not known. */
  ifindexOf(backend: BackendImage): number;
  /**
   * Whether the selection tables in the maps are those that the set should have; `audited`: this
   * process wrote them.
   */
  tablesRight(set: ProgrammedSet, audited: boolean): boolean;
}

const cellIds = 16;
const full: KernelError = { kind: 'ENOSPC' };

/**
 * Decides what one service port needs, and takes the ids for it. A plan that finds no id carries
 * its refusal; whatever it took is given back when the plans are applied.
 */
export function planPort(port: Programmed, context: PlanContext): PortPlan {
  const image = port.wanted;
  assert(image !== undefined, `${port.id} is wanted`);
  port.retiredAt = undefined;
  verify(port, context);
  const base = { port, image, next: undefined, gen: port.gen };
  if (!planMembers(port, image, context)) {
    return { ...base, refusal: { map: 'fl_backend', error: full } };
  }
  const listed = Math.max(image.fields.localN, image.fields.clusterOff + image.fields.clusterN);
  const list = port.members.slice(0, listed).map(({ backend }) => backend);
  const rows = rangeRowsOf(image, context.nodeAddresses);
  const wish: Wish = { port, image, list, ranges: { rows, text: rangeText(rows) }, context };
  if (stands(wish)) return { ...base, refusal: undefined };
  return planSet(wish, base);
}

// Tables of an earlier process may be of another seed. They are compared here, a few service ports
// a round, and not all of them when the maps are read.
function verify(port: Programmed, context: PlanContext): void {
  const { set } = port;
  if (set?.maglev === undefined || set.maglev.verified) return;
  set.maglev.verified = true;
  if (!context.tablesRight(set, port.shown !== undefined)) port.damaged = true;
}

interface Wish {
  readonly port: Programmed;
  readonly image: RecordImage;
  readonly list: readonly Backend[];
  readonly ranges: Omit<RangeList, 'id'>;
  readonly context: PlanContext;
}

function planSet(wish: Wish, base: Omit<PortPlan, 'refusal'>): PortPlan {
  const { port, image, list, context: { stores } } = wish;
  const setId = stores.sets.take();
  if (setId === undefined) return { ...base, refusal: { map: 'fl_set', error: full } };
  if (port.svcId === 0) {
    port.svcId = stores.svcIds.take();
    stores.bySvcId.set(port.svcId, port);
  }
  const { region, maglev, full: lacks } = planRegions(wish);
  const gen = port.gen === 0xffff_ffff ? 1 : port.gen + 1;
  const set = { setId, fields: image.fields, list, region, maglev, ranges: planRanges(wish) };
  const next = { ...base, next: set, gen };
  return { ...next, refusal: lacks ? { map: 'fl_lut', error: full } : undefined };
}

// The list first, in its order; members that are wanted no more follow until they are gone.
function planMembers(port: Programmed, image: RecordImage, context: PlanContext): boolean {
  if (port.members.length === 0) return planFirst(port, image, context);
  const known = new Map<string, Member>();
  for (const member of port.members) {
    member.prior = member.bits;
    member.wanted = member.bits;
    if (!member.backend.damaged) known.set(member.backend.image.key, member);
  }
  const members = new Set<Member>();
  for (const { backend, bits } of image.members) {
    const member = known.get(backend.key) ?? newMember(backend, context);
    if (member === undefined) {
      giveBack(port, members, context);
      return false;
    }
    member.wanted = bits;
    members.add(member);
  }
  for (const member of port.members) {
    if (members.has(member)) continue;
    member.wanted = 0;
    members.add(member);
  }
  port.members = [...members];
  return true;
}

// Most plans of a node that starts: nothing is there to be compared with.
function planFirst(port: Programmed, image: RecordImage, context: PlanContext): boolean {
  // Not by pushing, which would leave room for a dozen more in each of ten thousand lists.
  const found = image.members.map(({ backend, bits }) => {
    const member = newMember(backend, context);
    if (member !== undefined) member.wanted = bits;
    return member;
  });
  const members = found.filter((member) => member !== undefined);
  if (members.length < found.length) {
    giveBack(port, members, context);
    return false;
  }
  port.members = members.slice();
  return true;
}

function giveBack(port: Programmed, members: Iterable<Member>, context: PlanContext): void {
  const before = new Set(port.members);
  for (const member of members) {
    if (before.has(member)) member.wanted = member.bits;
    else context.stores.backends.drop(member.backend, context.now);
  }
}

function newMember(image: BackendImage, context: PlanContext): Member | undefined {
  const backend = context.stores.backends.use(image, context.ifindexOf(image));
  return backend === undefined ? undefined : { backend, bits: 0, wanted: 0, prior: 0 };
}

// A member that changes needs a new generation even where the list stays: UDP rows ask for their
// membership only when the generation differs (datapath.md 8.4).
function stands({ port, image, list, ranges, context }: Wish): boolean {
  const { set } = port;
  return port.live && !port.damaged && set !== undefined && sameFields(set.fields, image.fields)
    && sameList(set.list, list) && (set.ranges?.text ?? '') === ranges.text
    && (set.maglev?.size ?? 0) === sizeFor(image.fields, context.options)
    && port.members.every(({ bits, wanted }) => bits === wanted);
}

interface Room {
  readonly region: Region | undefined;
  readonly maglev: MaglevTables | undefined;
  readonly full: boolean;
}

function planRegions({ port, image: { fields }, list, context }: Wish): Room {
  const { regions } = context.stores;
  const old = port.damaged ? undefined : port.set;
  const kept = old !== undefined && sameList(old.list, list);
  const region = kept ? old.region : takeFor(list.length);
  const size = sizeFor(fields, context.options);
  if (size === 0) return { region, maglev: undefined, full: list.length > 0 && !region };
  const windows = kept && sameWindows(old.fields, fields);
  const keptTables = windows && old.maglev?.size === size && old.maglev.scopes === scopesOf(fields);
  if (keptTables) return { region, maglev: old.maglev, full: list.length > 0 && !region };
  const scopes = scopesOf(fields);
  const wantsLocal = scopes === 'both' && fields.localN > 0;
  const cluster = fields.clusterN > 0 ? takeFor(size) : undefined;
  const local = wantsLocal ? (sameScopes(fields) ? cluster : takeFor(size)) : undefined;
  const lacks = (list.length > 0 && region === undefined)
    || (fields.clusterN > 0 && cluster === undefined) || (wantsLocal && local === undefined);
  return { region, maglev: { size, scopes, local, cluster, verified: true }, full: lacks };

  function takeFor(ids: number): Region | undefined {
    return ids === 0 ? undefined : regions.take(Math.ceil(ids / cellIds));
  }
}

function planRanges({ port, ranges, context: { stores } }: Wish): RangeList | undefined {
  if (ranges.rows.length === 0) return undefined;
  if (!port.damaged && port.set?.ranges?.text === ranges.text) return port.set.ranges;
  const list = { ...ranges, id: stores.rangeIds.take() };
  stores.useRanges(list);
  return list;
}

/** Slots of a service port's tables; 0 for one that draws at random. */
export function sizeFor(fields: SetFields, options: DatapathOptions): number {
  return (fields.flags & setFlag.maglev) === 0 ? 0 : options.maglevTableSize;
}

/** Nobody asks a local table where both policies are Cluster. */
export function scopesOf({ flags }: SetFields): MaglevTables['scopes'] {
  return (flags & (setFlag.internalLocal | setFlag.externalLocal)) === 0 ? 'cluster' : 'both';
}

// Where both windows hold the same endpoints, one table serves both scopes.
function sameScopes(fields: SetFields): boolean {
  return fields.clusterOff === 0 && fields.localN === fields.clusterN;
}

function sameFields(left: SetFields, right: SetFields): boolean {
  return left === right || (left.flags === right.flags && left.affinityS === right.affinityS
    && sameWindows(left, right));
}

function sameWindows(left: SetFields, right: SetFields): boolean {
  return left.localN === right.localN && left.clusterOff === right.clusterOff
    && left.clusterN === right.clusterN;
}

function sameList(left: readonly Backend[], right: readonly Backend[]): boolean {
  return left.length === right.length && left.every((backend, index) => backend === right[index]);
}
