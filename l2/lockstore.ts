import type { KubeError, KubePort } from '../kube/port.ts';
import { resources } from '../kube/resource.ts';
import { formatMicroTime } from '../lb/time.ts';
import type { Ip } from '../lb/ip.ts';
import type { Clock, Micros } from '../lb/ports.ts';
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
    const { kube, wake } = this.#ports;
    const body = newLock(address, this.#namespace);
    const request = {
      verb: 'create', resource: resources.leases, namespace: this.#namespace, body, timeout,
    } as const;
    kube.request(request, (result) => wake(() => done(result.ok ? 'ok' : resultOf(result.error))));
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
    this.#swap(from.reading.name, body, done);
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
    this.#swap(name, body, done);
  }

  /** T3: closes a session on exactly the version that was watched. */
  close(session: SessionSeen, by: string, done: (result: WriteResult) => void): void {
    const { version, seq } = session.live;
    const body = changedLease(version, {
      annotations: {
        [closedAnnotation]: `${by} ${seq}`,
      }, spec: { holderIdentity: '' }, label: 'session',
    });
    this.#swap(session.name, body, done);
  }

  #swap(
    name: string, body: ReturnType<typeof changedLease>, done: (result: WriteResult) => void,
  ): void {
    const { kube, wake } = this.#ports;
    const ref = { resource: resources.leases, namespace: this.#namespace, name };
    kube.request({ verb: 'update', ref, body, timeout }, (result) => {
      wake(() => done(result.ok ? 'ok' : resultOf(result.error)));
    });
  }
}

function resultOf(error: KubeError): WriteResult {
  return error.kind === 'conflict' || error.kind === 'exists' || error.kind === 'gone'
    ? 'conflict' : 'unknown';
}
