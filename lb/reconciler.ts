import type { Clock, Micros, Timer } from './ports.ts';
import { assert, type Result } from './result.ts';
import { compareText } from './table.ts';

/** A world of rows that can be written to and may refuse. Calls are synchronous. */
export interface ReconcileTarget<V, E> {
  /** Idempotent: writing what is there succeeds. */
  update(key: string, value: V): Result<void, E>;
  /** An absent row is a success. */
  delete(key: string): Result<void, E>;
}

export interface ReconcileSettings<V> {
  /** True when the target need not be told: the row it has is the row that is wanted. */
  equal(left: V, right: V): boolean;
  /** Rows per round; the rest waits for the next, so that timers are never late. */
  roundRowsMax: number;
  /** Delay after the first, second, … failure in a row; the last one repeats. */
  retryDelays: readonly Micros[];
}

/** Where one row stands. */
export type RowStatus<E> =
  | { readonly kind: 'done' }
  | { readonly kind: 'pending' }
  | { readonly kind: 'failed'; readonly error: E; readonly failures: number; readonly due: Micros };

/** Backoff of kernel writes: a refusal of a full map is retried soon, then each half minute. */
export const retryDelaysDefault: readonly Micros[] = [
  50_000, 100_000, 200_000, 400_000, 800_000,
  1_600_000, 3_200_000, 6_400_000, 12_800_000, 30_000_000,
];

/**
 * What the reconciler tells: after each round, and for each row that ended a series of failures.
 */
export interface ReconcileListener<E> {
  round?(): void;
  failed?(key: string, error: E): void;
  recovered?(key: string, error: E): void;
}

interface Failure<E> {
  readonly error: E;
  readonly failures: number;
  readonly due: Micros;
}

/**
 * Makes a target's rows equal to the desired ones: level-triggered, in bounded rounds, deletions
 * first (a full map must make room before a rename can converge), failures retried from one heap of
 * due times. What the target had before is told by `adopt` and goes only by `prune`.
 */
export class Reconciler<V, E> {
  #clock: Clock;
  #target: ReconcileTarget<V, E>;
  #settings: ReconcileSettings<V>;
  #listener: ReconcileListener<E>;
  #desired = new Map<string, V>();
  #actual = new Map<string, V>();
  #dirty = new Set<string>();
  #failures = new Map<string, Failure<E>>();
  #timer: { readonly due: Micros; readonly timer: Timer } | undefined;
  #stopped = false;

  constructor(
    clock: Clock, target: ReconcileTarget<V, E>,
    options: ReconcileSettings<V> & ReconcileListener<E>,
  ) {
    assert(
      options.retryDelays.length > 0 && options.roundRowsMax > 0, 'retries and rounds are bounded',
    );
    this.#clock = clock;
    this.#target = target;
    this.#settings = options;
    this.#listener = options;
  }

  /** Notes a row that the target already has, before the first round. Nothing is written for it. */
  adopt(key: string, value: V): void {
    this.#actual.set(key, value);
  }

  /** Wants `key` to be `value` from now on. */
  set(key: string, value: V): void {
    const before = this.#desired.get(key);
    this.#desired.set(key, value);
    // A refusal of the very same wish keeps its place in the queue; a new wish is tried at once.
    const failed = this.#failures.has(key);
    if (failed && before !== undefined && this.#settings.equal(before, value)) return;
    this.#mark(key);
  }

  /** Wants `key` to be gone from now on. */
  remove(key: string): void {
    if (!this.#desired.delete(key) && !this.#actual.has(key)) return;
    this.#mark(key);
  }

  /**
   * Wants everything gone that is not desired. Call it only once every listing is complete:
   * absence means nothing before. Returns how many rows will go.
   */
  prune(): number {
    let pruned = 0;
    for (const key of this.#actual.keys()) {
      if (this.#desired.has(key)) continue;
      pruned += 1;
      this.#mark(key);
    }
    return pruned;
  }

  /**
   * Corrects what is known of one row by what the target shows, and wants it repaired. Undefined:
   * the row is not there.
   */
  observe(key: string, present: V | undefined): void {
    if (present === undefined) this.#actual.delete(key);
    else this.#actual.set(key, present);
    this.#mark(key);
  }

  /** Keys that the target is known to hold, in order. */
  held(): readonly string[] {
    return [...this.#actual.keys()].sort(compareText);
  }

  /** What the target is known to hold; true between rounds, after every success. */
  actual(key: string): V | undefined {
    return this.#actual.get(key);
  }

  desired(key: string): V | undefined {
    return this.#desired.get(key);
  }

  status(key: string): RowStatus<E> {
    const failure = this.#failures.get(key);
    if (failure !== undefined) return { kind: 'failed', ...failure };
    return this.#dirty.has(key) ? { kind: 'pending' } : { kind: 'done' };
  }

  /** Keys that are not yet as desired, in order. */
  pending(): readonly string[] {
    return [...new Set([...this.#dirty, ...this.#failures.keys()])].sort(compareText);
  }

  get idle(): boolean {
    return this.#dirty.size === 0 && this.#failures.size === 0;
  }

  /**
   * True while rows wait for their first attempt; failed ones, which wait for time, do not count.
   */
  get unattempted(): boolean {
    return this.#dirty.size > 0;
  }

  /** Runs one round now and arms the next where something is left. */
  round(): void {
    if (this.#stopped) return;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    this.#retryDue();
    for (const key of this.#nextKeys()) this.#attempt(key);
    this.#arm();
    this.#listener.round?.();
  }

  /** Ends all timers; the target keeps what it has. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  #mark(key: string): void {
    if (this.#settled(key)) {
      this.#dirty.delete(key);
      this.#failures.delete(key);
      return;
    }
    this.#dirty.add(key);
  }

  #settled(key: string): boolean {
    const wanted = this.#desired.get(key);
    const present = this.#actual.get(key);
    if (wanted === undefined || present === undefined) return wanted === present;
    return this.#settings.equal(wanted, present);
  }

  #retryDue(): void {
    const now = this.#clock.now();
    for (const [key, failure] of this.#failures) {
      if (failure.due <= now) this.#dirty.add(key);
    }
  }

  // Deletions before updates, each in key order: history must not decide which row meets a full
  // map.
  #nextKeys(): string[] {
    const keys = [...this.#dirty].sort(compareText);
    const gone = keys.filter((key) => !this.#desired.has(key));
    const kept = keys.filter((key) => this.#desired.has(key));
    return [...gone, ...kept].slice(0, this.#settings.roundRowsMax);
  }

  #attempt(key: string): void {
    const wanted = this.#desired.get(key);
    const result = wanted === undefined
      ? this.#target.delete(key)
      : this.#target.update(key, wanted);
    this.#dirty.delete(key);
    const before = this.#failures.get(key);
    if (!result.ok) {
      this.#fail(key, result.error);
      return;
    }
    this.#failures.delete(key);
    if (wanted === undefined) this.#actual.delete(key);
    else this.#actual.set(key, wanted);
    if (before !== undefined) this.#listener.recovered?.(key, before.error);
  }

  #fail(key: string, error: E): void {
    const failures = (this.#failures.get(key)?.failures ?? 0) + 1;
    const { retryDelays } = this.#settings;
    const delay = retryDelays[Math.min(failures, retryDelays.length) - 1] ?? 0;
    this.#failures.set(key, { error, failures, due: this.#clock.now() + delay });
    this.#listener.failed?.(key, error);
  }

  #arm(): void {
    const now = this.#clock.now();
    let due = this.#dirty.size > 0 ? now : Infinity;
    for (const failure of this.#failures.values()) due = Math.min(due, failure.due);
    if (due === Infinity || this.#stopped) return;
    const timer = this.#clock.after(Math.max(0, due - now), () => this.round());
    this.#timer = { due, timer };
  }
}
