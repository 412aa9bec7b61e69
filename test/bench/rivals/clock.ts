import type { Clock, Micros, Timer } from '../../../lb/ports.ts';

interface Entry {
  readonly due: Micros;
  readonly callback: () => void;
}

/**
 * A clock that stands still until it is told: what the reconciler does at once is done within
 * `settle`, so that a bench measures work and never waiting.
 */
export class BenchClock implements Clock {
  #now: Micros = 1_000_000;
  #entries = new Set<Entry>();

  now(): Micros {
    return this.#now;
  }

  boot(): Micros {
    return this.#now;
  }

  wall(): Micros {
    return this.#now;
  }

  after(delay: Micros, callback: () => void): Timer {
    const entry = { due: this.#now + delay, callback };
    this.#entries.add(entry);
    return { cancel: () => { this.#entries.delete(entry); } };
  }

  /** Runs what is due, and what becomes due by that, without letting time pass. */
  settle(): void {
    for (let next = this.#dueNow(); next !== undefined; next = this.#dueNow()) {
      this.#entries.delete(next);
      next.callback();
    }
  }

  /** Lets time pass in one leap. */
  pass(span: Micros): void {
    this.#now += span;
    this.settle();
  }

  #dueNow(): Entry | undefined {
    for (const entry of this.#entries) if (entry.due <= this.#now) return entry;
    return undefined;
  }
}
