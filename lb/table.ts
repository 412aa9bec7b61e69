import { assert } from './result.ts';

export interface Change<V> {
  readonly key: string;
  /** Undefined: the row is gone. */
  readonly value: V | undefined;
}

/** One consumer's place in a table's history. */
export interface Cursor<V> {
  /** What changed since the last `take`, oldest first, each key once in its latest state. */
  take(): Change<V>[];
  /** True when `take` would return something. */
  readonly behind: boolean;
}

/** One change. The log holds it until a later one of the same key stands in its place. */
interface Row<V> extends Change<V> {
  readonly revision: number;
  /** False once the key changed again. */
  latest: boolean;
}

/**
 * Rows by key with a revision per change, so that each consumer derives from what changed since it
 * last looked. Level-triggered: a row that changed five times is read once, in its last state.
 */
export class Table<V> {
  readonly name: string;
  #rows = new Map<string, Row<V> & { readonly value: V }>();
  #gone = new Map<string, Row<V>>();
  #log: Row<V>[] = [];
  #revision = 0;
  #complete = false;
  #listeners: (() => void)[] = [];
  #cursors: { seen: number }[] = [];

  constructor(name: string) {
    this.name = name;
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** True once the first listing was taken in: until then absence means nothing. */
  get complete(): boolean {
    return this.#complete;
  }

  get(key: string): V | undefined {
    return this.#rows.get(key)?.value;
  }

  has(key: string): boolean {
    return this.#rows.has(key);
  }

  /** Keys in code-unit order: history must never decide an outcome. */
  keys(): string[] {
    return [...this.#rows.keys()].sort(compareText);
  }

  /** Rows in key order. */
  values(): V[] {
    const values: V[] = [];
    for (const key of this.keys()) {
      const row = this.#rows.get(key);
      if (row !== undefined) values.push(row.value);
    }
    return values;
  }

  /** Rows in an order that may not be relied on: for sums, or before a sort of the caller's own. */
  *unordered(): Generator<V> {
    for (const row of this.#rows.values()) yield row.value;
  }

  upsert(key: string, value: V): void {
    const before = this.#rows.get(key) ?? this.#gone.get(key);
    if (before !== undefined) before.latest = false;
    this.#gone.delete(key);
    this.#revision += 1;
    const row = { key, value, revision: this.#revision, latest: true };
    this.#rows.set(key, row);
    this.#record(row);
  }

  /** True when the key was there. */
  delete(key: string): boolean {
    const before = this.#rows.get(key);
    if (before === undefined) return false;
    before.latest = false;
    this.#rows.delete(key);
    this.#revision += 1;
    const row = { key, value: undefined, revision: this.#revision, latest: true };
    this.#gone.set(key, row);
    this.#record(row);
    return true;
  }

  markComplete(): void {
    if (this.#complete) return;
    this.#complete = true;
    this.#notify();
  }

  /** A new consumer, which sees every present row as a change. */
  cursor(): Cursor<V> {
    const place = { seen: 0 };
    this.#cursors.push(place);
    const behind = (): boolean => place.seen < this.#revision;
    return {
      take: (): Change<V>[] => {
        const changes = this.#changesSince(place.seen);
        place.seen = this.#revision;
        return changes;
      },
      get behind(): boolean {
        return behind();
      },
    };
  }

  /** Called synchronously after each change and on completion; listeners only take a note. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #record(row: Row<V>): void {
    this.#log.push(row);
    if (this.#log.length > 2 * (this.#rows.size + this.#gone.size) + 64) this.#compact();
    this.#notify();
  }

  #changesSince(revision: number): Change<V>[] {
    const changes: Change<V>[] = [];
    for (let index = this.#log.length - 1; index >= 0; index -= 1) {
      const row = this.#log[index];
      assert(row !== undefined, 'the log has no holes');
      if (row.revision <= revision) break;
      if (row.latest) changes.push(row);
    }
    return changes.reverse();
  }

  // Deletions that every consumer has seen are forgotten with their log entries.
  #compact(): void {
    const seenByAll = Math.min(this.#revision, ...this.#cursors.map((place) => place.seen));
    for (const [key, row] of this.#gone) {
      if (row.revision > seenByAll) continue;
      row.latest = false;
      this.#gone.delete(key);
    }
    this.#log = this.#log.filter(({ latest }) => latest);
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Code-unit order, never the locale's. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
