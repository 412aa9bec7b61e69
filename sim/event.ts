import type { Micros, Timer } from '../lb/ports.ts';
import { hashOfName, hashText } from './hash.ts';
import type { Queued } from './queue.ts';

/** What an event is, and whose: `frame` of `node-1:eth0`, as the trace shows it. */
export interface EventName {
  readonly kind: string;
  readonly entity: string;
}

/** A name that is used again and again: its hash is made once, with the name. */
export class KnownName implements EventName {
  readonly kind: string;
  readonly entity: string;
  /** Signed 32 bits. */
  readonly hash: number;

  constructor(kind: string, entity: string) {
    this.kind = kind;
    this.entity = entity;
    this.hash = hashOfName(hashText(kind), hashText(entity));
  }
}

/**
 * One entry of the event heap. An event is its own timer: most are never cancelled, and every
 * object per event costs. For the same reason this is no class to be derived from.
 */
export interface WorldEvent extends Queued, Timer {
  /** Set by the world when it takes the event, as are `rank` and `count`. */
  time: Micros;
  rank: number;
  count: number;
  readonly cancelled: boolean;
  readonly name: EventName;
  readonly nameHash: number;
  /** Of the payload, for the trace. */
  readonly digest: number;
  run(): void;
}

/** An event that is a call. */
export class CallEvent implements WorldEvent {
  time: Micros = 0;
  rank = 0;
  count = 0;
  readonly name: EventName;
  readonly nameHash: number;
  readonly digest: number;
  #callback: (() => void) | undefined;

  // oxlint-disable-next-line max-params -- the parts of one record, which would cost per event
  constructor(name: EventName, nameHash: number, digest: number, callback: () => void) {
    this.name = name;
    this.nameHash = nameHash;
    this.digest = digest;
    this.#callback = callback;
  }

  get cancelled(): boolean {
    return this.#callback === undefined;
  }

  run(): void {
    this.#callback?.();
  }

  // What was to be done may hold on to much, and the heap keeps a cancelled event until it is due.
  cancel(): void {
    this.#callback = undefined;
  }
}
