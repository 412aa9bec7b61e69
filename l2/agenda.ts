import type { Clock, Micros, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';

/**
 * When to look at what again, under one timer: thousands of waits of T3, T5, T6 and E1 share it.
 * A key has one instant; the earlier of two wins.
 */
export class Agenda {
  #clock: Clock;
  #run: (keys: readonly string[]) => void;
  #due = new Map<string, Micros>();
  #timer: Timer | undefined;
  #timerDue = 0;

  /** `run` gets the keys that are due, in text order. */
  constructor(clock: Clock, run: (keys: readonly string[]) => void) {
    this.#clock = clock;
    this.#run = run;
  }

  add(key: string, due: Micros): void {
    const known = this.#due.get(key);
    if (known !== undefined && known <= due) return;
    this.#due.set(key, due);
    this.#arm(due);
  }

  delete(key: string): void {
    this.#due.delete(key);
  }

  has(key: string): boolean {
    return this.#due.has(key);
  }

  clear(): void {
    this.#due.clear();
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
    let next: Micros | undefined;
    for (const [key, due] of this.#due) {
      if (due <= now) keys.push(key);
      else next = Math.min(next ?? due, due);
    }
    for (const key of keys) this.#due.delete(key);
    if (next !== undefined) this.#arm(next);
    this.#run(keys.sort(compareText));
  }
}
