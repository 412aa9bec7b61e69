import type { BatchResult, KernelError, KernelPort } from '../../lb/ports.ts';
import { maps } from '../layout.gen.ts';

export type MapName = keyof typeof maps;

/** Where one row goes in a batch. */
export interface RowPlace {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  keyAt: number;
  valueAt: number;
}

/** Rows of one map that are written, or removed, together. */
export interface RowStep<T> {
  readonly map: MapName;
  readonly items: readonly T[];
  /** Encodes the key, and the value where the row is written. */
  put(item: T, place: RowPlace): void;
  /** True for one that need not be tried any more, since something else of its owner failed. */
  skip?(item: T): boolean;
  wrote?(item: T): void;
  refused(item: T, error: KernelError): void;
}

/** Elements of a call: 1,000 keep it below a third of a millisecond (datapath.md 15). */
const batchRowsMax = 1_000;
/** After a refusal there will be more of them, and each call would encode the rest in vain. */
const batchRowsAfterRefusal = 64;

/**
 * Writes rows in as few calls as possible. A refused row is told to its owner, and the others go
 * on: one service port that finds a full map does not keep the rest from being programmed.
 */
export class RowWriter {
  #kernel: KernelPort;
  #places = new Map<MapName, RowPlace>();
  /** Indices of the items of a batch: one list for all of them, because none begins in another. */
  #taken = new Uint32Array(batchRowsMax);
  /** Rows written and removed so far, for metrics. */
  rowsWritten = 0;

  constructor(kernel: KernelPort) {
    this.#kernel = kernel;
  }

  update<T>(step: RowStep<T>): void {
    this.#run(step, (count, { keys, values }) => {
      const rows = {
        count,
        keys: keys.subarray(0, count * maps[step.map].keyBytes),
        values: values.subarray(0, count * maps[step.map].valueBytes),
      };
      return this.#kernel.updateMany(step.map, rows, 'any');
    });
  }

  remove<T>(step: RowStep<T>): void {
    this.#run(step, (count, { keys }) => this.#kernel.removeMany(
      step.map, { count, keys: keys.subarray(0, count * maps[step.map].keyBytes) },
    ));
  }

  #run<T>(step: RowStep<T>, send: (count: number, place: RowPlace) => BatchResult): void {
    const { items } = step;
    let rowsMax = batchRowsMax;
    let from = 0;
    while (from < items.length) {
      const batch = this.#fill(step, from, rowsMax);
      from = batch.next;
      const { count, place } = batch;
      if (count === 0) continue;
      const { written, error } = send(count, place);
      this.rowsWritten += written;
      for (let index = 0; step.wrote !== undefined && index < written; index += 1) {
        const item = items[this.#taken[index] ?? 0];
        if (item !== undefined) step.wrote(item);
      }
      if (error === undefined) continue;
      const at = this.#taken[written] ?? 0;
      const item = items[at];
      if (item !== undefined) step.refused(item, error);
      from = at + 1;
      rowsMax = batchRowsAfterRefusal;
    }
  }

  #fill<T>(step: RowStep<T>, from: number, rowsMax: number): Batch {
    const { items } = step;
    const { keyBytes, valueBytes } = maps[step.map];
    const place = this.#place(step.map);
    let count = 0;
    let next = from;
    for (; next < items.length && count < rowsMax; next += 1) {
      const item = items[next];
      if (item === undefined || step.skip?.(item) === true) continue;
      place.keyAt = count * keyBytes;
      place.valueAt = count * valueBytes;
      step.put(item, place);
      this.#taken[count] = next;
      count += 1;
    }
    return { count, next, place };
  }

  // One pair of buffers a map for ever: the kernel copies what it is given.
  #place(map: MapName): RowPlace {
    const known = this.#places.get(map);
    if (known !== undefined) return known;
    const { keyBytes, valueBytes } = maps[map];
    const place = {
      keys: new Uint8Array(batchRowsMax * keyBytes),
      values: new Uint8Array(batchRowsMax * valueBytes), keyAt: 0, valueAt: 0,
    };
    this.#places.set(map, place);
    return place;
  }
}

interface Batch {
  /** Items in the batch. */
  readonly count: number;
  readonly next: number;
  readonly place: RowPlace;
}
