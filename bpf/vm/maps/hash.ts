import { errno } from '../errno.ts';
import type { MapDefinition } from '../mapdefinition.ts';
import { mapType } from '../mapdefinition.ts';
import { isLru } from '../layout.ts';
import type { Memory } from '../memory.ts';
import { updateFlag, type EngineMap } from './map.ts';
import { Recency } from './recency.ts';
import { EntryTable, type EntryShape } from './table.ts';

/**
 * HASH, PERCPU_HASH and the LRU kinds (kernel/bpf/hashtab.c). An update of a HASH or LRU element
 * puts a new element in place of the old one, as the kernel does: a pointer to the old value is
 * then one to freed memory. Per-CPU values are overwritten in place.
 */
export class HashMap implements EngineMap {
  readonly definition: MapDefinition;
  /** Entries that fit; the host may lower it below the declared number to let the map be full. */
  limit: number;
  readonly #table: EntryTable;
  readonly #recency: Recency | undefined;
  readonly #isPerCpu: boolean;

  constructor(memory: Memory, definition: MapDefinition, index: number) {
    const { type } = definition;
    this.definition = definition;
    this.limit = definition.entriesMax;
    this.#isPerCpu = type === mapType.hashPerCpu || type === mapType.hashLruPerCpu;
    this.#table = new EntryTable(memory, hashShape(definition), index);
    this.#recency = isLru(definition) ? new Recency(memory, this.#table) : undefined;
  }

  get size(): number {
    return this.#table.size;
  }

  get positions(): number {
    return this.#table.positions;
  }

  lookup(keyAddress: number): number {
    const entry = this.#table.find(keyAddress);
    if (entry === 0) return 0;
    this.#recency?.use(entry);
    return this.#table.valueAddress(entry);
  }

  peek(keyAddress: number): number {
    const entry = this.#table.find(keyAddress);
    return entry === 0 ? 0 : this.#table.valueAddress(entry);
  }

  place(keyAddress: number, flags: number): number {
    if (flags < 0 || flags > updateFlag.exist) return -errno.EINVAL;
    const hash = this.#table.hash(keyAddress);
    const old = this.#table.find(keyAddress, hash);
    if (old === 0 && flags === updateFlag.exist) return -errno.ENOENT;
    if (old !== 0 && flags === updateFlag.noexist) return -errno.EEXIST;
    if (old !== 0 && this.#isPerCpu) {
      this.#recency?.use(old);
      return this.#table.valueAddress(old);
    }
    if (old === 0 && this.#table.size >= this.limit && !this.#evict()) return -errno.E2BIG;
    const entry = this.#table.insert(keyAddress, hash);
    this.#recency?.use(entry);
    if (old !== 0) this.#table.remove(old);
    return this.#table.valueAddress(entry);
  }

  remove(keyAddress: number): number {
    const entry = this.#table.find(keyAddress);
    if (entry === 0) return -errno.ENOENT;
    this.#table.remove(entry);
    return 0;
  }

  valueAt(position: number): number {
    const entry = this.#table.at(position);
    return entry === 0 ? 0 : this.#table.valueAddress(entry);
  }

  keyAt(position: number): number {
    return this.#table.keyAddress(this.#table.at(position));
  }

  // Which entry the kernel evicts depends on its per-CPU lists; here it is the one unused longest.
  #evict(): boolean {
    const oldest = this.#recency?.oldest() ?? 0;
    if (oldest === 0) return false;
    this.#table.remove(oldest);
    return true;
  }
}

/** How the entries of a hash lie in memory. */
export function hashShape(definition: MapDefinition): EntryShape {
  const { keySize, valueSize } = definition;
  return { keySize, valueSize, tailSize: 0, remembersUse: isLru(definition) };
}
