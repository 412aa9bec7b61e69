import type { Micros } from '../../lb/ports.ts';

/**
 * Keys with the time of their end, for objects that live for a fixed time after their last write
 * (A14). Looked at when the next one is written, so that nothing stands in the heap of the world.
 */
export class Expiry {
  readonly #life: Micros;
  #queue: { readonly key: string; readonly due: Micros }[] = [];
  #latest = new Map<string, Micros>();

  constructor(life: Micros) {
    this.#life = life;
  }

  /** Notes a write of `key` at `now`. */
  touch(key: string, now: Micros): void {
    const due = now + this.#life;
    this.#queue.push({ key, due });
    this.#latest.set(key, due);
  }

  /** Keys whose time is over, oldest first, each once; they are forgotten. */
  take(now: Micros): string[] {
    const over: string[] = [];
    let count = 0;
    for (const { key, due } of this.#queue) {
      if (due > now) break;
      count += 1;
      if (this.#latest.get(key) !== due) continue;
      this.#latest.delete(key);
      over.push(key);
    }
    this.#queue.splice(0, count);
    return over;
  }
}
