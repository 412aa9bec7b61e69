import type { Micros } from '../lb/ports.ts';
import { second, silenceOf } from './settings.ts';
import type { LockSeen } from './lock.ts';
import type { LeaseView, SessionSeen } from './view.ts';

/** What the rules of l2.md 5.3 say about one lock, at one instant, to one session. */
export type LockVerdict =
  /** Taken by the own session, no release sent for that epoch: held. */
  | { readonly kind: 'own' }
  /** No lock of that name; one may be created, empty. */
  | { readonly kind: 'missing' }
  /** A take may be tried; T4 and T7 without rank delay. */
  | { readonly kind: 'takeable'; readonly rule: 'T1' | 'T2' | 'T4' | 'T5' | 'T6' | 'T7' }
  /** Becomes takeable at that instant if nothing changes. */
  | { readonly kind: 'waiting'; readonly rule: 'T5' | 'T6'; readonly until: Micros }
  /** Takeable once that silent session is closed (T3); silent from `at`. */
  | { readonly kind: 'silent'; readonly session: SessionSeen; readonly at: Micros }
  /** T8. */
  | { readonly kind: 'live' };

/** Who asks, and since when it may count on what it saw. */
export interface Challenger {
  readonly identity: string;
  readonly now: Micros;
  /** When the own session opened: observation of others counts from there (S8). */
  readonly observedFrom: Micros;
  /** The own D, for waits where no owner's is known. */
  readonly duration: Micros;
  readonly bootId: string;
  /** Earlier sessions of this process. */
  readonly past: ReadonlySet<string>;
  /** Highest epoch for which a release was sent. */
  readonly releasedEpoch: number;
}

/** Judges the lock called `name`. Pure. */
export function judge(view: LeaseView, name: string, by: Challenger): LockVerdict {
  const lock = view.locks.get(name);
  if (lock === undefined) return { kind: 'missing' };
  if (!lock.reading.valid) return waiting('T6', lock.since + waitOf(view, lock, by), by.now);
  const { owner } = lock.reading;
  if (owner !== undefined) return judgeTaken(view, { lock, owner }, by);
  if (lock.backwards) return waiting('T6', lock.since + waitOf(view, lock, by), by.now);
  if (lock.order > 0) return { kind: 'takeable', rule: 'T1' };
  if (lock.freed) return { kind: 'takeable', rule: 'T5' };
  return waiting('T5', lock.missingSince + waitOf(view, lock, by), by.now);
}

function judgeTaken(
  view: LeaseView, of: { readonly lock: LockSeen; readonly owner: string }, by: Challenger,
): LockVerdict {
  const { lock, owner } = of;
  if (owner === by.identity) {
    const { epoch } = lock.reading;
    return by.releasedEpoch >= epoch ? { kind: 'takeable', rule: 'T7' } : { kind: 'own' };
  }
  const session = view.session(owner);
  const past = by.past.has(owner) || isOwnPast(session, by);
  // Whoever remembers a later epoch cannot tell who held it last. Others may not remember, so a
  // take by a living session is honoured all the same: it may be one of theirs, made in good faith.
  if (lock.backwards && (past || session?.closed === true)) {
    return waiting('T6', lock.since + waitOf(view, lock, by), by.now);
  }
  if (past) return { kind: 'takeable', rule: 'T4' };
  if (session === undefined) {
    const since = Math.max(lock.since, view.missingSessionSince(owner));
    return waiting('T6', since + waitOf(view, lock, by), by.now);
  }
  if (session.closed) return { kind: 'takeable', rule: 'T2' };
  if (!session.open) {
    return waiting(
      'T6', Math.max(lock.since, session.standingSince) + waitOf(view, lock, by), by.now,
    );
  }
  const at = view.silentAt(session, by.observedFrom);
  return by.now >= at ? { kind: 'silent', session, at } : { kind: 'live' };
}

/** A session of this node under the same boot of the kernel: its process is gone (S1, S2). */
export function isOwnPast(
  session: SessionSeen | undefined, by: { identity: string; bootId: string },
): boolean {
  if (session?.state === undefined || session.state.bootId !== by.bootId) return false;
  return session.identity !== by.identity && nodeMatches(session, by.identity);
}

function nodeMatches(session: SessionSeen, identity: string): boolean {
  return identity.startsWith(`${session.node}_`)
    && identity.lastIndexOf('_') === session.node.length;
}

function waiting(rule: 'T5' | 'T6', until: Micros, now: Micros): LockVerdict {
  return now >= until ? { kind: 'takeable', rule } : { kind: 'waiting', rule, until };
}

// The last owner may be unknown, so every D that was ever seen counts, and never less than the own.
function waitOf(view: LeaseView, lock: LockSeen, by: Challenger): Micros {
  const told = (lock.reading.durationSeconds ?? 0) * second;
  return silenceOf(Math.max(by.duration, view.durationMax, Math.min(told, 60 * second)));
}
