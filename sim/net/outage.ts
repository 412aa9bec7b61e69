import type { Micros } from '../../lb/ports.ts';

/** A stretch of failed requests: from the start of the first to the start of the next good one. */
export interface Outage {
  readonly from: Micros;
  /** Undefined while it lasts. */
  readonly until: Micros | undefined;
  readonly failures: number;
}

/**
 * Turns the verdicts of requests, given in the order of their starts, into outages. A request that
 * fails alone is an outage of one period: the next one worked.
 */
export class OutageMeter {
  #closed: Outage[] = [];
  #open: { from: Micros; failures: number } | undefined;
  #total: Micros = 0;
  #longest: Micros = 0;

  add(startedAt: Micros, worked: boolean): void {
    if (!worked) {
      this.#open ??= { from: startedAt, failures: 0 };
      this.#open.failures += 1;
      return;
    }
    if (this.#open === undefined) return;
    this.#closed.push({ ...this.#open, until: startedAt });
    this.#total += startedAt - this.#open.from;
    this.#longest = Math.max(this.#longest, startedAt - this.#open.from);
    this.#open = undefined;
  }

  /** All outages, the last one perhaps still open. */
  get outages(): readonly Outage[] {
    if (this.#open === undefined) return this.#closed;
    return [...this.#closed, { ...this.#open, until: undefined }];
  }

  /** Start of the outage that lasts. */
  get openSince(): Micros | undefined {
    return this.#open?.from;
  }

  /** Length of the longest outage; one that lasts counts up to `now`. */
  longest(now: Micros): Micros {
    return Math.max(this.#longest, this.#open === undefined ? 0 : now - this.#open.from);
  }

  /** Sum of all outages; one that lasts counts up to `now`. */
  total(now: Micros): Micros {
    return this.#total + (this.#open === undefined ? 0 : now - this.#open.from);
  }

  get firstFailureAt(): Micros | undefined {
    return this.outages[0]?.from;
  }

  /** Start of the request that ended the last outage; undefined while one lasts or none was. */
  get recoveredAt(): Micros | undefined {
    return this.#open === undefined ? this.#closed.at(-1)?.until : undefined;
  }
}
