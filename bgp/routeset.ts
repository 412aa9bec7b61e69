import type { Prefix } from '../lb/ip.ts';
import type { Route } from './port.ts';

/** Whether two routes say the same about one prefix. */
export function sameRoute(left: Route, right: Route): boolean {
  return left === right || (left.prefix === right.prefix && left.origin === right.origin
    && left.localPref === right.localPref && sameNumbers(left.communities, right.communities)
    && left.large.length === right.large.length
    && left.large.every((value, index) => sameNumbers(value, right.large[index] ?? [])));
}

function sameNumbers(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index]);
}

/**
 * `after` made of the objects of `before` where they say the same, and `before` itself where all of
 * them do, so that whoever compares next finds out at a glance. Both are in the same order.
 */
export function settle(before: readonly Route[], after: readonly Route[]): readonly Route[] {
  if (before === after) return before;
  const same = before.length === after.length
    && after.every((route, index) => sameRoute(before[index] ?? route, route));
  if (same) return before;
  const known = new Map(before.map((route) => [route.prefix, route]));
  return after.map((route) => {
    const old = known.get(route.prefix);
    return old !== undefined && sameRoute(old, route) ? old : route;
  });
}

/** What of `before` is still wanted, as it was; `before` itself where all of it is. */
export function keep(before: readonly Route[], wanted: readonly Route[]): readonly Route[] {
  if (before === wanted) return before;
  const prefixes = new Set<Prefix>(wanted.map(({ prefix }) => prefix));
  const kept = before.filter(({ prefix }) => prefixes.has(prefix));
  return kept.length === before.length ? before : kept;
}
