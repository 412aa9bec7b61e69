import { assert } from '../result.ts';

/** Bits of one leaf: its words and both summaries fit a page or two. */
export const leafBits = 65_536;
/** A bitmap holds at most this many offsets; larger ranges are chunked. */
export const bitmapBitsMax = 67_108_864;

const allOnes = 0xffff_ffff;

/** Index of the lowest zero bit of a word that has one. */
function lowestZero(word: number): number {
  const zeros = ~word;
  return 31 - Math.clz32(zeros & -zeros);
}

/**
 * Up to 65,536 bits, a set bit being taken, under two summaries whose bits say that 32 bits below
 * are all set. Bits past the size are born set, so that no search needs a bound.
 */
export class Leaf {
  readonly size: number;
  taken = 0;
  #words: Uint32Array;
  #groups: Uint32Array;
  #top: Uint32Array;

  constructor(size: number) {
    assert(size >= 1 && size <= leafBits, `a leaf has ${size} bits`);
    this.size = size;
    this.#words = bornFull(size);
    this.#groups = bornFull(this.#words.length);
    this.#top = bornFull(this.#groups.length);
  }

  get full(): boolean {
    return this.taken === this.size;
  }

  has(bit: number): boolean {
    return ((this.#words[bit >>> 5] ?? 0) >>> (bit & 31) & 1) === 1;
  }

  /** The leaf must not be full. */
  lowestFree(): number {
    const top = this.#top[0] !== allOnes ? 0 : 1;
    const group = (top << 5) + lowestZero(this.#top[top] ?? 0);
    const word = (group << 5) + lowestZero(this.#groups[group] ?? 0);
    return (word << 5) + lowestZero(this.#words[word] ?? 0);
  }

  /** Takes the lowest free bit; the leaf must not be full. */
  takeLowest(): number {
    const bit = this.lowestFree();
    this.#set(bit);
    return bit;
  }

  /** False when the bit was taken before. */
  take(bit: number): boolean {
    if (this.has(bit)) return false;
    this.#set(bit);
    return true;
  }

  /** False when the bit was free before. */
  free(bit: number): boolean {
    if (!this.has(bit)) return false;
    const word = bit >>> 5;
    const group = word >>> 5;
    const top = group >>> 5;
    this.#words[word] = (this.#words[word] ?? 0) & ~(1 << (bit & 31));
    this.#groups[group] = (this.#groups[group] ?? 0) & ~(1 << (word & 31));
    this.#top[top] = (this.#top[top] ?? 0) & ~(1 << (group & 31));
    this.taken -= 1;
    return true;
  }

  #set(bit: number): void {
    this.taken += 1;
    const word = bit >>> 5;
    const bits = ((this.#words[word] ?? 0) | (1 << (bit & 31))) >>> 0;
    this.#words[word] = bits;
    if (bits !== allOnes) return;
    const group = word >>> 5;
    const words = ((this.#groups[group] ?? 0) | (1 << (word & 31))) >>> 0;
    this.#groups[group] = words;
    if (words !== allOnes) return;
    const top = group >>> 5;
    this.#top[top] = (this.#top[top] ?? 0) | (1 << (group & 31));
  }
}

// One bit per item, in words; the unused bits of the last word are set.
function bornFull(items: number): Uint32Array {
  const words = new Uint32Array(Math.ceil(items / 32));
  const used = items & 31;
  if (used !== 0) words[words.length - 1] = allOnes << used;
  return words;
}

/** A set of taken offsets that finds its lowest free one. */
export interface OffsetSet {
  readonly taken: number;
  /** The lowest free offset, now taken; undefined when there is none. */
  takeLowest(): number | undefined;
  /** False when it was taken before. */
  take(offset: number | bigint): boolean;
  /** False when it was free before. */
  free(offset: number | bigint): boolean;
  has(offset: number | bigint): boolean;
}

/** Offsets below 2^26 as leaves made on first use, under a summary of full leaves. */
export class Bitmap implements OffsetSet {
  readonly size: number;
  taken = 0;
  #leaves: (Leaf | undefined)[];
  #full: Leaf;

  constructor(size: number) {
    assert(size >= 1 && size <= bitmapBitsMax, `a bitmap has ${size} bits`);
    this.size = size;
    const leafCount = Math.ceil(size / leafBits);
    this.#leaves = new Array<Leaf | undefined>(leafCount).fill(undefined);
    this.#full = new Leaf(leafCount);
  }

  lowestFree(): number | undefined {
    if (this.taken === this.size) return undefined;
    const index = this.#full.lowestFree();
    return index * leafBits + (this.#leaves[index]?.lowestFree() ?? 0);
  }

  takeLowest(): number | undefined {
    if (this.taken === this.size) return undefined;
    const index = this.#full.lowestFree();
    const leaf = this.#leafAt(index);
    const bit = leaf.takeLowest();
    this.taken += 1;
    if (leaf.full) this.#full.take(index);
    return index * leafBits + bit;
  }

  take(offset: number | bigint): boolean {
    const { index, bit } = place(Number(offset));
    const leaf = this.#leafAt(index);
    if (!leaf.take(bit)) return false;
    this.taken += 1;
    if (leaf.full) this.#full.take(index);
    return true;
  }

  free(offset: number | bigint): boolean {
    const { index, bit } = place(Number(offset));
    const leaf = this.#leaves[index];
    if (leaf === undefined || !leaf.free(bit)) return false;
    this.taken -= 1;
    this.#full.free(index);
    if (leaf.taken === 0) this.#leaves[index] = undefined;
    return true;
  }

  has(offset: number | bigint): boolean {
    const { index, bit } = place(Number(offset));
    return this.#leaves[index]?.has(bit) ?? false;
  }

  #leafAt(index: number): Leaf {
    const present = this.#leaves[index];
    if (present !== undefined) return present;
    const leaf = new Leaf(Math.min(leafBits, this.size - index * leafBits));
    this.#leaves[index] = leaf;
    return leaf;
  }
}

function place(offset: number): { index: number; bit: number } {
  return { index: Math.floor(offset / leafBits), bit: offset & (leafBits - 1) };
}
