import type { Family } from '../ip.ts';
import type { Address } from './address.ts';
import type { ServiceEntry } from './entry.ts';
import { Heap } from '../heap.ts';
import { compareAge } from './age.ts';
import type { PoolState } from './poolstate.ts';

interface PoolWait {
  readonly pool: PoolState;
  readonly family: Family;
  readonly entries: Heap<ServiceEntry>;
}

/**
 * Who waits for what: an address of a pool and family, one listed address, or a change under a
 * sharing key. Only those who can profit from a change are woken by it (lb-ipam.md 13).
 */
export class Waits {
  #pools = new Map<string, PoolWait>();
  #addresses = new Map<Address, Set<ServiceEntry>>();
  #keys = new Map<string, Set<ServiceEntry>>();
  #leave = new Map<ServiceEntry, (() => void)[]>();

  forPool(entry: ServiceEntry, pool: PoolState, family: Family): void {
    const name = `${pool.name}/${family}`;
    let wait = this.#pools.get(name);
    if (wait?.pool !== pool) {
      wait = { pool, family, entries: new Heap<ServiceEntry>(compareAge) };
      this.#pools.set(name, wait);
    }
    const { entries } = wait;
    entries.add(entry);
    this.#onLeave(entry, () => {
      entries.delete(entry);
      if (entries.size === 0 && this.#pools.get(name)?.entries === entries) {
        this.#pools.delete(name);
      }
    });
  }

  forAddress(entry: ServiceEntry, address: Address): void {
    this.#join(this.#addresses, address, entry);
  }

  forKey(entry: ServiceEntry, key: string): void {
    this.#join(this.#keys, key, entry);
  }

  /** The Service waits for nothing any more. */
  leave(entry: ServiceEntry): void {
    const leave = this.#leave.get(entry);
    if (leave === undefined) return;
    this.#leave.delete(entry);
    for (const step of leave) step();
  }

  onAddress(address: Address): Iterable<ServiceEntry> {
    return this.#addresses.get(address) ?? [];
  }

  onKey(key: string): Iterable<ServiceEntry> {
    return this.#keys.get(key) ?? [];
  }

  /** The oldest Service that waits for a pool which could now serve it. */
  oldestServable(): ServiceEntry | undefined {
    let oldest: ServiceEntry | undefined;
    for (const { pool, family, entries } of this.#pools.values()) {
      if (!pool.grants(family)) continue;
      const entry = entries.peek();
      if (entry === undefined) continue;
      if (oldest === undefined || compareAge(entry, oldest) < 0) oldest = entry;
    }
    return oldest;
  }

  #join<K>(sets: Map<K, Set<ServiceEntry>>, key: K, entry: ServiceEntry): void {
    const set = sets.get(key) ?? new Set<ServiceEntry>();
    set.add(entry);
    sets.set(key, set);
    this.#onLeave(entry, () => {
      set.delete(entry);
      if (set.size === 0 && sets.get(key) === set) sets.delete(key);
    });
  }

  #onLeave(entry: ServiceEntry, step: () => void): void {
    const steps = this.#leave.get(entry);
    if (steps === undefined) this.#leave.set(entry, [step]);
    else steps.push(step);
  }
}
