import type { Micros, ObjectEvent } from '../lb/ports.ts';
import { assert } from '../lb/result.ts';

/** One Event and how often it was emitted. */
export interface EventRecord {
  readonly event: ObjectEvent;
  readonly firstAt: Micros;
  lastAt: Micros;
  count: number;
  /** The count that the API has accepted. */
  told: number;
  /** Empty until a creation is tried; a repeated creation uses it again. */
  name: string;
  /** The API has it, so that a repeat is a patch. */
  stored: boolean;
  waiting: boolean;
}

const minute: Micros = 60_000_000;
const second: Micros = 1_000_000;
const perObjectMinuteMax = 10;
const perSecondMax = 10;
const repeatWindow: Micros = 10 * minute;
/** Bounds memory during an outage of the API. */
const waitingMax = 1000;
const recordsMax = 4096;

/** The last instants of writes, as many as the limit counts. */
class Limit {
  readonly #instants: Micros[] = [];
  readonly #max: number;
  readonly #window: Micros;

  constructor(max: number, window: Micros) {
    this.#max = max;
    this.#window = window;
  }

  /** When the next write is allowed: now, or when the oldest counted one leaves the window. */
  freeAt(now: Micros): Micros {
    const oldest = this.#instants[0];
    if (oldest === undefined || this.#instants.length < this.#max) return now;
    return Math.max(now, oldest + this.#window);
  }

  count(now: Micros): void {
    this.#instants.push(now);
    if (this.#instants.length > this.#max) this.#instants.shift();
  }

  /** Writes inside the window. */
  used(now: Micros): number {
    return this.#instants.filter((instant) => instant + this.#window > now).length;
  }
}

interface Subject {
  readonly limit: Limit;
  waitingCount: number;
}

/**
 * Events that wait to be written, and those written lately, so that repeats are counted instead of
 * told again. Warnings leave first; inside a type the oldest does. An Event beyond the limit of its
 * object is dropped at once, unless it is a Warning and a Normal one of the object waits.
 */
export class EventQueue {
  dropped = 0;
  readonly #records = new Map<string, EventRecord>();
  readonly #subjects = new Map<string, Subject>();
  readonly #limit = new Limit(perSecondMax, second);
  #waiting: EventRecord[] = [];

  waiting(): readonly EventRecord[] {
    return this.#waiting;
  }

  add(event: ObjectEvent, now: Micros): void {
    const key = keyOf(event);
    const before = this.#records.get(key);
    if (before !== undefined && now - before.lastAt < repeatWindow) {
      before.count += 1;
      before.lastAt = now;
      if (!before.waiting && this.#makeRoom(event, now)) this.#wait(before);
      return;
    }
    if (!this.#makeRoom(event, now)) {
      this.dropped += 1;
      return;
    }
    if (before !== undefined) this.#forget(before);
    const record: EventRecord = {
      event, firstAt: now, lastAt: now, count: 1, told: 0, name: '', stored: false,
      waiting: false,
    };
    this.#records.set(key, record);
    this.#wait(record);
    this.#prune(now);
  }

  /** When the next write is allowed, if any waits. */
  due(now: Micros): { readonly at: Micros } | undefined {
    const first = this.#choose(now);
    if (first === undefined) return undefined;
    const at = this.#subjectOf(first.event).limit.freeAt(now);
    return { at: Math.max(at, this.#limit.freeAt(now)) };
  }

  /** Takes the next record out for writing, and counts the write. */
  take(now: Micros): EventRecord {
    const record = this.#choose(now);
    assert(record !== undefined, 'something is due');
    this.#leave(record);
    this.#limit.count(now);
    this.#subjectOf(record.event).limit.count(now);
    return record;
  }

  /** Puts a record back, whose write failed: last, so that it cannot hold up its equals. */
  again(record: EventRecord): void {
    if (!record.waiting) this.#wait(record);
  }

  /** The API no longer has it: the next write creates it anew. */
  expired(record: EventRecord): void {
    record.stored = false;
    record.name = '';
    this.again(record);
  }

  /** Gives a record up; what was not told of it is dropped. */
  lose(record: EventRecord): void {
    this.dropped += record.count - record.told;
    this.#forget(record);
  }

  #forget(record: EventRecord): void {
    this.#leave(record);
    const key = keyOf(record.event);
    if (this.#records.get(key) === record) this.#records.delete(key);
  }

  clear(): void {
    this.#waiting = [];
    this.#records.clear();
    this.#subjects.clear();
  }

  // The first that may be written now; if none may, the one that may soonest.
  #choose(now: Micros): EventRecord | undefined {
    let best: EventRecord | undefined;
    let bestAt = Infinity;
    for (const type of ['Warning', 'Normal'] as const) {
      for (const record of this.#waiting) {
        if (record.event.type !== type) continue;
        const at = this.#subjectOf(record.event).limit.freeAt(now);
        if (at <= now) return record;
        if (at < bestAt) [best, bestAt] = [record, at];
      }
    }
    return best;
  }

  /** True when one more may wait; a Warning may push out a Normal event. */
  #makeRoom(event: ObjectEvent, now: Micros): boolean {
    const subject = this.#subjectOf(event);
    const spent = subject.limit.used(now) + subject.waitingCount >= perObjectMinuteMax;
    const crowded = this.#waiting.length >= waitingMax;
    if (!spent && !crowded) return true;
    if (event.type === 'Normal') return false;
    const victim = this.#waiting.findLast((record) => record.event.type === 'Normal'
      && (crowded || this.#subjectOf(record.event) === subject));
    if (victim === undefined) return !crowded && subject.waitingCount < perObjectMinuteMax;
    this.#leave(victim);
    // A stored one lost no more than its latest count.
    if (!victim.stored) this.lose(victim);
    return true;
  }


  #wait(record: EventRecord): void {
    record.waiting = true;
    this.#subjectOf(record.event).waitingCount += 1;
    this.#waiting.push(record);
  }

  #leave(record: EventRecord): void {
    if (!record.waiting) return;
    record.waiting = false;
    this.#subjectOf(record.event).waitingCount -= 1;
    this.#waiting = this.#waiting.filter((other) => other !== record);
  }

  #subjectOf(event: ObjectEvent): Subject {
    const { kind, namespace, name, uid } = event.object;
    const key = [kind, namespace, name, uid].join('/');
    let subject = this.#subjects.get(key);
    if (subject === undefined) {
      subject = { limit: new Limit(perObjectMinuteMax, minute), waitingCount: 0 };
      this.#subjects.set(key, subject);
    }
    return subject;
  }

  // Memory is bounded by what the windows need; beyond that the longest known goes first.
  #prune(now: Micros): void {
    if (this.#records.size <= recordsMax) return;
    for (const [key, record] of this.#records) {
      const surplus = this.#records.size > recordsMax / 2;
      const old = now - record.lastAt >= repeatWindow;
      if (!record.waiting && (old || surplus)) this.#records.delete(key);
    }
    for (const [key, subject] of this.#subjects) {
      if (subject.waitingCount === 0 && subject.limit.used(now) === 0) this.#subjects.delete(key);
    }
  }
}

function keyOf(event: ObjectEvent): string {
  const { kind, namespace, name, uid } = event.object;
  return [kind, namespace, name, uid, event.type, event.reason, event.message].join('\u0000');
}
