import { familyOf, type Family, type Ip, type Prefix } from '../../lb/ip.ts';
import type { PeerName, Route } from '../port.ts';
import { indexOfPolicy, targetOfName, type Target } from './names.ts';
import {
  AttributeSets, pathFor, pathKey, type PathState, type RibPeer, type Wish,
} from './rib.ts';
import { readAttributes, type StatementSpec } from './policies.ts';
import type { InstalledStatement } from './policyviews.ts';
import { readIp } from './pathform.ts';
import type { Dialect } from './dialect.ts';
import type { DaemonListing } from './listing.ts';
import type { PolicyMessage } from './messages.ts';

/** A peer that paths may name. */
export interface TablePeer {
  readonly name: PeerName;
  readonly index: number;
  readonly internal: boolean;
  readonly next6: Ip | undefined;
  /** `192.0.2.1/32`, as its neighbour set has it. */
  readonly neighbour: string;
}

/** What is to be written, in this order (bgp.md 3, order in a plan). */
export interface RibPlan {
  readonly withdraws: readonly Prefix[];
  readonly policies: readonly { readonly peer: TablePeer; readonly spec: StatementSpec }[];
  readonly statements: readonly StatementSpec[];
  readonly paths: readonly { readonly prefix: Prefix; readonly state: PathState }[];
  /** Unused after all of the above. */
  readonly unused: readonly StatementSpec[];
}

interface Believed {
  readonly state: PathState;
  readonly key: string;
}

/**
 * Routes as they are wanted and the daemon's table as it is believed to be. Plans are made of the
 * difference and told here step by step as they succeed.
 */
export class RibTable {
  #wanted = new Map<PeerName, ReadonlyMap<Prefix, Route>>();
  #peers = new Map<number, TablePeer>();
  #sets = new AttributeSets();
  #paths = new Map<Prefix, Believed>();
  #policies = new Map<number, Map<number, StatementSpec>>();
  #uses = new Map<string, number>();
  #dirty = new Set<Prefix>();

  /** Forgets what the daemon had: it is a new one. */
  reset(): void {
    this.#sets = new AttributeSets();
    this.#paths.clear();
    this.#policies.clear();
    this.#uses.clear();
    this.#markAll();
  }

  setRoutes(peer: PeerName, routes: readonly Route[]): void {
    const before = this.#wanted.get(peer);
    const after = new Map(routes.map((route) => [route.prefix, route]));
    for (const [prefix, route] of after) {
      if (before?.get(prefix) !== route) this.#dirty.add(prefix);
    }
    for (const prefix of before?.keys() ?? []) if (!after.has(prefix)) this.#dirty.add(prefix);
    this.#wanted.set(peer, after);
  }

  /** The peers that may see routes from now on; indices of others stay taken until `dropped`. */
  setPeers(peers: readonly TablePeer[]): void {
    this.#peers = new Map(peers.toSorted((left, right) => left.index - right.index)
      .map((peer) => [peer.index, peer]));
    this.#markAll();
    const names = new Set(peers.map(({ name }) => name));
    // Routes of a peer that is not there yet are kept; sets that say nothing are not worth it.
    for (const [name, routes] of this.#wanted) {
      if (!names.has(name) && routes.size === 0) this.#wanted.delete(name);
    }
  }

  get pathCount(): number {
    return this.#paths.size;
  }

  /** Paths of a family that name the peer. */
  announced(index: number, family: Family): number {
    let count = 0;
    for (const [prefix, { state }] of this.#paths) {
      if (familyOf(prefix) !== family) continue;
      if (state.targets.some((target) => target.index === index)) count += 1;
    }
    return count;
  }

  /** Indices that a policy of the daemon bears. */
  get indices(): readonly number[] {
    return [...this.#policies.keys()];
  }

  /** Whether some path still names the peer. */
  names(index: number): boolean {
    for (const [key, count] of this.#uses) {
      if (count > 0 && key.startsWith(`${index}:`)) return true;
    }
    return false;
  }

  targetsOf(index: number): readonly Target[] {
    return [...this.#policies.get(index)?.values() ?? []].map(({ target }) => target);
  }

  plan(): RibPlan {
    const withdraws: Prefix[] = [];
    const paths: { prefix: Prefix; state: PathState }[] = [];
    const peers = [...this.#peers.values()].map((peer) => this.#ribPeer(peer));
    const statements = new Map<string, StatementSpec>();
    const unused = new Map<string, number>();
    for (const prefix of this.#dirty) {
      const state = pathFor(prefix, this.#wishes(prefix, peers), this.#sets);
      const before = this.#paths.get(prefix);
      if (state === undefined) {
        if (before !== undefined) withdraws.push(prefix);
        continue;
      }
      if (before?.key === pathKey(state)) continue;
      paths.push({ prefix, state });
      for (const target of state.targets) this.#need(target, statements);
    }
    this.#count(unused, withdraws, -1);
    this.#count(unused, paths.map(({ prefix }) => prefix), -1);
    for (const { state } of paths) for (const target of state.targets) bump(unused, target, 1);
    this.#dirty.clear();
    // A policy that was lost is installed anew, with all that paths still name.
    for (const [key, count] of this.#uses) {
      const [index = 0, set = 0] = key.split(':').map(Number);
      if (count > 0 && this.#peers.has(index)) this.#need({ index, set }, statements);
    }
    return {
      withdraws, paths, statements: [...statements.values()],
      policies: [...this.#peers.values()].filter(({ index }) => !this.#policies.has(index))
        .map((peer) => ({ peer, spec: zeroSpec(peer) })),
      unused: this.#unused(unused),
    };
  }

  /** Plans made and not carried out are made again. */
  again({ withdraws, paths }: RibPlan): void {
    for (const prefix of withdraws) this.#dirty.add(prefix);
    for (const { prefix } of paths) this.#dirty.add(prefix);
  }

  get dirty(): boolean {
    return this.#dirty.size > 0
      || [...this.#peers.keys()].some((index) => !this.#policies.has(index));
  }

  withdrawn(prefixes: readonly Prefix[]): void {
    for (const prefix of prefixes) this.#put(prefix, undefined);
  }

  written(paths: RibPlan['paths']): void {
    for (const { prefix, state } of paths) this.#put(prefix, state);
  }

  installed(specs: readonly StatementSpec[]): void {
    for (const spec of specs) {
      const { index, set } = spec.target;
      const of = this.#policies.get(index) ?? new Map<number, StatementSpec>();
      of.set(set, spec);
      this.#policies.set(index, of);
    }
  }

  uninstalled(specs: readonly StatementSpec[]): void {
    for (const { target } of specs) this.#policies.get(target.index)?.delete(target.set);
  }

  dropped(index: number): void {
    this.#policies.delete(index);
  }

  /** Every installed statement by index, with the neighbour of its peer. */
  installedStatements(): InstalledStatement[] {
    return this.indices.toSorted((left, right) => left - right).flatMap((index) =>
      this.specsOf(index).map((spec) => ({ neighbour: this.#peers.get(index)?.neighbour, spec })));
  }

  /** What is installed for a policy, in its order. */
  specsOf(index: number): readonly StatementSpec[] {
    return [...this.#policies.get(index)?.values() ?? []];
  }

  /** Takes the daemon's table for true; gives the prefixes that were believed otherwise. */
  adopt(dialect: Dialect, listing: DaemonListing): readonly Prefix[] {
    const drifted: Prefix[] = [];
    for (const [prefix, state] of listing.paths) {
      if (this.#paths.get(prefix)?.key === pathKey(state)) continue;
      drifted.push(prefix);
      this.#put(prefix, state);
    }
    for (const prefix of [...this.#paths.keys()]) {
      if (listing.paths.has(prefix)) continue;
      drifted.push(prefix);
      this.#put(prefix, undefined);
    }
    for (const prefix of drifted) this.#dirty.add(prefix);
    for (const policy of listing.policies) this.#adoptPolicy(dialect, policy);
    return drifted;
  }

  #adoptPolicy(dialect: Dialect, policy: PolicyMessage): void {
    const index = indexOfPolicy(policy.name);
    if (index === undefined || this.#policies.has(index)) return;
    const next6 = new Map<number, Ip>();
    for (const { name, actions } of policy.statements) {
      const target = targetOfName(name);
      const address = readIp(actions?.nexthop?.address ?? '');
      if (target?.next6 === true && address !== undefined) next6.set(target.set, address);
    }
    const specs = policy.statements.flatMap((statement): readonly StatementSpec[] => {
      const target = targetOfName(statement.name);
      if (target === undefined || target.next6) return [];
      const of = next6.get(target.set);
      const attributes = target.set === 0 ? undefined : readAttributes(dialect, statement, of);
      if (attributes !== undefined) this.#sets.adopt(target.set, attributes);
      return [{ target: { index: target.index, set: target.set }, attributes, next6: of }];
    });
    this.installed(specs);
  }

  #ribPeer({ name, index, internal, next6 }: TablePeer): RibPeer {
    const zero = this.#policies.get(index)?.get(0);
    return { name, index, internal, next6, zeroNext6: zero === undefined ? next6 : zero.next6 };
  }

  #wishes(prefix: Prefix, peers: readonly RibPeer[]): readonly Wish[] {
    const wishes: Wish[] = [];
    for (const peer of peers) {
      const route = this.#wanted.get(peer.name)?.get(prefix);
      if (route !== undefined) wishes.push({ peer, route });
    }
    return wishes;
  }

  #need(target: Target, statements: Map<string, StatementSpec>): void {
    // Set 0 comes with its policy.
    if (target.set === 0 || this.#policies.get(target.index)?.has(target.set) === true) return;
    const attributes = this.#sets.attributesOf(target.set);
    statements.set(keyOf(target), { target, attributes, next6: attributes?.next6 });
  }

  #count(uses: Map<string, number>, prefixes: readonly Prefix[], by: number): void {
    for (const prefix of prefixes) {
      for (const target of this.#paths.get(prefix)?.state.targets ?? []) bump(uses, target, by);
    }
  }

  #unused(changes: ReadonlyMap<string, number>): readonly StatementSpec[] {
    const unused: StatementSpec[] = [];
    for (const [index, specs] of this.#policies) {
      if (!this.#peers.has(index)) continue;
      for (const [set, spec] of specs) {
        const key = keyOf({ index, set });
        const uses = (this.#uses.get(key) ?? 0) + (changes.get(key) ?? 0);
        if (set > 0 && uses === 0) unused.push(spec);
      }
    }
    return unused;
  }

  #put(prefix: Prefix, state: PathState | undefined): void {
    this.#count(this.#uses, [prefix], -1);
    if (state === undefined) this.#paths.delete(prefix);
    else this.#paths.set(prefix, { state, key: pathKey(state) });
    this.#count(this.#uses, [prefix], 1);
  }

  #markAll(): void {
    for (const routes of this.#wanted.values()) {
      for (const prefix of routes.keys()) this.#dirty.add(prefix);
    }
    for (const prefix of this.#paths.keys()) this.#dirty.add(prefix);
  }
}

function keyOf({ index, set }: Target): string {
  return `${index}:${set}`;
}

function bump(uses: Map<string, number>, target: Target, by: number): void {
  const key = keyOf(target);
  uses.set(key, (uses.get(key) ?? 0) + by);
}

function zeroSpec({ index, next6 }: TablePeer): StatementSpec {
  return { target: { index, set: 0 }, attributes: undefined, next6 };
}
