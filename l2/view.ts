import type { KubeObject } from '../kube/port.ts';
import type { Micros } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import type { SessionFacts } from './candidacy.ts';
import {
  closedAnnotation, lockPrefix, nodeOf, sessionName, sessionPrefix, sessionStateOf,
  type SessionState,
} from './lease.ts';
import type { LeaseReader } from './leasereader.ts';
import { observeLock, type LockSeen } from './lock.ts';
import type { RawSession } from './rawsession.ts';
import { silenceOf } from './settings.ts';

/** One session Lease as this stream saw it. Times are the observer's monotonic clock. */
export interface SessionSeen {
  readonly name: string;
  /** Last non-empty holder; the session's name for ever. */
  readonly identity: string;
  readonly node: string;
  /** Holder present and equal to the identity, not closed. */
  readonly open: boolean;
  /** Empty holder with the annotation that says who closed it. */
  readonly closed: boolean;
  readonly state: SessionState | undefined;
  readonly firstSeen: Micros;
  /** When the present standing (open, closed, edited) was first seen. */
  readonly standingSince: Micros;
  readonly durationMax: Micros;
  /** What may differ by a renewal alone. */
  live: {
    version: KubeObject;
    resourceVersion: string;
    seq: number;
    changedAt: Micros;
    tail: string;
  };
}

/** What a delivery changed. */
export interface ViewListener {
  /** A lock came, changed or went; `ip` is undefined for a name that is no lock of ours. */
  lockChanged(name: string): void;
  /** A session came, went, opened, closed or changed what it tells; not for plain renewals. */
  sessionChanged(name: string): void;
  /** The stream delivered this Lease at that `seq`, by event or list. */
  delivered(name: string, seen: SessionSeen): void;
  /** A complete list was taken in. */
  listed(): void;
}

/**
 * What the stream has shown so far: the only source of protocol state (S3). A renewal of another
 * session costs one comparison of text: 100 watchers of 100 sessions see 10,000 a second.
 */
export class LeaseView {
  readonly sessions = new Map<string, SessionSeen>();
  /** Those whose name is that of their identity. */
  #byIdentity = new Map<string, SessionSeen>();
  readonly locks = new Map<string, LockSeen>();
  /** When the last complete list was taken in; undefined before the first. */
  listedAt: Micros | undefined;
  /** The largest duration of any session ever seen: the bound for owners that left no trace. */
  durationMax: Micros = 0;
  /** Sessions gone, with when that was first seen. */
  #sessionsGone = new Map<string, { since: Micros; durationMax: Micros }>();
  #locksGone = new Map<string, { since: Micros; freed: boolean }>();
  #byOwner = new Map<string, Set<string>>();
  #reader: LeaseReader;
  #now: () => Micros;
  #listener: ViewListener;

  constructor(reader: LeaseReader, now: () => Micros, listener: ViewListener) {
    this.#reader = reader;
    this.#now = now;
    this.#listener = listener;
  }

  list(items: readonly KubeObject[]): void {
    const now = this.#now();
    this.listedAt = now;
    const present = new Set<string>();
    for (const item of items) present.add(item.metadata?.name ?? '');
    // What came and went between two lists was not seen, so an earlier absence proves nothing now.
    for (const gone of this.#locksGone.keys()) {
      this.#locksGone.set(gone, { since: now, freed: false });
    }
    for (const name of [...this.locks.keys()].sort(compareText)) {
      if (!present.has(name)) this.#lockGone(name, false);
    }
    for (const name of [...this.sessions.keys()].sort(compareText)) {
      if (!present.has(name)) this.#sessionGone(name);
    }
    for (const item of items) this.changed(item);
    this.#listener.listed();
  }

  changed(object: KubeObject): void {
    const name = object.metadata?.name ?? '';
    if (name.startsWith(lockPrefix)) return this.#lockSeen(name, object);
    const known = this.sessions.get(name);
    if (known !== undefined) {
      const raw = this.#reader.session(object);
      if (raw !== undefined && this.#renewed(known, object, raw)) return;
    }
    if (name.startsWith(sessionPrefix)) this.#sessionSeen(name, object);
  }

  gone(object: KubeObject): void {
    const name = object.metadata?.name ?? '';
    if (name.startsWith(sessionPrefix)) this.#sessionGone(name);
    else if (name.startsWith(lockPrefix)) this.#lockDeleted(name, object);
  }

  /** Names of the locks that a valid take gives to `identity`. */
  locksOf(identity: string): readonly string[] {
    return [...(this.#byOwner.get(identity) ?? [])].sort(compareText);
  }

  namesLocks(identity: string): boolean {
    return this.#byOwner.has(identity);
  }

  session(identity: string): SessionSeen | undefined {
    const known = this.#byIdentity.get(identity);
    if (known !== undefined) return known;
    // One first seen after its end tells no identity; its name does.
    const nameless = this.sessions.get(sessionName(identity));
    return nameless?.identity === '' ? nameless : undefined;
  }

  /** When a session was first seen missing: by its deletion, else by the last list. */
  missingSessionSince(identity: string): Micros {
    return this.#sessionsGone.get(sessionName(identity))?.since ?? this.listedAt ?? this.#now();
  }

  /** When the name of an absent lock was first seen missing, and whether it was freed before. */
  absence(name: string): { readonly since: Micros; readonly freed: boolean } {
    return this.#locksGone.get(name) ?? { since: this.listedAt ?? this.#now(), freed: false };
  }

  /** From when a session counts as silent, if `observedFrom` is when watching began. */
  silentAt(seen: SessionSeen, observedFrom: Micros): Micros {
    return Math.max(seen.live.changedAt, observedFrom) + silenceOf(seen.durationMax);
  }

  // The whole annotation but its `seq` is compared as one text: renewals change nothing else.
  #renewed(known: SessionSeen, object: KubeObject, raw: RawSession): boolean {
    const { live } = known;
    if (!known.open || raw.holder !== known.identity || raw.tail !== live.tail || raw.closed) {
      return false;
    }
    if (raw.resourceVersion !== live.resourceVersion) {
      live.changedAt = this.#now();
      live.version = object;
      live.resourceVersion = raw.resourceVersion;
      live.seq = raw.seq;
    }
    this.#listener.delivered(known.name, known);
    return true;
  }

  #sessionSeen(name: string, object: KubeObject): void {
    const lease = this.#reader.lease(object);
    const known = this.sessions.get(name);
    const now = this.#now();
    const holder = lease.holderIdentity;
    // A name says which identity it belongs to only the way forward, so the first holder decides.
    const identity = known?.identity ?? (holder !== '' ? holder : '');
    const state = sessionStateOf(lease);
    const closed = holder === '' && closedAnnotation in lease.meta.annotations;
    const open = holder !== '' && holder === identity && sessionName(identity) === name
      && state !== undefined
      && !(closedAnnotation in lease.meta.annotations);
    const raw = this.#reader.session(object);
    const sameVersion = known?.live.resourceVersion === lease.meta.resourceVersion;
    const sameStanding = known !== undefined && known.open === open && known.closed === closed;
    const seen: SessionSeen = {
      name, identity, node: nodeOf(identity), open, closed, state,
      firstSeen: known?.firstSeen ?? now,
      standingSince: sameStanding ? known.standingSince : now,
      durationMax: Math.max(known?.durationMax ?? 0, this.#sessionsGone.get(name)?.durationMax ?? 0,
        (state?.durationMs ?? 0) * 1000),
      live: {
        version: object, resourceVersion: lease.meta.resourceVersion, seq: state?.seq ?? 0,
        changedAt: sameVersion ? known.live.changedAt : now, tail: raw?.tail ?? '',
      },
    };
    this.sessions.set(name, seen);
    if (sessionName(identity) === name) this.#byIdentity.set(identity, seen);
    this.durationMax = Math.max(this.durationMax, seen.durationMax);
    this.#sessionsGone.delete(name);
    if (!sameVersion) this.#listener.sessionChanged(name);
    this.#listener.delivered(name, seen);
  }

  #sessionGone(name: string): void {
    const known = this.sessions.get(name);
    if (known === undefined) return;
    this.sessions.delete(name);
    if (this.#byIdentity.get(known.identity) === known) this.#byIdentity.delete(known.identity);
    this.#sessionsGone.set(name, { since: this.#now(), durationMax: known.durationMax });
    this.#listener.sessionChanged(name);
  }

  #lockSeen(name: string, object: KubeObject): void {
    const reading = this.#reader.lock(object);
    const known = this.locks.get(name);
    if (known !== undefined && known.reading.resourceVersion === reading.resourceVersion) return;
    const seen = observeLock(
      reading, known, { now: this.#now(), absence: () => this.absence(name) },
    );
    this.#index(known, seen);
    this.locks.set(name, seen);
    this.#locksGone.delete(name);
    this.#listener.lockChanged(name);
  }

  #lockDeleted(name: string, object: KubeObject): void {
    const { stamp, valid, order } = this.#reader.lock(object);
    const known = this.locks.get(name);
    const released = stamp !== undefined && stamp !== 'unknown' && stamp.kind === 'release'
      && valid && known?.reading.valid === true && !known.backwards && known.order === order;
    this.#lockGone(name, released);
  }

  #lockGone(name: string, freed: boolean): void {
    const known = this.locks.get(name);
    if (known === undefined) return;
    this.#index(known, undefined);
    this.locks.delete(name);
    this.#locksGone.set(name, { since: this.#now(), freed });
    this.#listener.lockChanged(name);
  }

  #index(before: LockSeen | undefined, after: LockSeen | undefined): void {
    const owner = before?.reading.owner;
    const next = after?.reading.owner;
    if (owner === next) return;
    if (owner !== undefined && before !== undefined) {
      const names = this.#byOwner.get(owner);
      names?.delete(before.reading.name);
      if (names?.size === 0) this.#byOwner.delete(owner);
    }
    if (next !== undefined && after !== undefined) {
      const names = this.#byOwner.get(next) ?? new Set();
      this.#byOwner.set(next, names.add(after.reading.name));
    }
  }
}

/** Sessions as candidacy sees them; `observedFrom` is the start of the own session (S8). */
export function sessionFactsOf(seen: SessionSeen, live: boolean): SessionFacts {
  return {
    node: seen.node,
    identity: seen.identity,
    live: live && seen.open && seen.state?.state === 'live',
    since: seen.firstSeen,
    links: seen.state?.links ?? [],
    declined: seen.state?.declined ?? [],
  };
}
