import type { Micros } from '../../lb/ports.ts';

/**
 * Things that wait a fixed time before they may be used again, because a program that runs now may
 * still hold a reference to them (datapath.md 10).
 */
export class Quarantine<T> {
  readonly period: Micros;
  #waiting: { readonly due: Micros; readonly item: T }[] = [];
  #head = 0;

  constructor(period: Micros) {
    this.period = period;
  }

  get size(): number {
    return this.#waiting.length - this.#head;
  }

  /** When the next one is free; undefined when nothing waits. */
  get nextDue(): Micros | undefined {
    return this.#waiting[this.#head]?.due;
  }

  add(item: T, now: Micros): void {
    this.#waiting.push({ due: now + this.period, item });
  }

  /** Those whose time is over, oldest first; they are told once. */
  release(now: Micros): T[] {
    const free: T[] = [];
    for (;;) {
      const first = this.#waiting[this.#head];
      if (first === undefined || first.due > now) break;
      free.push(first.item);
      this.#head += 1;
    }
    // Cut in halves, so that a long queue is not moved with each look.
    if (this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return free;
  }
}
