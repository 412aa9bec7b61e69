import type { KubeObject } from '../kube/port.ts';
import type { Ip } from '../lb/ip.ts';
import { parseIpUnmapped } from '../lb/ip.ts';
import type { Lease } from '../lb/model.ts';
import type { Micros } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import type { SessionFacts } from './candidacy.ts';
import {
  closedAnnotation, ipAnnotation, lockPrefix, nodeOf, sessionName, sessionPrefix,
  sessionStateOf, stampAnnotation, stampOf, type SessionState, type Stamp,
} from './lease.ts';
import type { LeaseReader } from './leasereader.ts';
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

/** One lock as this stream saw it. */
export interface LockSeen {
  readonly name: string;
  readonly ip: Ip | undefined;
  readonly object: KubeObject;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly holder: string;
  readonly epoch: number;
  readonly stamp: Stamp | 'unknown' | undefined;
  /** Stamp, fields and uid agree. */
  readonly valid: boolean;
  /** An epoch order that this stream saw before has been undone: a restored or edited version. */
  readonly backwards: boolean;
  readonly durationSeconds: number | undefined;
  /** When this state was first seen; an unrelated edit starts nothing anew. */
  readonly since: Micros;
  /** When the name was first seen missing, for stamp `new` (T5). */
  readonly missingSince: Micros;
  /** The last version before deletion was a stamped release, seen without a gap (T5). */
  readonly freed: boolean;
  /** Twice the epoch, plus one for a release: never falls under one uid. */
  readonly order: number;
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
    const known = this.sessions.get(name);
    if (known !== undefined) {
      const raw = this.#reader.session(object);
      if (raw !== undefined && this.#renewed(known, object, raw)) return;
    }
    if (name.startsWith(sessionPrefix)) this.#sessionSeen(name, object);
    else if (name.startsWith(lockPrefix)) this.#lockSeen(name, object);
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
    const seen = this.sessions.get(sessionName(identity));
    // One first seen after its end tells no identity; its name does.
    return seen?.identity === identity || seen?.identity === '' ? seen : undefined;
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
    this.durationMax = Math.max(this.durationMax, seen.durationMax);
    this.#sessionsGone.delete(name);
    if (!sameVersion) this.#listener.sessionChanged(name);
    this.#listener.delivered(name, seen);
  }

  #sessionGone(name: string): void {
    const known = this.sessions.get(name);
    if (known === undefined) return;
    this.sessions.delete(name);
    this.#sessionsGone.set(name, { since: this.#now(), durationMax: known.durationMax });
    this.#listener.sessionChanged(name);
  }

  #lockSeen(name: string, object: KubeObject): void {
    const lease = this.#reader.lease(object);
    const known = this.locks.get(name);
    if (known !== undefined && known.resourceVersion === lease.meta.resourceVersion) return;
    const seen = this.#observe(lease, object, known);
    this.#index(known, seen);
    this.locks.set(name, seen);
    this.#locksGone.delete(name);
    this.#listener.lockChanged(name);
  }

  #observe(lease: Lease, object: KubeObject, known: LockSeen | undefined): LockSeen {
    const now = this.#now();
    const name = lease.meta.name;
    const stamp = stampOf(lease);
    const order = orderOfStamp(stamp);
    const same = known !== undefined && known.uid === lease.meta.uid ? known : undefined;
    // A successor under another uid without a seen deletion means that a gap hid the deletion.
    const absence = same !== undefined ? { since: same.missingSince, freed: same.freed }
      : known !== undefined ? { since: now, freed: false } : this.absence(name);
    const valid = stampAgrees(lease, stamp);
    const backwards = same !== undefined && (order < same.order
      || (order === same.order && lease.meta.annotations[stampAnnotation] !== textOf(same)));
    const parsed = parseIpUnmapped(lease.meta.annotations[ipAnnotation] ?? '');
    const unchanged = same !== undefined && same.valid === valid
      && same.backwards === backwards && same.holder === lease.holderIdentity
      && same.epoch === lease.leaseTransitions
      && textOf(same) === lease.meta.annotations[stampAnnotation];
    return {
      name, object, stamp, valid, backwards,
      ip: parsed.ok ? parsed.value : undefined,
      uid: lease.meta.uid,
      resourceVersion: lease.meta.resourceVersion,
      holder: lease.holderIdentity,
      epoch: lease.leaseTransitions,
      durationSeconds: lease.leaseDurationSeconds,
      since: unchanged ? same.since : now,
      missingSince: absence.since,
      freed: absence.freed,
      order: Math.max(order, same?.order ?? 0),
    };
  }

  #lockDeleted(name: string, object: KubeObject): void {
    const lease = this.#reader.lease(object);
    const known = this.locks.get(name);
    const stamp = stampOf(lease);
    const released = stamp !== undefined && stamp !== 'unknown' && stamp.kind === 'release'
      && stampAgrees(lease, stamp) && known?.valid === true && !known.backwards
      && known.order === orderOfStamp(stamp);
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
    const owner = before === undefined ? undefined : ownerOf(before);
    const next = after === undefined ? undefined : ownerOf(after);
    if (owner === next) return;
    if (owner !== undefined && before !== undefined) {
      const names = this.#byOwner.get(owner);
      names?.delete(before.name);
      if (names?.size === 0) this.#byOwner.delete(owner);
    }
    if (next !== undefined && after !== undefined) {
      const names = this.#byOwner.get(next) ?? new Set();
      this.#byOwner.set(next, names.add(after.name));
    }
  }
}

/**
 * The epoch that a take of this version is to have: above everything that was ever seen, so that an
 * epoch edited downwards does not make later takes look restored to those who remember.
 */
export function nextEpoch(lock: LockSeen): number {
  return Math.max(lock.epoch, Math.floor(lock.order / 2)) + 1;
}

/** The session that a valid take names; undefined for every other state of a lock. */
export function ownerOf(lock: LockSeen): string | undefined {
  if (!lock.valid || lock.stamp === undefined || lock.stamp === 'unknown') return undefined;
  return lock.stamp.kind === 'take' ? lock.stamp.identity : undefined;
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

function textOf(lock: LockSeen): string | undefined {
  const metadata = lock.object.metadata ?? {};
  const annotations = metadata['annotations'];
  if (typeof annotations !== 'object' || annotations === null || Array.isArray(annotations)) {
    return undefined;
  }
  const text = (annotations as Readonly<Record<string, unknown>>)[stampAnnotation];
  return typeof text === 'string' ? text : undefined;
}

function orderOfStamp(stamp: Stamp | 'unknown' | undefined): number {
  if (stamp === undefined || stamp === 'unknown' || stamp.kind === 'new') return 0;
  return 2 * stamp.epoch + (stamp.kind === 'release' ? 1 : 0);
}

function stampAgrees(lease: Lease, stamp: Stamp | 'unknown' | undefined): boolean {
  if (stamp === undefined || stamp === 'unknown') return false;
  if (stamp.kind === 'new') return lease.holderIdentity === '' && lease.leaseTransitions === 0;
  const holder = stamp.kind === 'take' ? stamp.identity : '';
  return lease.holderIdentity === holder && lease.leaseTransitions === stamp.epoch
    && lease.meta.uid === stamp.uid;
}
