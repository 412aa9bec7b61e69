/**
 * A set with its first member at hand: O(log n) to add and to take the first, O(1) to delete. The
 * order of its members must be total and must not change while they are in.
 */
export class Heap<T> {
  #compare: (left: T, right: T) => number;
  #heap: T[] = [];
  #members = new Set<T>();

  constructor(compare: (left: T, right: T) => number) {
    this.#compare = compare;
  }

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
      this.#heap = [...this.#members].sort(this.#compare);
    }
  }

  clear(): void {
    this.#members.clear();
    this.#heap = [];
  }

  peek(): T | undefined {
    for (;;) {
      const [first] = this.#heap;
      if (first === undefined || this.#members.has(first)) return first;
      this.#drop();
    }
  }

  pop(): T | undefined {
    const first = this.peek();
    if (first === undefined) return undefined;
    this.#members.delete(first);
    this.#drop();
    return first;
  }

  /** Members in order. */
  sorted(): T[] {
    return [...this.#members].sort(this.#compare);
  }

  #rise(item: T): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(item);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || this.#compare(parent, item) <= 0) break;
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
      const rightFirst = right !== undefined && this.#compare(right, left) < 0;
      const child = rightFirst ? right : left;
      if (this.#compare(last, child) <= 0) break;
      heap[index] = child;
      index = 2 * index + (rightFirst ? 2 : 1);
    }
    heap[index] = last;
  }
}
