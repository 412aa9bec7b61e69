import type { Micros, Timer } from '../../lb/ports.ts';
import { KnownName, type EventName } from '../event.ts';
import type { World } from '../world.ts';

/** No deadline. */
export const never: Micros = Number.MAX_SAFE_INTEGER;

/** Something that may come due. `due` and `listed` belong to `Deadlines`. */
export interface Due {
  /** Breaks ties between what comes due together. */
  readonly order: number;
  /** When, or `never`. */
  due: Micros;
  /** True while it stands in the list. */
  listed: boolean;
  /** The deadline came. */
  expire(): void;
}

/**
 * The deadlines of one host behind one event of the heap. Most deadlines of a network are cancelled
 * by the answer, so setting and clearing one is a store; the event, armed for the earliest deadline
 * there ever was, looks for what is really due when it fires and drops the rest from the list.
 */
export class Deadlines {
  #world: World;
  #event: KnownName;
  #listed: Due[] = [];
  #armedAt: Micros = never;
  #timer: Timer | undefined;

  constructor(world: World, event: EventName) {
    this.#world = world;
    this.#event = new KnownName(event.kind, event.entity);
  }

  /** Replaces an earlier deadline of the item. */
  set(item: Due, due: Micros): void {
    item.due = due;
    if (!item.listed) {
      item.listed = true;
      this.#listed.push(item);
    }
    if (due < this.#armedAt) this.#arm(due);
  }

  clear(item: Due): void {
    item.due = never;
  }

  #arm(due: Micros): void {
    this.#timer?.cancel();
    this.#armedAt = due;
    this.#timer = this.#world.schedule(due - this.#world.now, this.#event, () => this.#fire());
  }

  #fire(): void {
    const { now } = this.#world;
    this.#timer = undefined;
    this.#armedAt = never;
    const expired: Due[] = [];
    const listed = this.#listed;
    let kept = 0;
    let next = never;
    for (const item of listed) {
      const { due } = item;
      item.listed = due > now && due < never;
      if (due <= now) expired.push(item);
      if (!item.listed) continue;
      listed[kept] = item;
      kept += 1;
      if (due < next) next = due;
    }
    listed.length = kept;
    if (next < never) this.#arm(next);
    if (expired.length > 1) expired.sort((left, right) => left.order - right.order);
    for (const item of expired) {
      // One expiry may have cleared or moved another.
      if (item.due > now) continue;
      item.due = never;
      item.expire();
    }
  }
}
