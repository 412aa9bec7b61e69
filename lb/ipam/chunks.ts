import { assert } from '../result.ts';
import { Bitmap, bitmapBitsMax, Leaf, leafBits, type OffsetSet } from './bitmap.ts';

/** A chunk with more taken offsets than this is kept as a leaf: 512 bytes against 8 KiB. */
const sparseMax = 256;

type ChunkKey = number | bigint;

/**
 * Taken offsets of a range too large for a bitmap: chunks of 2^16 offsets, sorted arrays while few
 * are taken and leaves when dense, under a summary of the full ones. Memory goes with the taken.
 */
export class ChunkMap implements OffsetSet {
  readonly size: bigint;
  taken = 0;
  #chunks = new Map<ChunkKey, Sparse | Leaf>();
  // Only the lowest 2^26 chunks are summarised: all of them full would be 2^42 addresses held.
  #full: Bitmap;

  constructor(size: bigint) {
    assert(size > BigInt(bitmapBitsMax), 'a smaller range is a bitmap');
    this.size = size;
    const chunkCount = (size + BigInt(leafBits) - 1n) / BigInt(leafBits);
    const counted = chunkCount < BigInt(bitmapBitsMax) ? Number(chunkCount) : bitmapBitsMax;
    this.#full = new Bitmap(counted);
  }

  takeLowest(): number | undefined {
    const key = this.#full.lowestFree();
    if (key === undefined) return undefined;
    const bit = this.#writable(key).takeLowest();
    this.taken += 1;
    this.#settle(key);
    return key * leafBits + bit;
  }

  take(offset: number | bigint): boolean {
    const { key, bit } = place(offset);
    if (!this.#writable(key).take(bit)) return false;
    this.taken += 1;
    this.#settle(key);
    return true;
  }

  free(offset: number | bigint): boolean {
    const { key, bit } = place(offset);
    const chunk = this.#chunks.get(key);
    if (chunk === undefined || !chunk.free(bit)) return false;
    this.taken -= 1;
    if (key < bitmapBitsMax) this.#full.free(key);
    if (chunk.taken === 0) this.#chunks.delete(key);
    return true;
  }

  has(offset: number | bigint): boolean {
    const { key, bit } = place(offset);
    return this.#chunks.get(key)?.has(bit) ?? false;
  }

  // The chunk, ready for one more offset.
  #writable(key: ChunkKey): Sparse | Leaf {
    const present = this.#chunks.get(key);
    if (present instanceof Leaf) return present;
    const size = this.#chunkSize(key);
    const crowded = present !== undefined && present.taken >= Math.min(sparseMax, size - 1);
    if (present !== undefined && !crowded) return present;
    const chunk = crowded ? present.toLeaf(size) : new Sparse();
    this.#chunks.set(key, chunk);
    return chunk;
  }

  #chunkSize(key: ChunkKey): number {
    const rest = this.size - BigInt(key) * BigInt(leafBits);
    return rest < BigInt(leafBits) ? Number(rest) : leafBits;
  }

  // A sparse chunk is full only if the last chunk of the range has a single offset.
  #settle(key: ChunkKey): void {
    const chunk = this.#chunks.get(key);
    const full = chunk instanceof Leaf ? chunk.full : chunk?.taken === this.#chunkSize(key);
    if (full && key < bitmapBitsMax) this.#full.take(key);
  }
}

/** A few taken bits of a chunk in ascending order. */
class Sparse {
  #bits: number[] = [];

  get taken(): number {
    return this.#bits.length;
  }

  has(bit: number): boolean {
    return this.#bits[this.#search(bit)] === bit;
  }

  takeLowest(): number {
    // Ascending and distinct, so bits[i] = i up to the first gap.
    let low = 0;
    let high = this.#bits.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#bits[middle] === middle) low = middle + 1;
      else high = middle;
    }
    this.#bits.splice(low, 0, low);
    return low;
  }

  take(bit: number): boolean {
    const index = this.#search(bit);
    if (this.#bits[index] === bit) return false;
    this.#bits.splice(index, 0, bit);
    return true;
  }

  free(bit: number): boolean {
    const index = this.#search(bit);
    if (this.#bits[index] !== bit) return false;
    this.#bits.splice(index, 1);
    return true;
  }

  toLeaf(size: number): Leaf {
    const leaf = new Leaf(size);
    for (const bit of this.#bits) leaf.take(bit);
    return leaf;
  }

  #search(bit: number): number {
    let low = 0;
    let high = this.#bits.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#bits[middle] ?? 0) < bit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function place(offset: number | bigint): { key: ChunkKey; bit: number } {
  if (typeof offset === 'number') {
    return { key: Math.floor(offset / leafBits), bit: offset % leafBits };
  }
  const key = offset >> 16n;
  const bit = Number(offset & 0xffffn);
  // One key per chunk, whichever way the offset came.
  return { key: key <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(key) : key, bit };
}
