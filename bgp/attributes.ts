import type { BgpAttributes, LargeValue } from '../lb/bgpmodel.ts';

/** Reserved (RFC 7300): the speaker marks paths with it for itself (bgp.md 5.4). */
const reservedAdmin = 0xffff_ffff;

/** Communities as sets: ascending, without duplicates, without what may not be sent. */
export interface MergedAttributes {
  readonly communities: readonly number[];
  readonly large: readonly LargeValue[];
  readonly localPref: number | undefined;
}

/**
 * The union of communities and the highest local preference of all contributors: the order of
 * contributors never decides (bgp.md 4).
 */
export function mergeAttributes(
  contributors: readonly BgpAttributes[],
): MergedAttributes {
  if (contributors.every(isEmpty)) return nothing;
  const communities = new Set(contributors.flatMap((one) => one.communities));
  const large = new Map(contributors.flatMap((one) => one.large)
    .filter(([admin]) => admin !== reservedAdmin)
    .map((value) => [value.join(':'), value]));
  const preferences = contributors.flatMap(({ localPref }) => localPref ?? []);
  return {
    communities: [...communities].sort((left, right) => left - right),
    large: [...large.values()].sort(compareLarge),
    localPref: preferences.length === 0 ? undefined : Math.max(...preferences),
  };
}

const nothing: MergedAttributes = { communities: [], large: [], localPref: undefined };

function isEmpty({ communities, large, localPref }: BgpAttributes): boolean {
  return communities.length === 0 && large.length === 0 && localPref === undefined;
}

/** Large communities of an entry that are never sent. */
export function reservedLarge(attributes: BgpAttributes): readonly LargeValue[] {
  return attributes.large.filter(([admin]) => admin === reservedAdmin);
}

export function sameAttributes(left: MergedAttributes, right: MergedAttributes): boolean {
  return left.localPref === right.localPref
    && left.communities.length === right.communities.length
    && left.communities.every((value, index) => value === right.communities[index])
    && left.large.length === right.large.length
    && left.large.every((value, index) => {
      const other = right.large[index];
      return other !== undefined && compareLarge(value, other) === 0;
    });
}

function compareLarge(left: LargeValue, right: LargeValue): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
