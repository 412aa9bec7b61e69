import { assert } from '../lb/result.ts';
import type { JournalEntry, Micros, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { CallEvent, type EventName, type WorldEvent } from './event.ts';
import { hashText } from './hash.ts';
import { withPoisonedGlobals } from './poison.ts';
import { Prng } from './prng.ts';
import { EventQueue, rankOf, type Band } from './queue.ts';
import { Trace } from './trace.ts';

/** How events of one instant are ordered: as they came, or by a priority drawn per event. */
export type OrderMode = 'fifo' | 'uniform';

export interface WorldOptions {
  /** Unsigned 64-bit. */
  readonly seed: bigint;
  readonly order?: OrderMode;
  /** Wall clock at time 0, microseconds since the Unix epoch; default 2026-01-01T00:00:00Z. */
  readonly epoch?: Micros;
}

export interface ScheduleOptions {
  readonly band?: Band;
  /** Events of one ordered channel never overtake one another, whatever the order mode. */
  readonly channel?: string;
  /** Digest of the payload, for the trace. */
  readonly digest?: number;
}

/** What happened that a person may want to read, or an oracle to judge. */
export interface WorldNote extends JournalEntry {
  readonly time: Micros;
  /** The process or entity that noted it: `agent/node-2`, `controller`, `router`. */
  readonly entity: string;
}

/**
 * Virtual time, chance, order and trace of one simulated world. Everything that a world counts or
 * remembers hangs off an instance, so run N of a process equals run 1.
 */
export class World {
  readonly seed: bigint;
  readonly epoch: Micros;
  readonly trace = new Trace();
  readonly notes: WorldNote[] = [];
  /** Hits of each mark: a journal code that a run must or must not reach. */
  readonly marks = new Map<string, number>();
  #now: Micros = 0;
  #count = 0;
  #counter = { draws: 0 };
  #queue = new EventQueue<WorldEvent>();
  #streams = new Map<string, Prng>();
  #order: OrderMode;
  #noteListeners: ((note: WorldNote) => void)[] = [];
  #afterEvent: (() => void)[] = [];
  #dirty = false;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.#order = options.order ?? 'fifo';
    this.epoch = options.epoch ?? 1_767_225_600_000_000;
  }

  get now(): Micros {
    return this.#now;
  }

  /** Wall clock of the world, for API timestamps. */
  get wall(): Micros {
    return this.epoch + this.#now;
  }

  /** When the next event is due, cancelled ones included; undefined when nothing is scheduled. */
  get nextDue(): Micros | undefined {
    return this.#queue.peek()?.time;
  }

  get pendingEvents(): number {
    return this.#queue.size;
  }

  /** The stream of that name; a new draw in one leaves every other unchanged. */
  stream(name: string): Prng {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = new Prng(this.seed, name, this.#counter);
      this.#streams.set(name, stream);
    }
    return stream;
  }

  /** Runs `callback` after `delay`; `kind` and `entity` name it in the trace. */
  // oxlint-disable-next-line max-params -- when, what, work and queueing are one act everywhere
  schedule(
    delay: Micros, what: EventName, callback: () => void, options?: ScheduleOptions,
  ): Timer {
    const hash = this.trace.nameHash(what);
    const event = new CallEvent(what, hash, options?.digest ?? 0, callback);
    this.#take(delay, event, this.#rankOf(options?.band ?? 1, options?.channel));
    return event;
  }

  /** Runs `event` after `delay`, as one of an ordered channel (`ScheduleOptions`). */
  post(delay: Micros, event: WorldEvent, channel: string): void {
    this.#take(delay, event, this.#rankOf(1, channel));
  }

  /** Tells that an input of the event-wise oracles changed in the present event. */
  touch(): void {
    this.#dirty = true;
  }

  /** Runs after every event that touched something. */
  afterTouched(look: () => void): void {
    this.#afterEvent.push(look);
  }

  note(entity: string, entry: JournalEntry): void {
    const note = { time: this.#now, entity, ...entry };
    this.notes.push(note);
    this.marks.set(entry.code, (this.marks.get(entry.code) ?? 0) + 1);
    for (const listener of this.#noteListeners) listener(note);
  }

  onNote(listener: (note: WorldNote) => void): void {
    this.#noteListeners.push(listener);
  }

  /**
   * Runs events up to and including time `until`, and lets time pass to it; or until `stop` says so
   * after an event, at that event's time. The banned globals are poisoned meanwhile.
   */
  run(until: Micros, stop?: () => boolean): void {
    withPoisonedGlobals(() => this.#drain(until, stop));
  }

  /** One last draw of every stream, hashed together: two equal runs end with equal unseeds. */
  unseed(): string {
    const names = [...this.#streams.keys()].sort(compareText);
    const last = names.map((name) => `${name}=${this.stream(name).next()}`);
    return hashText(last.join()).toString(16).padStart(8, '0');
  }

  #take(delay: Micros, event: WorldEvent, rank: number): void {
    // The sentences are made for a bug alone: this is the hottest call of a world.
    const whole = Number.isSafeInteger(delay) && delay >= 0;
    if (!whole) assert(false, `${event.name.kind} is due in ${delay} whole µs`);
    this.#count += 1;
    assert(this.#count < 0x1_0000_0000, 'a world has fewer than 2^32 events');
    event.time = this.#now + delay;
    event.rank = rank;
    event.count = this.#count;
    this.#queue.push(event);
  }

  #drain(until: Micros, stop: (() => boolean) | undefined): void {
    for (;;) {
      const event = this.#queue.peek();
      if (event === undefined || event.time > until) break;
      this.#queue.pop();
      if (event.cancelled) continue;
      this.#now = event.time;
      this.#step(event);
      if (stop?.() === true) return;
    }
    this.#now = Math.max(this.#now, until);
  }

  #step(event: WorldEvent): void {
    this.trace.record(event, this.#counter.draws);
    event.run();
    if (!this.#dirty) return;
    this.#dirty = false;
    for (const look of this.#afterEvent) look();
  }

  #rankOf(band: Band, channel: string | undefined): number {
    return rankOf(band, this.#order === 'fifo' || band !== 1 ? 0 : this.#priorityOf(channel));
  }

  #priorityOf(channel: string | undefined): number {
    // A channel keeps one priority for the whole run, so its events stay in the order they came.
    if (channel !== undefined) return hashText(`${this.seed}${channel}`) & 0xffff;
    return this.stream('order').below(0x1_0000);
  }
}
