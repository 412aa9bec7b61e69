import { assert } from '../../lb/result.ts';

/**
 * Ids from 1 to `limit` − 1 that index an ARRAY map; 0 means none (datapath.md 7). Freed ids are
 * given again before new ones, so that a map is filled from its start.
 */
export class IdPool {
  readonly limit: number;
  #next = 1;
  #free: number[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Ids given and not released. */
  get taken(): number {
    return this.#next - 1 - this.#free.length;
  }

  /** Undefined when all are taken. */
  take(): number | undefined {
    const freed = this.#free.pop();
    if (freed !== undefined) return freed;
    if (this.#next >= this.limit) return undefined;
    this.#next += 1;
    return this.#next - 1;
  }

  release(id: number): void {
    assert(id > 0 && id < this.#next, `id ${id} was given`);
    this.#free.push(id);
  }

  /** Before the first `take`: marks the ids that an earlier process gave as taken. */
  restore(ids: ReadonlySet<number>): void {
    this.#next = 1 + [...ids].reduce((max, id) => Math.max(max, id), 0);
    // Lowest last, because the last one is given first.
    for (let id = this.#next - 1; id > 0; id -= 1) if (!ids.has(id)) this.#free.push(id);
  }
}

/** A run of whole cells of `fl_lut`. */
export interface Region {
  readonly base: number;
  readonly cells: number;
}

/** Runs of cells, first fit; cell 0 is never given, so that base 0 means none. */
export class RegionPool {
  #free: Region[];

  constructor(limit: number) {
    this.#free = [{ base: 1, cells: limit - 1 }];
  }

  /** Undefined when no run of that many cells is free. */
  take(cells: number): Region | undefined {
    assert(cells > 0, 'a region has cells');
    const index = this.#free.findIndex((run) => run.cells >= cells);
    const run = this.#free[index];
    if (run === undefined) return undefined;
    const rest = { base: run.base + cells, cells: run.cells - cells };
    if (rest.cells > 0) this.#free[index] = rest;
    else this.#free.splice(index, 1);
    return { base: run.base, cells };
  }

  release(region: Region): void {
    const index = this.#placeOf(region.base);
    const before = this.#free[index - 1];
    const after = this.#free[index];
    const end = region.base + region.cells;
    const endBefore = before === undefined ? 0 : before.base + before.cells;
    assert(endBefore <= region.base, `cell ${region.base} is freed once`);
    assert(after === undefined || end <= after.base, `cell ${end - 1} is freed once`);
    const joinsBefore = before !== undefined && endBefore === region.base;
    const joinsAfter = after !== undefined && end === after.base;
    const base = joinsBefore ? before.base : region.base;
    const last = joinsAfter ? after.base + after.cells : end;
    const from = joinsBefore ? index - 1 : index;
    const count = Number(joinsBefore) + Number(joinsAfter);
    this.#free.splice(from, count, { base, cells: last - base });
  }

  /** Takes exactly this run, which an earlier process wrote; false where a cell is not free. */
  reserve(region: Region): boolean {
    const index = this.#placeOf(region.base + 1) - 1;
    const run = this.#free[index];
    const end = region.base + region.cells;
    if (run === undefined || end > run.base + run.cells) return false;
    const parts = [
      { base: run.base, cells: region.base - run.base },
      { base: end, cells: run.base + run.cells - end },
    ].filter((part) => part.cells > 0);
    this.#free.splice(index, 1, ...parts);
    return true;
  }

  // Index of the first free run that starts at `base` or after it.
  #placeOf(base: number): number {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#free[middle]?.base ?? 0) < base) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const idsMax = 0xffff_ffff;

/**
 * 32-bit ids that are not given again before the counter wraps. The counter itself is not kept over
 * a restart, only a lower bound of it can be seen in the maps.
 */
export class IdCounter {
  #last = 0;
  #taken: (id: number) => boolean;

  /** `taken`: ids in use, which a counter that wrapped passes over. */
  constructor(taken: (id: number) => boolean) {
    this.#taken = taken;
  }

  take(): number {
    do {
      this.#last = this.#last === idsMax ? 1 : this.#last + 1;
    } while (this.#taken(this.#last));
    return this.#last;
  }

  /** Continues after `last`. */
  restore(last: number): void {
    this.#last = last;
  }
}
