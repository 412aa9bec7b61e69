import { assert } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';

/** How a router spreads flows over equal paths; names as in simulator.md 5.5. */
export type MapperKind = 'modulo' | 'threshold' | 'resilient';

/**
 * Which member of a set each flow goes to: a function of the flow's hash and, for `resilient`, of
 * the sets before.
 */
export interface Mapping {
  /** Sorted. */
  readonly members: readonly string[];
  /** `resilient`: the index of the member that each bucket belongs to; else empty. */
  readonly buckets: readonly number[];
}

/** Buckets of a resilient group, as `ip nexthop` and switches have them. */
const bucketCount = 128;
const hashSpan = 0x1_0000_0000;

/** The mapping of a new set of members after `before`, which is undefined for a new group. */
export function remap(
  kind: MapperKind, members: readonly string[], before: Mapping | undefined,
): Mapping {
  assert(members.length > 0, 'a group of next hops has a member');
  const sorted = members.toSorted(compareText);
  if (kind !== 'resilient') return { members: sorted, buckets: [] };
  return { members: sorted, buckets: fillBuckets(sorted, before) };
}

/** The member that a flow with this hash, an unsigned 32-bit number, goes to. */
export function memberOf(kind: MapperKind, mapping: Mapping, hash: number): string {
  const { members, buckets } = mapping;
  const count = members.length;
  const index = kind === 'modulo'
    ? hash % count
    // RFC 2992: the hash space in equal regions, one a member.
    : kind === 'threshold'
      ? Math.floor((hash * count) / hashSpan)
      : buckets[hash % bucketCount] ?? 0;
  const member = members[index];
  assert(member !== undefined, `hash ${hash} has a member of ${count}`);
  return member;
}

/** Buckets stay where their member stays; those of a lost member go to whoever has fewest. */
function fillBuckets(members: readonly string[], before: Mapping | undefined): number[] {
  const owners = Array.from({ length: bucketCount }, (_, bucket) => {
    const owner = before?.members[before.buckets[bucket] ?? -1];
    return owner === undefined ? -1 : members.indexOf(owner);
  });
  const counts = members.map((_, index) => owners.filter((owner) => owner === index).length);
  const fair = Math.ceil(bucketCount / members.length);
  const poorest = (): number => counts.indexOf(Math.min(...counts));
  for (const [bucket, owner] of owners.entries()) {
    const surplus = owner >= 0 && (counts[owner] ?? 0) > fair;
    if (owner >= 0 && !surplus) continue;
    if (owner >= 0) counts[owner] = (counts[owner] ?? 0) - 1;
    const next = poorest();
    owners[bucket] = next;
    counts[next] = (counts[next] ?? 0) + 1;
  }
  return owners;
}

const samples = 4096;

/** Share of all flows that go to another member than before, in parts per million. */
export function sharePpmMoved(kind: MapperKind, before: Mapping, after: Mapping): number {
  let moved = 0;
  for (let index = 0; index < samples; index += 1) {
    // An odd stride visits the hash space evenly and meets every remainder.
    const hash = (Math.imul(index, 0x9e37_79b1) >>> 0);
    if (memberOf(kind, before, hash) !== memberOf(kind, after, hash)) moved += 1;
  }
  return Math.round((moved * 1_000_000) / samples);
}
