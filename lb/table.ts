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

interface LogEntry {
  readonly revision: number;
  readonly key: string;
}

/**
 * Rows by key with a revision per change, so that each consumer derives from what changed since it
 * last looked. Level-triggered: a row that changed five times is read once, in its last state.
 */
export class Table<V> {
  readonly name: string;
  #rows = new Map<string, { readonly value: V; readonly revision: number }>();
  #gone = new Map<string, number>();
  #log: LogEntry[] = [];
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
    this.#gone.delete(key);
    this.#rows.set(key, { value, revision: this.#record(key) });
    this.#notify();
  }

  /** True when the key was there. */
  delete(key: string): boolean {
    if (!this.#rows.delete(key)) return false;
    this.#gone.set(key, this.#record(key));
    this.#notify();
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

  #record(key: string): number {
    this.#revision += 1;
    this.#log.push({ revision: this.#revision, key });
    if (this.#log.length > 2 * (this.#rows.size + this.#gone.size) + 64) this.#compact();
    return this.#revision;
  }

  #changesSince(revision: number): Change<V>[] {
    const changes: Change<V>[] = [];
    for (let index = this.#log.length - 1; index >= 0; index -= 1) {
      const entry = this.#log[index];
      assert(entry !== undefined, 'the log has no holes');
      if (entry.revision <= revision) break;
      if (!this.#isLatest(entry)) continue;
      changes.push({ key: entry.key, value: this.get(entry.key) });
    }
    return changes.reverse();
  }

  #isLatest(entry: LogEntry): boolean {
    const revision = this.#rows.get(entry.key)?.revision ?? this.#gone.get(entry.key);
    return revision === entry.revision;
  }

  // Deletions that every consumer has seen are forgotten with their log entries.
  #compact(): void {
    const seenByAll = Math.min(this.#revision, ...this.#cursors.map((place) => place.seen));
    for (const [key, revision] of this.#gone) {
      if (revision <= seenByAll) this.#gone.delete(key);
    }
    this.#log = this.#log.filter(
      (entry) => entry.revision === this.#revision || this.#isLatest(entry),
    );
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Code-unit order, never the locale's. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
