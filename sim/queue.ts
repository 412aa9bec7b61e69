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
 */
export class EventQueue<Event extends Queued> {
  #heap: Event[] = [];
  /** Comes before everything in the heap. */
  #front: Event | undefined;

  get size(): number {
    return this.#heap.length + (this.#front === undefined ? 0 : 1);
  }

  peek(): Event | undefined {
    return this.#front ?? this.#heap[0];
  }

  push(event: Event): void {
    const front = this.#front;
    const first = front ?? this.#heap[0];
    if (first !== undefined && !before(event, first)) return this.#rise(event);
    this.#front = event;
    if (front !== undefined) this.#rise(front);
  }

  pop(): Event | undefined {
    const front = this.#front;
    if (front === undefined) return this.#popHeap();
    this.#front = undefined;
    return front;
  }

  #popHeap(): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || top === last) return top;
    this.#sink(last);
    return top;
  }

  #rise(event: Event): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as Event;
      if (!before(event, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = event;
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    const length = heap.length;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      const right = child + 1;
      if (right < length && before(heap[right] as Event, heap[child] as Event)) child = right;
      const candidate = heap[child] as Event;
      if (!before(candidate, event)) break;
      heap[index] = candidate;
      index = child;
    }
    heap[index] = event;
  }
}

function before(left: Queued, right: Queued): boolean {
  if (left.time !== right.time) return left.time < right.time;
  return left.rank === right.rank ? left.count < right.count : left.rank < right.rank;
}
