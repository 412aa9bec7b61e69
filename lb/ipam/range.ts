import { assert } from '../result.ts';
import { spanSize, type Address, type Span } from './address.ts';
import { Bitmap, bitmapBitsMax, type OffsetSet } from './bitmap.ts';
import { ChunkMap } from './chunks.ts';

/**
 * The taken addresses of one block, lowest free first. Taken means: not for a grant, be it held,
 * reserved or resting. Never lists its addresses, so a /64 costs no more than a /32
 * (lb-ipam.md 13).
 */
export class AddressRange {
  readonly span: Span;
  readonly size: bigint;
  #offsets: OffsetSet;

  constructor(span: Span) {
    this.span = span;
    this.size = spanSize(span);
    const small = this.size <= BigInt(bitmapBitsMax);
    this.#offsets = small ? new Bitmap(Number(this.size)) : new ChunkMap(this.size);
  }

  get taken(): number {
    return this.#offsets.taken;
  }

  get full(): boolean {
    return BigInt(this.#offsets.taken) === this.size;
  }

  /** The lowest free address, now taken; undefined when the range is full. */
  takeLowest(): Address | undefined {
    const offset = this.#offsets.takeLowest();
    if (offset === undefined) return undefined;
    const first = this.span.first;
    return typeof first === 'number' ? first + offset : first + BigInt(offset);
  }

  /** False when it was taken before. The address must lie in the range. */
  take(address: Address): boolean {
    return this.#offsets.take(this.#offsetOf(address));
  }

  /** False when it was free before. The address must lie in the range. */
  free(address: Address): boolean {
    return this.#offsets.free(this.#offsetOf(address));
  }

  has(address: Address): boolean {
    return this.#offsets.has(this.#offsetOf(address));
  }

  #offsetOf(address: Address): number | bigint {
    const first = this.span.first;
    if (typeof address === 'number' && typeof first === 'number') return address - first;
    assert(typeof address === 'bigint' && typeof first === 'bigint', 'range and address agree');
    return address - first;
  }
}
