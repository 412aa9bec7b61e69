import type { Micros } from '../lb/ports.ts';
import { KnownName, type EventName, type WorldEvent } from './event.ts';
import { hashOfName, hashText } from './hash.ts';
import { orderOf } from './queue.ts';

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

  record(event: WorldEvent, draws: number): void {
    const { time, nameHash, digest } = event;
    // `>>> 0` is the remainder by 2^32 of a whole number, without a division.
    this.#mix(time >>> 0);
    this.#mix((time / 0x1_0000_0000) | 0);
    this.#mix(event.count ^ (event.rank << 14));
    this.#mix(nameHash);
    this.#mix(digest);
    this.#mix(draws);
    if (this.#capture?.block === this.#blocks.length) {
      const { kind, entity } = event.name;
      this.#captured.push({ time, order: orderOf(event), kind, entity, digest, draws });
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

  /** The hash of a name, whose texts are hashed once per world. */
  nameHash(name: EventName): number {
    if (name instanceof KnownName) return name.hash;
    return hashOfName(this.#textHash(name.kind), this.#textHash(name.entity));
  }

  #textHash(text: string): number {
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

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
