import type { Clock, Micros, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { Agenda } from './agenda.ts';
import type { Elections } from './elections.ts';
import type { LockStore } from './lockstore.ts';
import type { Session } from './session.ts';
import type { LeaseView, SessionSeen } from './view.ts';

export interface WatcherParts {
  readonly clock: Clock;
  readonly wake: (callback: () => void) => void;
  readonly view: LeaseView;
  readonly store: LockStore;
  readonly node: string;
  readonly session: () => Session;
  readonly elections: () => Elections;
}

const retryDelay: Micros = 1_000_000;

/**
 * Watches the other sessions fall silent and closes those that locks still name (T3). One timer
 * stands for all of them, at the earliest instant at which one could be silent: renewals move
 * nothing in any heap.
 */
export class SilenceWatch {
  #parts: WatcherParts;
  #silent = new Set<string>();
  #timer: Timer | undefined;
  #closings: Agenda;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
    this.#closings = new Agenda(parts.clock, (names) => parts.wake(() => {
      for (const name of names) this.#close(name);
    }));
  }

  isSilent(name: string): boolean {
    return this.#silent.has(name);
  }

  /** S8: a new own session has watched nobody yet. */
  restart(): void {
    this.#silent.clear();
    this.#closings.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sweep();
  }

  /** A session came or changed: it may be the next to fall silent. */
  observe(): void {
    if (this.#timer === undefined) this.#sweep();
  }

  /** A delivery of a session that counted as silent. True when it no longer does. */
  heard(name: string): boolean {
    return this.#silent.delete(name);
  }

  /** A lock names a silent session: it is to be closed when this node's turn comes. */
  closeSoon(seen: SessionSeen): void {
    if (this.#closings.has(seen.name)) return;
    const { clock, node } = this.#parts;
    this.#closings.add(
      seen.name, clock.now() + this.#parts.elections().closingDelay(seen.identity, node),
    );
  }

  /** Closes an earlier session of this node at once (row 9). */
  closeOwnPast(seen: SessionSeen): void {
    this.#parts.store.close(seen, this.#parts.session().identity, () => undefined);
  }

  #sweep(): void {
    const { clock, view, wake } = this.#parts;
    const session = this.#parts.session();
    if (!session.open) return;
    const now = clock.now();
    let next: Micros | undefined;
    const fallen: SessionSeen[] = [];
    for (const seen of view.sessions.values()) {
      if (!seen.open || seen.identity === session.identity) continue;
      const at = view.silentAt(seen, session.openedAt);
      if (now < at) next = Math.min(next ?? at, at);
      else if (!this.#silent.has(seen.name)) fallen.push(seen);
    }
    for (const seen of fallen.sort((a, b) => compareText(a.name, b.name))) {
      this.#silent.add(seen.name);
      this.#parts.elections().outdate();
      if (view.namesLocks(seen.identity)) this.closeSoon(seen);
    }
    if (next === undefined) return;
    this.#timer = clock.after(next - now, () => wake(() => {
      this.#timer = undefined;
      this.#sweep();
    }));
  }

  #close(name: string): void {
    const { clock, view, store } = this.#parts;
    const session = this.#parts.session();
    const seen = view.sessions.get(name);
    if (seen === undefined || !seen.open || session.state !== 'live') return;
    if (clock.now() < view.silentAt(seen, session.openedAt) || !view.namesLocks(seen.identity)) {
      return;
    }
    const { resourceVersion } = seen.live;
    store.close(seen, session.identity, (result) => {
      if (result === 'unknown') this.#closings.add(name, clock.now() + retryDelay);
      if (result !== 'conflict' || seen.live.resourceVersion !== resourceVersion) return;
      // The holder lives: its next version is on its way, and the wait starts anew.
      seen.live.changedAt = clock.now();
      if (this.#silent.delete(name)) this.#parts.elections().outdate();
      this.observe();
    });
  }
}
