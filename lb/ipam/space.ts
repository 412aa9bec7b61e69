import type { Family } from '../ip.ts';
import type { Labels, Pool } from '../model.ts';
import type { Micros } from '../ports.ts';
import { compareAddress, findSpan, type Address } from './address.ts';
import { findConflicts, type Contender } from './conflict.ts';
import type { Block } from './pool.ts';
import { comparePools, PoolState, samePool, type PoolRange } from './poolstate.ts';
import { AddressRange } from './range.ts';

/**
 * All pools, in pool order, and which addresses of them are free. Pools without conflict have
 * disjoint blocks, so an address lies in one range at most; who holds it is the ledger's to know.
 */
export class PoolSpace {
  /** Counts rebuilds: what was derived from the pools is good for one generation. */
  generation = 0;
  #pools = new Map<string, PoolState>();
  #ordered: readonly PoolState[] = [];
  #ranges: readonly PoolRange[] = [];
  // Freed longest ago first.
  #resting = new Map<Address, Micros>();
  #holdDown: Micros;

  constructor(holdDown: Micros) {
    this.#holdDown = holdDown;
  }

  /** In pool order. */
  get pools(): readonly PoolState[] {
    return this.#ordered;
  }

  get(name: string): PoolState | undefined {
    return this.#pools.get(name);
  }

  /** Takes in one row; true when a rebuild is due. */
  apply(name: string, pool: Pool | undefined): boolean {
    const present = this.#pools.get(name);
    if (pool === undefined) return this.#pools.delete(name);
    if (present === undefined || present.pool.meta.uid !== pool.meta.uid) {
      this.#pools.set(name, new PoolState(pool));
      return true;
    }
    if (samePool(present.pool, pool)) {
      present.pool = pool;
      return false;
    }
    present.replace(pool);
    return true;
  }

  /** Judges conflicts afresh and lays out the ranges; `held` are all addresses with a holder. */
  rebuild(held: Iterable<Address>): void {
    this.generation += 1;
    this.#ordered = [...this.#pools.values()].sort(comparePools);
    const conflicts = findConflicts(this.#ordered.flatMap(contender));
    const before = new Map(this.#ranges.map((range) => [range.key, range.addresses]));
    const fresh: PoolRange[] = [];
    for (const pool of this.#ordered) {
      pool.conflict = conflicts.get(pool.name);
      const blocks = pool.conflict === undefined ? pool.config?.blocks ?? [] : [];
      pool.ranges = blocks.map((block, index) => {
        const key = rangeKey(pool.name, block);
        const kept = before.get(key);
        const addresses = kept ?? new AddressRange(block);
        const { first, last, family } = block;
        const range = { first, last, family, pool, index, addresses, key };
        if (kept === undefined) {
          for (const address of block.reserved) range.addresses.take(address);
          fresh.push(range);
        }
        return range;
      });
    }
    this.#ranges = this.#ordered.flatMap((pool) => pool.ranges)
      .sort((left, right) => compareAddress(left.first, right.first));
    this.#occupy(fresh, held);
    this.#recount();
  }

  /** The range that may grant the address; undefined where every containing pool is in conflict. */
  find(address: Address): PoolRange | undefined {
    return this.#ranges[findSpan(this.#ranges, address)];
  }

  /** Pools whose selector matches, in pool order. */
  matching(labels: Labels): readonly PoolState[] {
    return this.#ordered.filter((pool) => pool.config?.matches(labels) ?? false);
  }

  isReserved(address: Address): boolean {
    const pool = this.find(address)?.pool;
    return pool?.config?.reserved.has(address) ?? false;
  }

  /** The address got its first holder. */
  take(address: Address): void {
    const range = this.find(address);
    this.#wake(address, range);
    if (range !== undefined) this.#mark(range, address);
  }

  /** The lowest free address of the pool and family, now taken. */
  takeLowest(pool: PoolState, family: Family): Address | undefined {
    if (pool.open[family] === 0) return undefined;
    for (const range of pool.ranges) {
      if (range.family !== family) continue;
      const address = range.addresses.takeLowest();
      if (address === undefined) continue;
      if (range.addresses.full) pool.open[family] -= 1;
      return address;
    }
    return undefined;
  }

  /** The address of these pools and the family that was freed longest ago, now taken. */
  takeResting(pools: readonly PoolState[], family: Family): Address | undefined {
    if (pools.every((pool) => pool.resting[family] === 0)) return undefined;
    for (const address of this.#resting.keys()) {
      const range = this.find(address);
      if (range === undefined || range.family !== family || !pools.includes(range.pool)) continue;
      this.#wake(address, range);
      return address;
    }
    return undefined;
  }

  /** The address lost its last holder at `now`. */
  release(address: Address, now: Micros): void {
    const range = this.find(address);
    if (this.#holdDown > 0) {
      this.#resting.set(address, now + this.#holdDown);
      if (range !== undefined && !this.isReserved(address)) range.pool.resting[range.family] += 1;
      return;
    }
    if (range !== undefined) this.#unmark(range, address);
  }

  /** Addresses that have rested long enough become free. */
  expire(now: Micros): void {
    for (const [address, until] of this.#resting) {
      if (until > now) return;
      const range = this.find(address);
      this.#wake(address, range);
      if (range !== undefined) this.#unmark(range, address);
    }
  }

  // The address rests no longer; its mark in the range is the caller's.
  #wake(address: Address, range: PoolRange | undefined): void {
    if (!this.#resting.delete(address) || range === undefined) return;
    if (!this.isReserved(address)) range.pool.resting[range.family] -= 1;
  }

  #mark(range: PoolRange, address: Address): void {
    if (!range.addresses.take(address)) return;
    if (range.addresses.full) range.pool.open[range.family] -= 1;
  }

  #unmark(range: PoolRange, address: Address): void {
    if (this.isReserved(address)) return;
    const wasFull = range.addresses.full;
    if (range.addresses.free(address) && wasFull) range.pool.open[range.family] += 1;
  }

  // A new range knows nothing yet: what is held or rests in it is marked from the ledger.
  #occupy(fresh: readonly PoolRange[], held: Iterable<Address>): void {
    if (fresh.length === 0) return;
    const ranges = fresh.toSorted((left, right) => compareAddress(left.first, right.first));
    for (const addresses of [held, this.#resting.keys()]) {
      for (const address of addresses) ranges[findSpan(ranges, address)]?.addresses.take(address);
    }
  }

  #recount(): void {
    for (const pool of this.#ordered) {
      for (const family of ['IPv4', 'IPv6'] as const) {
        pool.resting[family] = 0;
        pool.open[family] = pool.ranges
          .filter((range) => range.family === family && !range.addresses.full).length;
      }
    }
    for (const address of this.#resting.keys()) {
      const range = this.find(address);
      if (range === undefined || this.isReserved(address)) continue;
      range.pool.resting[range.family] += 1;
    }
  }
}

function contender(pool: PoolState): readonly Contender[] {
  return pool.config === undefined ? [] : [{ name: pool.name, config: pool.config }];
}

// A range lives on as long as its pool, its ends and its reservations do.
function rangeKey(pool: string, { first, last, reserved }: Block): string {
  return `${pool}/${typeof first}/${first}/${last}/${reserved.length}`;
}
