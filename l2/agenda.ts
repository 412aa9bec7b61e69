import { Heap } from '../lb/heap.ts';
import type { Clock, Micros, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';

interface Entry {
  readonly key: string;
  readonly due: Micros;
}

/**
 * When to look at what again, under one timer: thousands of waits of T3, T5, T6 and E1 share it.
 * A key has one instant; the earlier of two wins.
 */
export class Agenda {
  #clock: Clock;
  #run: (keys: readonly string[]) => void;
  #entries = new Map<string, Entry>();
  #order = new Heap<Entry>((a, b) => a.due - b.due || compareText(a.key, b.key));
  #timer: Timer | undefined;
  #timerDue = 0;

  /** `run` gets the keys that are due, in text order. */
  constructor(clock: Clock, run: (keys: readonly string[]) => void) {
    this.#clock = clock;
    this.#run = run;
  }

  add(key: string, due: Micros): void {
    const known = this.#entries.get(key);
    if (known !== undefined && known.due <= due) return;
    if (known !== undefined) this.#order.delete(known);
    const entry = { key, due };
    this.#entries.set(key, entry);
    this.#order.add(entry);
    this.#arm(due);
  }

  delete(key: string): void {
    const known = this.#entries.get(key);
    if (known === undefined) return;
    this.#entries.delete(key);
    this.#order.delete(known);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#order.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(due: Micros): void {
    if (this.#timer !== undefined && this.#timerDue <= due) return;
    this.#timer?.cancel();
    this.#timerDue = due;
    this.#timer = this.#clock.after(Math.max(0, due - this.#clock.now()), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const keys: string[] = [];
    let next = this.#order.peek();
    while (next !== undefined && next.due <= now) {
      this.delete(next.key);
      keys.push(next.key);
      next = this.#order.peek();
    }
    if (next !== undefined) this.#arm(next.due);
    this.#run(keys.sort(compareText));
  }
}
