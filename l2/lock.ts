import type { KubeObject } from '../kube/port.ts';
import { parseIpUnmapped, type Ip } from '../lb/ip.ts';
import type { Lease } from '../lb/model.ts';
import type { Micros } from '../lb/ports.ts';
import { ipAnnotation, stampAnnotation, stampOf, type Stamp } from './lease.ts';

/** What one version of a lock says by itself, whoever reads it and whenever. */
export interface LockReading {
  readonly name: string;
  /** From its annotation; undefined: none, or unreadable. */
  readonly ip: Ip | undefined;
  readonly object: KubeObject;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly holder: string;
  readonly epoch: number;
  readonly stamp: Stamp | 'unknown' | undefined;
  /** The annotation as it is stored. */
  readonly stampText: string | undefined;
  /** Stamp, fields and uid agree. */
  readonly valid: boolean;
  /** The session that a valid take names; undefined for every other state. */
  readonly owner: string | undefined;
  readonly durationSeconds: number | undefined;
  /** Twice the epoch, plus one for a release; 0 without either. */
  readonly order: number;
}

/** One lock as one stream saw it: a version, and what only its history tells. */
export interface LockSeen {
  readonly reading: LockReading;
  /** An epoch order that this stream saw before has been undone: a restored or edited version. */
  readonly backwards: boolean;
  /** When this state was first seen; an unrelated edit starts nothing anew. */
  readonly since: Micros;
  /** When the name was first seen missing, for stamp `new` (T5). */
  readonly missingSince: Micros;
  /** The last version before deletion was a stamped release, seen without a gap (T5). */
  readonly freed: boolean;
  /** The greatest that was ever seen under one uid. */
  readonly order: number;
}

/** Reads a lock's Lease; `lease` is the object decoded. Pure. */
export function readLock(object: KubeObject, lease: Lease): LockReading {
  const stamp = stampOf(lease);
  const parsed = parseIpUnmapped(lease.meta.annotations[ipAnnotation] ?? '');
  const valid = stampAgrees(lease, stamp);
  const taken = valid && stamp !== undefined && stamp !== 'unknown' && stamp.kind === 'take';
  return {
    name: lease.meta.name, object, stamp, valid,
    ip: parsed.ok ? parsed.value : undefined,
    uid: lease.meta.uid,
    resourceVersion: lease.meta.resourceVersion,
    holder: lease.holderIdentity,
    epoch: lease.leaseTransitions,
    stampText: lease.meta.annotations[stampAnnotation],
    owner: taken ? stamp.identity : undefined,
    durationSeconds: lease.leaseDurationSeconds,
    order: orderOfStamp(stamp),
  };
}

/**
 * What is seen with a new version after `known`; `absence` is what preceded a name that is new, or
 * that is another Lease than before: a successor under another uid without a seen deletion means
 * that a gap hid the deletion.
 */
export function observeLock(
  reading: LockReading,
  known: LockSeen | undefined,
  first: { readonly now: Micros; absence(): { readonly since: Micros; readonly freed: boolean } },
): LockSeen {
  const { order } = reading;
  const same = known !== undefined && known.reading.uid === reading.uid ? known : undefined;
  if (same === undefined) {
    const absence = known === undefined ? first.absence() : { since: first.now, freed: false };
    return {
      reading, backwards: false, since: first.now,
      missingSince: absence.since, freed: absence.freed, order,
    };
  }
  const before = same.reading;
  const backwards = order < same.order
    || (order === same.order && reading.stampText !== before.stampText);
  const unchanged = before.valid === reading.valid && same.backwards === backwards
    && before.holder === reading.holder && before.epoch === reading.epoch
    && before.stampText === reading.stampText;
  return {
    reading, backwards, since: unchanged ? same.since : first.now,
    missingSince: same.missingSince, freed: same.freed, order: Math.max(order, same.order),
  };
}

/**
 * The epoch that a take of this version is to have: above everything that was ever seen, so that an
 * epoch edited downwards does not make later takes look restored to those who remember.
 */
export function nextEpoch({ reading, order }: LockSeen): number {
  return Math.max(reading.epoch, Math.floor(order / 2)) + 1;
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
