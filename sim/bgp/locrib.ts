import { compareIp, ipv4Number, type Family, type Ip, type Prefix } from '../../lb/ip.ts';
import { familyOf } from '../../lb/ip.ts';
import { compareText } from '../../lb/table.ts';
import type { PathAttributes } from './message.ts';

/** One way to a prefix, as one peer told it and import policy took it. */
export interface Path {
  readonly peer: Ip;
  readonly remoteId: Ip;
  readonly external: boolean;
  readonly nextHop: Ip;
  readonly attributes: PathAttributes;
}

const localPrefDefault = 100;
const origins = ['igp', 'egp', 'incomplete'] as const;

/** AS numbers on the way; a set counts once (RFC 4271 9.1.2.2). */
export function pathLength({ asPath }: PathAttributes): number {
  return asPath.reduce((sum, { kind, asns }) => sum + (kind === 'set' ? 1 : asns.length), 0);
}

/** Negative: `left` is better, up to where equal paths share traffic. */
function comparePreference(left: Path, right: Path): number {
  const [a, b] = [left.attributes, right.attributes];
  return (b.localPref ?? localPrefDefault) - (a.localPref ?? localPrefDefault) ||
    pathLength(a) - pathLength(b) ||
    origins.indexOf(a.origin) - origins.indexOf(b.origin) ||
    // Compared between all, as routers in data centres are set up; no MED is the best one.
    (a.med ?? 0) - (b.med ?? 0) ||
    Number(right.external) - Number(left.external);
}

/** RFC 4271 9.1.2, total: ties end at the router's identifier and the peer's address. */
export function comparePaths(left: Path, right: Path): number {
  return comparePreference(left, right) ||
    ipv4Number(left.remoteId) - ipv4Number(right.remoteId) ||
    compareIp(left.peer, right.peer);
}

/**
 * The best path, and behind it those that share traffic with it: at most `pathsMax`, of equal AS
 * paths unless `relax`.
 */
export function selectPaths(
  paths: readonly Path[], by: { readonly pathsMax: number; readonly relax: boolean },
): Path[] {
  const ordered = paths.toSorted(comparePaths);
  const [best] = ordered;
  if (best === undefined) return [];
  const text = ({ attributes }: Path): string => attributes.asPath
    .map(({ kind, asns }) => `${kind} ${asns.join(' ')}`).join();
  return ordered
    .filter((path) => comparePreference(best, path) === 0)
    .filter((path) => by.relax || text(path) === text(best))
    .slice(0, by.pathsMax);
}

/** Everything that a router heard, by prefix and by peer. */
export class LocRib {
  #paths = new Map<Prefix, Map<Ip, Path>>();
  #stale = new Map<Ip, Set<Prefix>>();

  prefixes(): Prefix[] {
    return [...this.#paths.keys()].sort(compareText);
  }

  paths(prefix: Prefix): Path[] {
    return [...(this.#paths.get(prefix)?.values() ?? [])];
  }

  path(prefix: Prefix, peer: Ip): Path | undefined {
    return this.#paths.get(prefix)?.get(peer);
  }

  /** Prefixes of one peer, in the order they came. */
  heardFrom(peer: Ip, family?: Family): Prefix[] {
    return [...this.#paths].flatMap(([prefix, paths]) =>
      paths.has(peer) && (family === undefined || familyOf(prefix) === family) ? [prefix] : []);
  }

  stale(peer: Ip): readonly Prefix[] {
    return [...(this.#stale.get(peer) ?? [])];
  }

  /** A new path is fresh, whatever it was before. */
  set(prefix: Prefix, path: Path): void {
    let paths = this.#paths.get(prefix);
    if (paths === undefined) {
      paths = new Map();
      this.#paths.set(prefix, paths);
    }
    paths.set(path.peer, path);
    this.#stale.get(path.peer)?.delete(prefix);
  }

  /** True when there was one. */
  remove(prefix: Prefix, peer: Ip): boolean {
    const paths = this.#paths.get(prefix);
    if (paths?.delete(peer) !== true) return false;
    if (paths.size === 0) this.#paths.delete(prefix);
    this.#stale.get(peer)?.delete(prefix);
    return true;
  }

  markStale(peer: Ip, families: readonly Family[]): void {
    const stale = this.heardFrom(peer).filter((prefix) => families.includes(familyOf(prefix)));
    this.#stale.set(peer, new Set(stale));
  }
}
