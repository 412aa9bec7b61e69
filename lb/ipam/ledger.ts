import type { Family } from '../ip.ts';
import { assert } from '../result.ts';
import { addressFamily, type Address } from './address.ts';
import type { ServiceEntry } from './entry.ts';
import { compareAge } from './age.ts';
import { sharingObstacle, type SharingCode } from './sharing.ts';

export interface Obstacle {
  readonly code: SharingCode;
  readonly holder: ServiceEntry;
}

type FamilyCount = Record<Family, number>;

/**
 * Who holds which address. Keyed by address and not by pool: what has a holder is free in no pool
 * (lb-ipam.md 5.3). The key index follows from the holders and has no life of its own.
 */
export class Ledger {
  // Holders in age order.
  #slots = new Map<Address, ServiceEntry[]>();
  #keys = new Map<string, Map<Address, number>>();
  #heldBy = new Map<string, FamilyCount>();

  get addresses(): Iterable<Address> {
    return this.#slots.keys();
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Holders of the address in age order; empty when it is free. */
  holders(address: Address): readonly ServiceEntry[] {
    return this.#slots.get(address) ?? [];
  }

  has(address: Address): boolean {
    return this.#slots.has(address);
  }

  /** Addresses held under a sharing key, in no order that counts. */
  underKey(key: string): Iterable<Address> {
    return this.#keys.get(key)?.keys() ?? [];
  }

  /** Addresses with a holder backed by that pool, each once. */
  heldBy(pool: string): Readonly<FamilyCount> {
    return this.#heldBy.get(pool) ?? { IPv4: 0, IPv6: 0 };
  }

  backedBy(address: Address, pool: string): boolean {
    return this.holders(address).some((holder) => holder.held.get(address) === pool);
  }

  /** The first rule that keeps `entry` from the address, and the oldest holder that it fails. */
  obstacle(entry: ServiceEntry, address: Address): Obstacle | undefined {
    for (const holder of this.holders(address)) {
      if (holder === entry) continue;
      const code = sharingObstacle(entry.inputs.sharing, holder.inputs.sharing);
      if (code !== undefined) return { code, holder };
    }
    return undefined;
  }

  attach(entry: ServiceEntry, address: Address, pool: string): void {
    assert(!entry.held.has(address), `${entry.key} holds an address once`);
    const holders = this.#slots.get(address);
    if (!this.backedBy(address, pool)) this.#counted(pool)[addressFamily(address)] += 1;
    if (holders === undefined) this.#slots.set(address, [entry]);
    else {
      const place = holders.findIndex((holder) => compareAge(entry, holder) < 0);
      holders.splice(place < 0 ? holders.length : place, 0, entry);
    }
    entry.held.set(address, pool);
    this.#index(entry.inputs.sharing.key, address, 1);
  }

  /** The inputs of `entry` must be those that it was attached with. */
  detach(entry: ServiceEntry, address: Address): void {
    const pool = entry.held.get(address);
    const holders = this.#slots.get(address);
    assert(pool !== undefined && holders !== undefined, `${entry.key} holds what it lets go`);
    entry.held.delete(address);
    if (holders.length === 1) this.#slots.delete(address);
    else holders.splice(holders.indexOf(entry), 1);
    if (!this.backedBy(address, pool)) this.#counted(pool)[addressFamily(address)] -= 1;
    this.#index(entry.inputs.sharing.key, address, -1);
  }

  /** The address stays with its holder and is counted to another pool. */
  reback(entry: ServiceEntry, address: Address, pool: string): void {
    const before = entry.held.get(address);
    if (before === undefined || before === pool) return;
    const family = addressFamily(address);
    if (!this.backedBy(address, pool)) this.#counted(pool)[family] += 1;
    entry.held.set(address, pool);
    if (!this.backedBy(address, before)) this.#counted(before)[family] -= 1;
  }

  #counted(pool: string): FamilyCount {
    let count = this.#heldBy.get(pool);
    if (count === undefined) {
      count = { IPv4: 0, IPv6: 0 };
      this.#heldBy.set(pool, count);
    }
    return count;
  }

  #index(key: string, address: Address, step: 1 | -1): void {
    if (key === '') return;
    const addresses = this.#keys.get(key) ?? new Map<Address, number>();
    const count = (addresses.get(address) ?? 0) + step;
    if (count > 0) addresses.set(address, count);
    else addresses.delete(address);
    if (addresses.size > 0) this.#keys.set(key, addresses);
    else this.#keys.delete(key);
  }
}
