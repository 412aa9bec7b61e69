import { assert } from '../lb/result.ts';
import type { Micros } from '../lb/ports.ts';

/**
 * Order inside one instant: steps and faults, then everything, then those who look at the result.
 */
export type Band = 0 | 1 | 2;

/** What the queue looks at: time, then rank, then the insertion count (simulator.md 3.1). */
export interface Queued {
  readonly time: Micros;
  /** Band and priority in one small integer; see `rankOf`. */
  readonly rank: number;
  /** Of the insertion, so that no two entries compare equal. */
  readonly count: number;
}

const prioritySpan = 0x1_0000;

/** Composes band (2 bits) and priority (16 bits) of the total order (simulator.md 3.1). */
export function rankOf(band: Band, priority: number): number {
  assert(priority >= 0 && priority < prioritySpan, 'a priority has 16 bits');
  return band * prioritySpan + priority;
}

/** The second key of the total order as one integer: 2 + 16 + 32 bits. */
export function orderOf({ rank, count }: Pick<Queued, 'rank' | 'count'>): number {
  return rank * 0x1_0000_0000 + count;
}

/**
 * A binary heap with a total order; no two entries compare equal, so history never decides. A
 * packet crosses a quiet network as a chain of events each of which comes before everything that
 * waits: such a one stands in front of the heap and never enters it.
 *
 * The heap itself holds numbers, side by side: hundreds of timers wait, and an event comes to its
 * place past a dozen others that no cache has any more.
 */
export class EventQueue<Event extends Queued> {
  /** Comes before everything in the heap. */
  #front: Event | undefined;
  /** By place in the heap. */
  #times: number[] = [];
  #orders: number[] = [];
  #slots: number[] = [];
  /** By slot; a slot is free while nothing is in it. */
  #events: (Event | undefined)[] = [];
  #free: number[] = [];

  get size(): number {
    return this.#slots.length + (this.#front === undefined ? 0 : 1);
  }

  peek(): Event | undefined {
    return this.#front ?? this.#top();
  }

  push(event: Event): void {
    const front = this.#front;
    const first = front ?? this.#top();
    if (first !== undefined && !before(event, first)) return this.#insert(event);
    this.#front = event;
    if (front !== undefined) this.#insert(front);
  }

  pop(): Event | undefined {
    const front = this.#front;
    if (front === undefined) return this.#remove();
    this.#front = undefined;
    return front;
  }

  #top(): Event | undefined {
    const slot = this.#slots[0];
    return slot === undefined ? undefined : this.#events[slot];
  }

  #insert(event: Event): void {
    const slot = this.#free.pop() ?? this.#events.length;
    this.#events[slot] = event;
    this.#times.push(0);
    this.#orders.push(0);
    this.#slots.push(slot);
    this.#rise(event.time, orderOf(event), slot);
  }

  #remove(): Event | undefined {
    const slot = this.#slots[0];
    const [time, order, last] = [this.#times.pop(), this.#orders.pop(), this.#slots.pop()];
    if (slot === undefined || last === undefined) return undefined;
    if (this.#slots.length > 0) this.#sink(time ?? 0, order ?? 0, last);
    const event = this.#events[slot];
    this.#events[slot] = undefined;
    this.#free.push(slot);
    return event;
  }

  /** Up from the last place. */
  #rise(time: number, order: number, slot: number): void {
    let index = this.#slots.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#precedes(time, order, parent)) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#put(index, time, order, slot);
  }

  /** Down from the first place. */
  #sink(time: number, order: number, slot: number): void {
    const { length } = this.#slots;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      const right = child + 1;
      if (right < length && this.#leftIsLater(child)) child = right;
      if (this.#precedes(time, order, child)) break;
      this.#move(child, index);
      index = child;
    }
    this.#put(index, time, order, slot);
  }

  #leftIsLater(left: number): boolean {
    const right = left + 1;
    return this.#precedes(this.#times[right] ?? 0, this.#orders[right] ?? 0, left);
  }

  #precedes(time: number, order: number, index: number): boolean {
    const other = this.#times[index] ?? 0;
    return time < other || (time === other && order < (this.#orders[index] ?? 0));
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from] ?? 0, this.#orders[from] ?? 0, this.#slots[from] ?? 0);
  }

  // oxlint-disable-next-line max-params -- a place and the three numbers that stand in it
  #put(index: number, time: number, order: number, slot: number): void {
    this.#times[index] = time;
    this.#orders[index] = order;
    this.#slots[index] = slot;
  }
}

function before(left: Queued, right: Queued): boolean {
  if (left.time !== right.time) return left.time < right.time;
  return left.rank === right.rank ? left.count < right.count : left.rank < right.rank;
}
