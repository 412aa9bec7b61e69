import { access, type Memory } from '../memory.ts';

/** Sizes of one entry, in bytes. */
export interface EntryShape {
  readonly keySize: number;
  readonly valueSize: number;
  /** Bytes behind the value that only the map itself reads. */
  readonly tailSize: number;
}

const absent = -1;
const slabBytesMax = 16_384;

/**
 * Keys and values in linear memory behind an index in ordinary arrays. A value stays at its address
 * as long as it lives; space grows with what is in use. Slots number the entries.
 */
export class SlotTable {
  readonly #memory: Memory;
  readonly #shape: EntryShape;
  readonly #valueAt: number;
  readonly #stride: number;
  #heads = new Int32Array(8).fill(absent);
  #next = new Int32Array(4);
  #hashes = new Int32Array(4);
  #addresses = new Int32Array(4);
  #live = new Uint8Array(4);
  #slotCount = 0;
  #freeFirst = absent;
  #freeLast = absent;
  #size = 0;

  constructor(memory: Memory, shape: EntryShape) {
    this.#memory = memory;
    this.#shape = shape;
    this.#valueAt = Math.ceil(shape.keySize / 8) * 8;
    const value = Math.ceil((shape.valueSize + shape.tailSize) / 8) * 8;
    // At least eight bytes between a value and the next key, so that an overrun is seen.
    this.#stride = this.#valueAt + value + (this.#valueAt === 0 ? 8 : 0);
  }

  /** Entries that live. */
  get size(): number {
    return this.#size;
  }

  /** Slots that ever lived: every slot is below it. */
  get slotCount(): number {
    return this.#slotCount;
  }

  isLive(slot: number): boolean {
    return this.#live[slot] === 1;
  }

  keyAddress(slot: number): number {
    return this.#addresses[slot] ?? 0;
  }

  valueAddress(slot: number): number {
    return (this.#addresses[slot] ?? 0) + this.#valueAt;
  }

  /** The slot whose key equals the bytes at an address, or -1; `hash` is that of the key. */
  find(keyAddress: number, hash = this.hash(keyAddress)): number {
    let slot = this.#heads[hash & (this.#heads.length - 1)] ?? absent;
    while (slot !== absent) {
      if (this.#hashes[slot] === hash && this.#sameKey(this.#addresses[slot] ?? 0, keyAddress)) {
        return slot;
      }
      slot = this.#next[slot] ?? absent;
    }
    return absent;
  }

  /** Adds an entry with a copy of the key and a value of arbitrary content; its slot. */
  insert(keyAddress: number, hash = this.hash(keyAddress)): number {
    if (this.#size >= this.#heads.length) this.#rehash();
    const slot = this.#takeSlot();
    const address = this.#addresses[slot] ?? 0;
    const { keySize, valueSize } = this.#shape;
    const { bytes } = this.#memory;
    for (let at = 0; at < keySize; at += 1) bytes[address + at] = bytes[keyAddress + at] ?? 0;
    this.#memory.mark({ address: address + this.#valueAt, length: valueSize }, access.both);
    this.#hashes[slot] = hash;
    this.#live[slot] = 1;
    this.#link(slot);
    this.#size += 1;
    return slot;
  }

  /** Frees an entry. Its memory is not reused before that of all entries freed earlier. */
  remove(slot: number): void {
    this.#unlink(slot);
    this.#live[slot] = 0;
    this.#size -= 1;
    const { valueSize } = this.#shape;
    this.#memory.mark({ address: this.valueAddress(slot), length: valueSize }, access.freed);
    this.#next[slot] = absent;
    if (this.#freeLast === absent) this.#freeFirst = slot;
    else this.#next[this.#freeLast] = slot;
    this.#freeLast = slot;
  }

  /** Depends on the bytes of the key alone, and is no secret: flooding is not modelled. */
  hash(address: number): number {
    const { view } = this.#memory;
    const { keySize } = this.#shape;
    let hash = keySize;
    let at = 0;
    for (; at + 4 <= keySize; at += 4) {
      hash = Math.imul(hash ^ view.getInt32(address + at, true), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (; at < keySize; at += 1) hash = Math.imul(hash ^ view.getUint8(address + at), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 13), 0x85ebca6b);
    return hash ^ (hash >>> 16);
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

  #link(slot: number): void {
    const bucket = (this.#hashes[slot] ?? 0) & (this.#heads.length - 1);
    this.#next[slot] = this.#heads[bucket] ?? absent;
    this.#heads[bucket] = slot;
  }

  #unlink(slot: number): void {
    const bucket = (this.#hashes[slot] ?? 0) & (this.#heads.length - 1);
    const after = this.#next[slot] ?? absent;
    let at = this.#heads[bucket] ?? absent;
    if (at === slot) {
      this.#heads[bucket] = after;
      return;
    }
    while (this.#next[at] !== slot) at = this.#next[at] ?? absent;
    this.#next[at] = after;
  }

  #rehash(): void {
    this.#heads = new Int32Array(this.#heads.length * 2).fill(absent);
    for (let slot = 0; slot < this.#slotCount; slot += 1) {
      if (this.#live[slot] === 1) this.#link(slot);
    }
  }

  #takeSlot(): number {
    const slot = this.#freeFirst;
    if (slot === absent) {
      this.#addSlab();
      return this.#takeSlot();
    }
    this.#freeFirst = this.#next[slot] ?? absent;
    if (this.#freeFirst === absent) this.#freeLast = absent;
    return slot;
  }

  // As many entries again as there are, in one piece, up to a limit.
  #addSlab(): void {
    const fitting = Math.max(1, Math.floor(slabBytesMax / this.#stride));
    const count = Math.min(Math.max(4, this.#slotCount), fitting);
    const from = this.#memory.allocate(count * this.#stride);
    const first = this.#slotCount;
    this.#slotCount += count;
    if (this.#slotCount > this.#next.length) this.#widen();
    for (let slot = first; slot < this.#slotCount; slot += 1) {
      this.#addresses[slot] = from + (slot - first) * this.#stride;
      this.#next[slot] = slot + 1 < this.#slotCount ? slot + 1 : absent;
    }
    this.#freeFirst = first;
    this.#freeLast = this.#slotCount - 1;
  }

  #widen(): void {
    const length = Math.max(this.#slotCount, this.#next.length * 2);
    this.#next = widened(this.#next, length);
    this.#hashes = widened(this.#hashes, length);
    this.#addresses = widened(this.#addresses, length);
    const live = new Uint8Array(length);
    live.set(this.#live);
    this.#live = live;
  }
}

function widened(old: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const wide = new Int32Array(length);
  wide.set(old);
  return wide;
}
