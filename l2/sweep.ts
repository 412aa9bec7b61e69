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
    const superfluous = new Set<string>();
    for (const name of [...view.locks.keys()].sort(compareText)) {
      const lock = view.locks.get(name)?.reading;
      if (lock === undefined) continue;
      this.#restoreLabel(name, lock.object, 'lock');
      if (this.#lockFree(lock)) superfluous.add(name);
    }
    for (const name of [...view.sessions.keys()].sort(compareText)) {
      const seen = view.sessions.get(name);
      if (seen === undefined) continue;
      this.#restoreLabel(name, seen.live.version, 'session');
      if (seen.closed && !view.namesLocks(seen.identity)) superfluous.add(name);
      this.#closeDeserted(seen);
    }
    for (const name of [
      ...this.#since.keys(),
    ]) if (!superfluous.has(name)) this.#since.delete(name);
    const now = this.#parts.clock.now();
    for (const name of superfluous) {
      const since = this.#since.get(name) ?? now;
      this.#since.set(name, since);
      if (now >= since + patience) this.#delete(name);
    }
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

  #restoreLabel(name: string, object: LockReading['object'], label: 'session' | 'lock'): void {
    const labels = object.metadata?.['labels'];
    const present = typeof labels === 'object' && labels !== null && l2Label in labels;
    if (!present) this.#update(name, changedLease(object, { annotations: {}, spec: {}, label }));
  }

  #update(name: string, body: ReturnType<typeof changedLease>): void {
    const { kube, namespace } = this.#parts;
    if (this.#inFlight.has(name)) return;
    this.#inFlight.add(name);
    const ref = { resource: resources.leases, namespace, name };
    kube.request({ verb: 'update', ref, body }, () => this.#inFlight.delete(name));
  }
}
