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
  if (before.length === 0) return after.length === 0 ? before : after;
  let same = before.length === after.length;
  let at = 0;
  const settled = after.map((route) => {
    // What was withdrawn stands in between; both are in one order, so one look each finds it.
    while (at < before.length && follows(route, before[at])) at += 1;
    const old = before[at];
    if (old !== undefined && sameRoute(old, route)) return old;
    same = false;
    return route;
  });
  return same ? before : settled;
}

/** True when `other` comes before `route` in the order of sets: by family, then by text. */
function follows(route: Route, other: Route | undefined): boolean {
  if (other === undefined) return false;
  const [mine, its] = [route.prefix.includes(':'), other.prefix.includes(':')];
  return mine === its ? route.prefix > other.prefix : mine;
}

/** Prefixes of `before` that `after` has not; both are in one order, so each is looked at once. */
export function withdrawn(before: readonly Route[], after: readonly Route[]): readonly Prefix[] {
  if (before === after) return [];
  const gone: Prefix[] = [];
  let at = 0;
  for (const route of before) {
    while (at < after.length && follows(route, after[at])) at += 1;
    if (after[at]?.prefix !== route.prefix) gone.push(route.prefix);
  }
  return gone;
}

/** What of `before` is still wanted, as it was; `before` itself where all of it is. */
export function keep(before: readonly Route[], wanted: readonly Route[]): readonly Route[] {
  if (before === wanted) return before;
  const prefixes = new Set<Prefix>(wanted.map(({ prefix }) => prefix));
  const kept = before.filter(({ prefix }) => prefixes.has(prefix));
  return kept.length === before.length ? before : kept;
}
