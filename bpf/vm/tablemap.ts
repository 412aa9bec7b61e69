import { errno } from './errno.ts';
import { place } from './layout.ts';
import { ArrayMap } from './maps/array.ts';
import { updateFlag } from './maps/map.ts';
import type { Memory } from './memory.ts';
import type { TableMap } from './runtime.ts';

/** One entry as bytes, copied. */
export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A step of a walk: what it found, and where to go on; `undefined` at the end. */
export interface WalkStep {
  readonly entries: readonly Entry[];
  readonly next: WalkCursor | undefined;
}

export interface WalkCursor {
  readonly position: number;
  /** Power of two that the positions of this walk lie below. */
  readonly span: number;
}

/**
 * A map of a machine as bpf(2) shows it: bytes in, bytes out, status 0 or a negated errno. Keys of
 * a wrong length are EINVAL. Values of per-CPU maps are those of the only CPU, rounded up to 8.
 */
export class MachineMap {
  readonly map: TableMap;
  readonly #memory: Memory;
  readonly #seed: number;

  /** `seed` decides the order in which walks meet the entries. */
  constructor(memory: Memory, map: TableMap, seed: number) {
    this.#memory = memory;
    this.map = map;
    this.#seed = seed;
  }

  get name(): string {
    return this.map.definition.name;
  }

  /** Entries in it; for an array all that it has. */
  get size(): number {
    return this.map.size;
  }

  /** Sizes as bpf(2) moves them, in bytes. */
  get keySize(): number {
    return this.map.definition.keySize;
  }

  get valueSize(): number {
    return this.map.valueSize;
  }

  /** A copy of the value; undefined when there is none. Leaves no trace in an LRU map. */
  lookup(key: Uint8Array): Uint8Array | undefined {
    if (key.length !== this.keySize) return undefined;
    this.#takeKey(key, 0);
    const address = this.map.peek(place.scratch);
    return address === 0 ? undefined : this.#memory.bytes.slice(address, address + this.valueSize);
  }

  /** `flag` is BPF_ANY, BPF_NOEXIST or BPF_EXIST. */
  update(key: Uint8Array, value: Uint8Array, flag: number = updateFlag.any): number {
    if (value.length !== this.valueSize || key.length !== this.keySize) return -errno.EINVAL;
    return this.updateBatch(key, value, flag).status;
  }

  remove(key: Uint8Array): number {
    if (key.length !== this.keySize) return -errno.EINVAL;
    this.#takeKey(key, 0);
    return this.map.remove(place.scratch);
  }

  /**
   * Updates `keys.length / keySize` entries from buffers of keys and values one behind the other.
   * Stops at the first that fails; `done` counts those before it.
   */
  updateBatch(
    keys: Uint8Array, values: Uint8Array, flag: number = updateFlag.any,
  ): { readonly status: number; readonly done: number } {
    const { keySize, valueSize } = this;
    const count = Math.floor(keys.length / keySize);
    for (let done = 0; done < count; done += 1) {
      this.#takeKey(keys, done * keySize);
      const address = this.map.place(place.scratch, flag);
      if (address <= 0) return { status: address, done };
      const { bytes } = this.#memory;
      const from = done * valueSize;
      for (let at = 0; at < valueSize; at += 1) bytes[address + at] = values[from + at] ?? 0;
    }
    return { status: 0, done: count };
  }

  /** All entries in an order that the seed decides. An array has all of its elements. */
  entries(): Entry[] {
    const found: Entry[] = [];
    for (const position of this.#positions()) {
      const entry = this.#entryAt(position);
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  /** The entries that may differ from zero: an array without the parts that nobody has touched. */
  touched(): Entry[] {
    const { map } = this;
    if (!(map instanceof ArrayMap)) return this.entries();
    const found: Entry[] = [];
    for (let index = 0; index < map.size; index += 1) {
      const entry = map.isTouched(index) ? this.#entryAt(index) : undefined;
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  /**
   * Goes over up to `count` positions, beginning at the start without a cursor. Entries that live
   * from the first step to the last are met exactly once, whatever is written in between.
   */
  walk(count: number, cursor?: WalkCursor): WalkStep {
    const { position, span } = cursor ?? { position: 0, span: spanOf(this.map.positions) };
    const entries: Entry[] = [];
    const end = Math.min(span, position + count);
    for (let at = position; at < end; at += 1) {
      const entry = this.#entryAt(this.#shuffled(at, span));
      if (entry !== undefined) entries.push(entry);
    }
    return { entries, next: end === span ? undefined : { position: end, span } };
  }

  *#positions(): Generator<number> {
    const span = spanOf(this.map.positions);
    for (let at = 0; at < span; at += 1) yield this.#shuffled(at, span);
  }

  // A permutation of [0, span): products with odd numbers and shifted sums can be undone.
  #shuffled(position: number, span: number): number {
    const mask = span - 1;
    const half = (32 - Math.clz32(mask)) >> 1;
    const odd = (Math.imul(this.#seed, 0x9e3779b1) | 1) & mask;
    let at = (Math.imul(position, odd) + this.#seed) & mask;
    at ^= half === 0 ? 0 : at >>> half;
    at = Math.imul(at, 0x2c1b3c6d & mask | 1) & mask;
    return at ^ (half === 0 ? 0 : at >>> half);
  }

  #entryAt(position: number): Entry | undefined {
    if (position >= this.map.positions) return undefined;
    const slot = this.map.at(position);
    if (slot === undefined) return undefined;
    const { bytes } = this.#memory;
    const value = bytes.slice(slot.valueAddress, slot.valueAddress + this.valueSize);
    if (slot.keyAddress === 0) return { key: wordBytes(slot.key), value };
    return { key: bytes.slice(slot.keyAddress, slot.keyAddress + this.keySize), value };
  }

  #takeKey(keys: Uint8Array, from: number): void {
    const { bytes } = this.#memory;
    const { keySize } = this;
    for (let at = 0; at < keySize; at += 1) bytes[place.scratch + at] = keys[from + at] ?? 0;
  }
}

function spanOf(positions: number): number {
  return positions <= 1 ? positions : 1 << (32 - Math.clz32(positions - 1));
}

function wordBytes(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}
