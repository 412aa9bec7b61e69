import type { KubePort } from '../kube/port.ts';
import { resources } from '../kube/resource.ts';
import type { Ip } from '../lb/ip.ts';
import type { Clock, Micros } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { changedLease, closedAnnotation, l2Label } from './lease.ts';
import type { LockReading } from './lock.ts';
import type { LeaseView, SessionSeen } from './view.ts';

const patience: Micros = 60_000_000;
const desertion: Micros = 600_000_000;

export interface SweepParts {
  readonly clock: Clock;
  readonly kube: KubePort;
  readonly namespace: string;
  readonly identity: string;
  readonly view: LeaseView;
  readonly wanted: (address: Ip) => boolean;
}

/**
 * Rule L5: removes what nobody needs any more, each with the version it was decided on, so that a
 * race with a take is lost by the sweeper.
 */
export class Sweep {
  #parts: SweepParts;
  /** Since when each Lease has been superfluous. */
  #since = new Map<string, Micros>();
  #inFlight = new Set<string>();

  constructor(parts: SweepParts) {
    this.#parts = parts;
  }

  run(): void {
    const { view } = this.#parts;
    const superfluous: string[] = [];
    const unlabelled: string[] = [];
    for (const [name, { reading }] of view.locks) {
      if (!labelled(reading.object)) unlabelled.push(name);
      if (this.#lockFree(reading)) superfluous.push(name);
    }
    // Thousands of locks are looked at each second, and next to none is acted upon: that is sorted.
    for (const name of unlabelled.sort(compareText)) {
      this.#restoreLabel(name, view.locks.get(name)?.reading.object, 'lock');
    }
    for (const name of [...view.sessions.keys()].sort(compareText)) {
      const seen = view.sessions.get(name);
      if (seen === undefined) continue;
      this.#restoreLabel(name, seen.live.version, 'session');
      if (seen.closed && !view.namesLocks(seen.identity)) superfluous.push(name);
      this.#closeDeserted(seen);
    }
    this.#deleteLasting(superfluous);
  }

  /** Those that have been superfluous long enough. */
  #deleteLasting(superfluous: string[]): void {
    const now = this.#parts.clock.now();
    const since = new Map<string, Micros>();
    for (const name of superfluous.sort(compareText)) {
      since.set(name, this.#since.get(name) ?? now);
      if (now >= (since.get(name) ?? now) + patience) this.#delete(name);
    }
    this.#since = since;
  }

  // Free for good: empty, or taken by a session that was closed, and for an address nobody wants.
  #lockFree(lock: LockReading): boolean {
    if (!lock.valid || lock.ip === undefined || this.#parts.wanted(lock.ip)) return false;
    return lock.owner === undefined || this.#parts.view.session(lock.owner)?.closed === true;
  }

  #delete(name: string): void {
    const { kube, namespace, view } = this.#parts;
    const object = view.locks.get(name)?.reading.object ?? view.sessions.get(name)?.live.version;
    const { uid, resourceVersion } = object?.metadata ?? {};
    if (uid === undefined || resourceVersion === undefined || this.#inFlight.has(name)) return;
    this.#inFlight.add(name);
    const ref = { resource: resources.leases, namespace, name };
    kube.request({ verb: 'delete', ref, preconditions: { uid, resourceVersion } }, () => {
      this.#inFlight.delete(name);
    });
  }

  #closeDeserted(seen: SessionSeen): void {
    const { clock, identity } = this.#parts;
    if (!seen.open || clock.now() < seen.live.changedAt + desertion) return;
    this.#update(seen.name, changedLease(seen.live.version, {
      annotations: {
        [closedAnnotation]: `${identity} ${seen.live.seq}`,
      }, spec: { holderIdentity: '' }, label: 'session',
    }));
  }

  #restoreLabel(
    name: string, object: LockReading['object'] | undefined, label: 'session' | 'lock',
  ): void {
    if (object === undefined || labelled(object)) return;
    this.#update(name, changedLease(object, { annotations: {}, spec: {}, label }));
  }

  #update(name: string, body: ReturnType<typeof changedLease>): void {
    const { kube, namespace } = this.#parts;
    if (this.#inFlight.has(name)) return;
    this.#inFlight.add(name);
    const ref = { resource: resources.leases, namespace, name };
    kube.request({ verb: 'update', ref, body }, () => this.#inFlight.delete(name));
  }
}

function labelled(object: LockReading['object']): boolean {
  const labels = object.metadata?.['labels'];
  return typeof labels === 'object' && labels !== null && l2Label in labels;
}
