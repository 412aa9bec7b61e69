import { errno } from '../errno.ts';
import type { MapDefinition } from '../mapdefinition.ts';
import { mapType } from '../mapdefinition.ts';
import type { Memory } from '../memory.ts';
import { updateFlag, type EngineMap, type MapSlot } from './map.ts';
import { Recency } from './recency.ts';
import { SlotTable } from './table.ts';

/**
 * HASH, PERCPU_HASH and the LRU kinds (kernel/bpf/hashtab.c). An update of a HASH or LRU element
 * puts a new element in place of the old one, as the kernel does: a pointer to the old value is
 * then one to freed memory. Per-CPU values are overwritten in place.
 */
export class HashMap implements EngineMap {
  readonly definition: MapDefinition;
  /** Entries that fit; the host may lower it below the declared number to let the map be full. */
  limit: number;
  readonly #table: SlotTable;
  readonly #recency: Recency | undefined;
  readonly #isPerCpu: boolean;

  constructor(memory: Memory, definition: MapDefinition) {
    const { keySize, valueSize, type } = definition;
    this.definition = definition;
    this.limit = definition.entriesMax;
    this.#isPerCpu = type === mapType.hashPerCpu || type === mapType.hashLruPerCpu;
    this.#table = new SlotTable(memory, { keySize, valueSize, tailSize: 0 });
    const isLru = type === mapType.hashLru || type === mapType.hashLruPerCpu;
    this.#recency = isLru ? new Recency() : undefined;
  }

  get size(): number {
    return this.#table.size;
  }

  get positions(): number {
    return this.#table.slotCount;
  }

  lookup(keyAddress: number): number {
    const slot = this.#table.find(keyAddress);
    if (slot < 0) return 0;
    this.#recency?.use(slot);
    return this.#table.valueAddress(slot);
  }

  peek(keyAddress: number): number {
    const slot = this.#table.find(keyAddress);
    return slot < 0 ? 0 : this.#table.valueAddress(slot);
  }

  place(keyAddress: number, flags: number): number {
    if (flags < 0 || flags > updateFlag.exist) return -errno.EINVAL;
    const hash = this.#table.hash(keyAddress);
    const old = this.#table.find(keyAddress, hash);
    if (old < 0 && flags === updateFlag.exist) return -errno.ENOENT;
    if (old >= 0 && flags === updateFlag.noexist) return -errno.EEXIST;
    if (old >= 0 && this.#isPerCpu) {
      this.#recency?.use(old);
      return this.#table.valueAddress(old);
    }
    if (old < 0 && this.#table.size >= this.limit && !this.#evict()) return -errno.E2BIG;
    const slot = this.#table.insert(keyAddress, hash);
    this.#recency?.use(slot);
    if (old >= 0) this.#free(old);
    return this.#table.valueAddress(slot);
  }

  remove(keyAddress: number): number {
    const slot = this.#table.find(keyAddress);
    if (slot < 0) return -errno.ENOENT;
    this.#free(slot);
    return 0;
  }

  at(position: number): MapSlot | undefined {
    if (!this.#table.isLive(position)) return undefined;
    return {
      keyAddress: this.#table.keyAddress(position), key: 0,
      valueAddress: this.#table.valueAddress(position),
    };
  }

  // Which entry the kernel evicts depends on its per-CPU lists; here it is the one unused longest.
  #evict(): boolean {
    const oldest = this.#recency?.oldest();
    if (oldest === undefined) return false;
    this.#free(oldest);
    return true;
  }

  #free(slot: number): void {
    this.#recency?.forget(slot);
    this.#table.remove(slot);
  }
}
