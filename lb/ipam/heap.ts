/** What a Service is served by: older first, then by name; undefined creation sorts last. */
export interface Aged {
  readonly createdAtMs: number | undefined;
  readonly namespace: string;
  readonly name: string;
}

/** Age order of lb-ipam.md 1. Distinct objects never compare equal. */
export function compareAge(left: Aged, right: Aged): number {
  const leftTime = left.createdAtMs ?? Infinity;
  const rightTime = right.createdAtMs ?? Infinity;
  if (leftTime !== rightTime) return leftTime < rightTime ? -1 : 1;
  if (left.namespace !== right.namespace) return left.namespace < right.namespace ? -1 : 1;
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

/** A set with its oldest member at hand: O(log n) to add and to take the oldest, O(1) to delete. */
export class AgeHeap<T extends Aged> {
  #heap: T[] = [];
  #members = new Set<T>();

  get size(): number {
    return this.#members.size;
  }

  has(item: T): boolean {
    return this.#members.has(item);
  }

  add(item: T): void {
    if (this.#members.has(item)) return;
    this.#members.add(item);
    this.#rise(item);
  }

  // A deleted member stays in the heap until it surfaces or such ghosts outnumber the living.
  delete(item: T): void {
    if (!this.#members.delete(item)) return;
    if (this.#heap.length > 2 * this.#members.size + 64) {
      this.#heap = [...this.#members].sort(compareAge);
    }
  }

  peek(): T | undefined {
    for (;;) {
      const [oldest] = this.#heap;
      if (oldest === undefined || this.#members.has(oldest)) return oldest;
      this.#drop();
    }
  }

  pop(): T | undefined {
    const oldest = this.peek();
    if (oldest === undefined) return undefined;
    this.#members.delete(oldest);
    this.#drop();
    return oldest;
  }

  /** Members, oldest first. */
  sorted(): T[] {
    return [...this.#members].sort(compareAge);
  }

  #rise(item: T): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(item);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || compareAge(parent, item) <= 0) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = item;
  }

  // Removes the root.
  #drop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      if (left === undefined) break;
      const right = heap[2 * index + 2];
      const rightOlder = right !== undefined && compareAge(right, left) < 0;
      const child = rightOlder ? right : left;
      if (compareAge(last, child) <= 0) break;
      heap[index] = child;
      index = 2 * index + (rightOlder ? 2 : 1);
    }
    heap[index] = last;
  }
}
