import type { KubeDone, KubeError, KubeObject, KubePort } from '../kube/port.ts';
import { resources } from '../kube/resource.ts';
import { formatMicroTime } from '../lb/time.ts';
import type { Ip } from '../lb/ip.ts';
import type { Clock, Journal, Micros } from '../lb/ports.ts';
import {
  changedLease, closedAnnotation, ipAnnotation, newLock, stampAnnotation, stampText,
} from './lease.ts';
import { nextEpoch, type LockSeen } from './lock.ts';
import type { SessionSeen } from './view.ts';

/** How a write ended: `conflict` covers everything that proves the version stale. */
export type WriteResult = 'ok' | 'conflict' | 'unknown';

export interface LockPorts {
  readonly clock: Clock;
  readonly kube: KubePort;
  readonly wake: (callback: () => void) => void;
  readonly journal: Journal;
}

const timeout: Micros = 1_000_000;

/**
 * Writes of locks and of other nodes' sessions: every one swaps exactly the version it was decided
 * on, or creates without a holder. Effects show on the stream only.
 */
export class LockStore {
  #ports: LockPorts;
  #namespace: string;
  #duration: Micros;

  constructor(ports: LockPorts, namespace: string, duration: Micros) {
    this.#ports = ports;
    this.#namespace = namespace;
    this.#duration = duration;
  }

  /** L1: an empty lock with stamp `new`. */
  create(address: Ip, done: (result: WriteResult) => void): void {
    const { kube } = this.#ports;
    const body = newLock(address, this.#namespace);
    const request = {
      verb: 'create', resource: resources.leases, namespace: this.#namespace, body, timeout,
    } as const;
    kube.request(request, (result) => this.#written('create', result, done));
  }

  /** Swaps `from` for a take by `identity` with the next epoch. */
  take(
    from: LockSeen,
    by: { readonly identity: string; readonly ip: Ip },
    done: (result: WriteResult) => void,
  ): void {
    const { identity, ip } = by;
    const epoch = nextEpoch(from);
    const at = formatMicroTime(this.#ports.clock.wall());
    const stamp = stampText({ kind: 'take', identity, epoch, uid: from.reading.uid });
    const body = changedLease(from.reading.object, {
      annotations: { [stampAnnotation]: stamp, [ipAnnotation]: ip },
      spec: {
        holderIdentity: identity, leaseTransitions: epoch, acquireTime: at, renewTime: at,
        leaseDurationSeconds: Math.ceil(this.#duration / 1_000_000),
      },
      label: 'lock',
    });
    this.#swap('take', { name: from.reading.name, body }, done);
  }

  /** L3: empties the holder of `from`, naming nobody. */
  release(from: LockSeen, identity: string, done: (result: WriteResult) => void): void {
    const { name, object, epoch, uid } = from.reading;
    const stamp = stampText({ kind: 'release', identity, epoch, uid });
    const body = changedLease(object, {
      annotations: { [stampAnnotation]: stamp },
      spec: { holderIdentity: '', renewTime: formatMicroTime(this.#ports.clock.wall()) },
      label: 'lock',
    });
    this.#swap('release', { name, body }, done);
  }

  /** T3: closes a session on exactly the version that was watched. */
  close(session: SessionSeen, by: string, done: (result: WriteResult) => void): void {
    const { version, seq } = session.live;
    const body = changedLease(version, {
      annotations: {
        [closedAnnotation]: `${by} ${seq}`,
      }, spec: { holderIdentity: '' }, label: 'session',
    });
    this.#swap('close', { name: session.name, body }, done);
  }

  #swap(
    op: string, { name, body }: { readonly name: string; readonly body: KubeObject },
    done: (result: WriteResult) => void,
  ): void {
    const { kube } = this.#ports;
    const ref = { resource: resources.leases, namespace: this.#namespace, name };
    kube.request({ verb: 'update', ref, body, timeout }, (result) => {
      this.#written(op, result, done);
    });
  }

  #written(
    op: string, outcome: Parameters<KubeDone>[0], done: (result: WriteResult) => void,
  ): void {
    const result = outcome.ok ? 'ok' : resultOf(outcome.error);
    this.#ports.journal.measure?.({
      name: 'l2_lock_writes_total', value: 1, labels: { op, result },
    });
    this.#ports.wake(() => done(result));
  }
}

function resultOf(error: KubeError): WriteResult {
  return error.kind === 'conflict' || error.kind === 'exists' || error.kind === 'gone'
    ? 'conflict' : 'unknown';
}
