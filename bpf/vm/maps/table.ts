import { access, type Memory } from '../memory.ts';

/** Sizes of one entry, in bytes. */
export interface EntryShape {
  readonly keySize: number;
  readonly valueSize: number;
  /** Bytes behind the value that only the map itself reads. */
  readonly tailSize: number;
  /** Whether an entry remembers when it was used last (`entryField.used`). */
  readonly remembersUse: boolean;
}

/**
 * What stands in front of the key of an entry. Programs may not touch it, so that an overrun of the
 * entry before is seen. `next` is an address, 0 at the end of a chain; `hash` is odd, 0 in an entry
 * that is free; `used` is a u64.
 */
export const entryField = { next: 0, hash: 4, used: 8 } as const;

/** The index of a table, at an address of the layout: where the heads of chains lie, their mask. */
export const indexField = { heads: 0, mask: 4 } as const;
export const indexBytes = 8;

/** Constants of the hash of a key, which translated code computes too. */
export const hashFactor = { word: 0x9e3779b1, byte: 0x01000193, last: 0x85ebca6b } as const;

const slabBytesMax = 16_384;
const headsFirst = 8;

/** Bytes from the start of an entry to its key. */
export function keyOffset(shape: EntryShape): number {
  return shape.remembersUse ? 16 : 8;
}

/** Bytes from the start of an entry to its value. */
export function valueOffset(shape: EntryShape): number {
  return keyOffset(shape) + Math.ceil(shape.keySize / 8) * 8;
}

/**
 * Chained hashing in linear memory, where translated code finds a key without leaving its module.
 * An entry is the address of its fields in front of the key. It stays there as long as it lives;
 * space grows with what is in use.
 */
export class EntryTable {
  readonly #memory: Memory;
  readonly #shape: EntryShape;
  readonly #index: number;
  readonly #keyAt: number;
  readonly #valueAt: number;
  readonly #stride: number;
  #headCount = headsFirst;
  /** Every entry there ever was, by position. */
  #addresses = new Int32Array(4);
  #positions = 0;
  #freeFirst = 0;
  #freeLast = 0;
  #size = 0;

  /** `index` is where the layout has room for `indexBytes`. */
  constructor(memory: Memory, shape: EntryShape, index: number) {
    this.#memory = memory;
    this.#shape = shape;
    this.#index = index;
    this.#keyAt = keyOffset(shape);
    this.#valueAt = valueOffset(shape);
    this.#stride = this.#valueAt + Math.ceil((shape.valueSize + shape.tailSize) / 8) * 8;
    this.#newHeads();
  }

  /** Entries that live. */
  get size(): number {
    return this.#size;
  }

  /** Entries that ever lived: every position is below it. */
  get positions(): number {
    return this.#positions;
  }

  /** The live entry at a position, or 0. */
  at(position: number): number {
    const entry = this.#addresses[position] ?? 0;
    return entry !== 0 && this.isLive(entry) ? entry : 0;
  }

  isLive(entry: number): boolean {
    return this.#memory.view.getInt32(entry + entryField.hash, true) !== 0;
  }

  keyAddress(entry: number): number {
    return entry + this.#keyAt;
  }

  valueAddress(entry: number): number {
    return entry + this.#valueAt;
  }

  /** The entry whose key equals the bytes at an address, or 0; `hash` is that of the key. */
  find(keyAddress: number, hash = this.hash(keyAddress)): number {
    const { view } = this.#memory;
    let entry = view.getInt32(this.#headOf(hash), true);
    while (entry !== 0) {
      if (view.getInt32(entry + entryField.hash, true) === hash
        && this.#sameKey(entry + this.#keyAt, keyAddress)) return entry;
      entry = view.getInt32(entry + entryField.next, true);
    }
    return 0;
  }

  /** Adds an entry with a copy of the key and a value of arbitrary content. */
  insert(keyAddress: number, hash = this.hash(keyAddress)): number {
    if (this.#size >= this.#headCount) this.#rehash();
    const entry = this.#takeEntry();
    const { keySize, valueSize } = this.#shape;
    this.#memory.copy(entry + this.#keyAt, { address: keyAddress, length: keySize });
    this.#memory.mark({ address: entry + this.#valueAt, length: valueSize }, access.both);
    this.#memory.view.setInt32(entry + entryField.hash, hash, true);
    this.#link(entry, hash);
    this.#size += 1;
    return entry;
  }

  /** Frees an entry. Its memory is not reused before that of all entries freed earlier. */
  remove(entry: number): void {
    const { view } = this.#memory;
    this.#unlink(entry);
    view.setInt32(entry + entryField.hash, 0, true);
    view.setInt32(entry + entryField.next, 0, true);
    this.#size -= 1;
    const span = { address: this.valueAddress(entry), length: this.#shape.valueSize };
    this.#memory.mark(span, access.freed);
    this.#freeLater(entry);
  }

  /** Depends on the bytes of the key alone, and is no secret: flooding is not modelled. Odd. */
  hash(address: number): number {
    const { view } = this.#memory;
    const { keySize } = this.#shape;
    let hash = keySize;
    let at = 0;
    for (; at + 4 <= keySize; at += 4) {
      hash = Math.imul(hash ^ view.getInt32(address + at, true), hashFactor.word);
      hash ^= hash >>> 15;
    }
    for (; at < keySize; at += 1) {
      hash = Math.imul(hash ^ view.getUint8(address + at), hashFactor.byte);
    }
    hash = Math.imul(hash ^ (hash >>> 13), hashFactor.last);
    return hash ^ (hash >>> 16) | 1;
  }

  #sameKey(left: number, right: number): boolean {
    const { view } = this.#memory;
    const { keySize } = this.#shape;
    let at = 0;
    for (; at + 4 <= keySize; at += 4) {
      if (view.getInt32(left + at, true) !== view.getInt32(right + at, true)) return false;
    }
    for (; at < keySize; at += 1) {
      if (view.getUint8(left + at) !== view.getUint8(right + at)) return false;
    }
    return true;
  }

  /** Where the head of the chain of a hash stands; its lowest bit says nothing. */
  #headOf(hash: number): number {
    const heads = this.#memory.view.getInt32(this.#index + indexField.heads, true);
    return heads + ((hash >>> 1) & (this.#headCount - 1)) * 4;
  }

  #link(entry: number, hash: number): void {
    const { view } = this.#memory;
    const head = this.#headOf(hash);
    view.setInt32(entry + entryField.next, view.getInt32(head, true), true);
    view.setInt32(head, entry, true);
  }

  #unlink(entry: number): void {
    const { view } = this.#memory;
    const after = view.getInt32(entry + entryField.next, true);
    let place = this.#headOf(view.getInt32(entry + entryField.hash, true));
    for (;;) {
      const at = view.getInt32(place, true);
      if (at === entry) return view.setInt32(place, after, true);
      place = at + entryField.next;
    }
  }

  #newHeads(): void {
    const heads = this.#memory.allocate(this.#headCount * 4);
    const { view } = this.#memory;
    view.setInt32(this.#index + indexField.heads, heads, true);
    view.setInt32(this.#index + indexField.mask, this.#headCount - 1, true);
  }

  // What the old heads took stays unused; together that is less than the new ones take.
  #rehash(): void {
    this.#headCount *= 2;
    this.#newHeads();
    for (let position = 0; position < this.#positions; position += 1) {
      const entry = this.at(position);
      if (entry === 0) continue;
      this.#link(entry, this.#memory.view.getInt32(entry + entryField.hash, true));
    }
  }

  #takeEntry(): number {
    if (this.#freeFirst === 0) this.#addSlab();
    const entry = this.#freeFirst;
    this.#freeFirst = this.#memory.view.getInt32(entry + entryField.next, true);
    if (this.#freeFirst === 0) this.#freeLast = 0;
    return entry;
  }

  #freeLater(entry: number): void {
    if (this.#freeLast === 0) this.#freeFirst = entry;
    else this.#memory.view.setInt32(this.#freeLast + entryField.next, entry, true);
    this.#freeLast = entry;
  }

  // As many entries again as there are, in one piece, up to a limit.
  #addSlab(): void {
    const fitting = Math.max(1, Math.floor(slabBytesMax / this.#stride));
    const count = Math.min(Math.max(4, this.#positions), fitting);
    const from = this.#memory.allocate(count * this.#stride);
    if (this.#positions + count > this.#addresses.length) this.#widen(this.#positions + count);
    for (let index = 0; index < count; index += 1) {
      const entry = from + index * this.#stride;
      this.#addresses[this.#positions] = entry;
      this.#positions += 1;
      this.#freeLater(entry);
    }
  }

  #widen(wanted: number): void {
    const wide = new Int32Array(Math.max(wanted, this.#addresses.length * 2));
    wide.set(this.#addresses);
    this.#addresses = wide;
  }
}
