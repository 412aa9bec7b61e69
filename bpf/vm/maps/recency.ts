import { cell } from '../layout.ts';
import type { Memory } from '../memory.ts';
import { entryField, type EntryTable } from './table.ts';

interface Used {
  readonly entry: number;
  readonly at: number;
}

/**
 * Which entry of a table was used longest ago. Uses are numbered through in a cell that translated
 * code counts up too; an eviction takes the oldest of a sorted list, which is made anew when it has
 * no entry left that nobody used since.
 */
export class Recency {
  readonly #memory: Memory;
  readonly #table: EntryTable;
  /** Oldest last. */
  #candidates: Used[] = [];

  constructor(memory: Memory, table: EntryTable) {
    this.#memory = memory;
    this.#table = table;
  }

  /** The entry is the newest now. */
  use(entry: number): void {
    const { view } = this.#memory;
    const low = (view.getUint32(cell.uses, true) + 1) >>> 0;
    const high = view.getUint32(cell.uses + 4, true) + (low === 0 ? 1 : 0);
    for (const at of [cell.uses, entry + entryField.used]) {
      view.setUint32(at, low, true);
      view.setUint32(at + 4, high, true);
    }
  }

  /** 0 in an empty table. */
  oldest(): number {
    const known = this.#nextCandidate();
    if (known !== 0) return known;
    this.#list();
    return this.#nextCandidate();
  }

  #nextCandidate(): number {
    for (let one = this.#candidates.pop(); one !== undefined; one = this.#candidates.pop()) {
      if (this.#table.isLive(one.entry) && this.#usedAt(one.entry) === one.at) return one.entry;
    }
    return 0;
  }

  #list(): void {
    for (let position = 0; position < this.#table.positions; position += 1) {
      const entry = this.#table.at(position);
      if (entry !== 0) this.#candidates.push({ entry, at: this.#usedAt(entry) });
    }
    this.#candidates.sort((left, right) => right.at - left.at);
  }

  #usedAt(entry: number): number {
    const { view } = this.#memory;
    const at = entry + entryField.used;
    return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
  }
}
