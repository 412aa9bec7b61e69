import type { Micros, Timer } from '../../lb/ports.ts';
import type { World } from '../world.ts';

/** Something that may come due; `order` breaks ties. */
export interface Due {
  readonly order: number;
}

/**
 * Many deadlines behind one event of the heap. Most deadlines of a network are cancelled by the
 * answer, so setting and clearing are cheap and the event, armed for the earliest deadline there
 * ever was, looks for what is really due when it fires.
 */
export class Deadlines<T extends Due> {
  #world: World;
  #event: { kind: string; entity: string };
  #expire: (item: T) => void;
  #due = new Map<T, Micros>();
  #armedAt: Micros = Number.MAX_SAFE_INTEGER;
  #timer: Timer | undefined;

  constructor(world: World, event: { kind: string; entity: string }, expire: (item: T) => void) {
    this.#world = world;
    this.#event = event;
    this.#expire = expire;
  }

  /** Replaces an earlier deadline of the item. */
  set(item: T, due: Micros): void {
    this.#due.set(item, due);
    if (due < this.#armedAt) this.#arm(due);
  }

  clear(item: T): void {
    this.#due.delete(item);
  }

  clearAll(): void {
    this.#due.clear();
  }

  #arm(due: Micros): void {
    this.#timer?.cancel();
    this.#armedAt = due;
    this.#timer = this.#world.schedule(due - this.#world.now, this.#event, () => this.#fire());
  }

  #fire(): void {
    const { now } = this.#world;
    this.#timer = undefined;
    this.#armedAt = Number.MAX_SAFE_INTEGER;
    const expired: T[] = [];
    let next = Number.MAX_SAFE_INTEGER;
    for (const [item, due] of this.#due) {
      if (due <= now) expired.push(item);
      else if (due < next) next = due;
    }
    if (next < Number.MAX_SAFE_INTEGER) this.#arm(next);
    expired.sort((left, right) => left.order - right.order);
    for (const item of expired) {
      const due = this.#due.get(item);
      // One expiry may have cleared or moved another.
      if (due === undefined || due > now) continue;
      this.#due.delete(item);
      this.#expire(item);
    }
  }
}
