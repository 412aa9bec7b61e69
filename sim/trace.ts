import type { Micros } from '../lb/ports.ts';

/** Records per block hash, small enough to find a first difference by looking at one block. */
export const blockRecords = 1024;

export interface TraceRecord {
  readonly time: Micros;
  readonly order: number;
  readonly kind: string;
  readonly entity: string;
  readonly digest: number;
  readonly draws: number;
}

/**
 * The rolling 64-bit hash over every event of a run, and its value after each block. Equal hashes
 * mean equal runs. Texts are hashed once per world, integers as two words.
 */
export class Trace {
  #high = 0x243f6a88;
  #low = 0x85a308d3;
  #texts = new Map<string, number>();
  #blocks: string[] = [];
  #captured: TraceRecord[] = [];
  #capture: { readonly block: number } | undefined;
  count = 0;

  /** Keeps the records of one block, to show the first difference of two runs. */
  captureBlock(block: number): void {
    this.#capture = { block };
  }

  record(record: Omit<TraceRecord, 'draws'>, draws: number): void {
    // `>>> 0` is the remainder by 2^32 of a whole number, without a division.
    this.#mix(record.time >>> 0);
    this.#mix((record.time / 0x1_0000_0000) | 0);
    this.#mix(record.order >>> 0);
    this.#mix(this.textHash(record.kind));
    this.#mix(this.textHash(record.entity));
    this.#mix(record.digest);
    this.#mix(draws);
    if (this.#capture?.block === this.#blocks.length) {
      const { time, order, kind, entity, digest } = record;
      this.#captured.push({ time, order, kind, entity, digest, draws });
    }
    this.count += 1;
    if (this.count % blockRecords === 0) this.#blocks.push(this.hash);
  }

  /** Sixteen hex digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low);
  }

  get blocks(): readonly string[] {
    return this.#blocks;
  }

  get captured(): readonly TraceRecord[] {
    return this.#captured;
  }

  textHash(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const hash = hashText(text);
    this.#texts.set(text, hash);
    return hash;
  }

  #mix(word: number): void {
    this.#high = Math.imul(this.#high ^ word, 0x9e3779b1);
    this.#low = Math.imul((this.#low + word) ^ (this.#high >>> 15), 0x85ebca77);
    this.#high ^= this.#low >>> 13;
  }
}

/** FNV-1a over the code units of a text, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** FNV-1a over bytes, 32 bits: the digest of a frame. */
export function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
