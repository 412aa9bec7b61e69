import { assert } from '../lb/result.ts';
import type { Micros } from '../lb/ports.ts';

/**
 * Order inside one instant: steps and faults, then everything, then those who look at the result.
 */
export type Band = 0 | 1 | 2;

/** One entry of the event heap. `order` is band, priority and insertion count in one integer. */
export interface SimEvent {
  readonly time: Micros;
  readonly order: number;
  readonly kind: string;
  readonly entity: string;
  /** Of the payload, for the trace. */
  readonly digest: number;
  run: (() => void) | undefined;
}

const prioritySpan = 0x1_0000_0000;
const bandSpan = 0x1_0000_0000_0000;

/** Composes the second key of the total order (simulator.md 3.1): 2 + 16 + 32 bits. */
export function orderOf(band: Band, priority: number, count: number): number {
  assert(priority >= 0 && priority < 0x1_0000, 'a priority has 16 bits');
  assert(count < prioritySpan, 'a world has fewer than 2^32 events');
  return band * bandSpan + priority * prioritySpan + count;
}

/** A binary heap with a total order; no two entries compare equal, so history never decides. */
export class EventQueue {
  #heap: SimEvent[] = [];

  get size(): number {
    return this.#heap.length;
  }

  peek(): SimEvent | undefined {
    return this.#heap[0];
  }

  push(event: SimEvent): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as SimEvent;
      if (!before(event, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = event;
  }

  pop(): SimEvent | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || top === last) return top;
    this.#sink(last);
    return top;
  }

  #sink(event: SimEvent): void {
    const heap = this.#heap;
    const length = heap.length;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      const right = child + 1;
      if (right < length && before(heap[right] as SimEvent, heap[child] as SimEvent)) child = right;
      const candidate = heap[child] as SimEvent;
      if (!before(candidate, event)) break;
      heap[index] = candidate;
      index = child;
    }
    heap[index] = event;
  }
}

function before(left: SimEvent, right: SimEvent): boolean {
  return left.time < right.time || (left.time === right.time && left.order < right.order);
}
