import type { Condition, IngressEntry, ServiceKey } from './model.ts';
import type { Micros } from './ports.ts';
import type { Result } from './result.ts';

/**
 * One patch of a Service's status, with its uid and resourceVersion as preconditions. A list is
 * given only if it changed, and then whole, foreign entries and conditions in it (lb-ipam.md 10.5).
 */
export interface ServiceStatusWrite {
  readonly key: ServiceKey;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly ingress?: readonly IngressEntry[];
  readonly conditions?: readonly Condition[];
}

/** Our condition types of one cluster-scoped object, for a server-side apply by `manager`. */
export interface ConditionsWrite {
  readonly kind:
    | 'CiliumLoadBalancerIPPool' | 'CiliumL2AnnouncementPolicy' | 'CiliumBGPClusterConfig'
    | 'CiliumBGPPeerConfig' | 'CiliumBGPPeeringPolicy';
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly conditions: readonly Condition[];
}

/**
 * Why a write did not happen, or may not have: `conflict` asks for the newer object, `gone` for
 * forgetting it, `retry` (unknown outcomes included) for patience, `invalid` for an operator.
 */
export interface WriteError {
  readonly kind: 'conflict' | 'gone' | 'retry' | 'invalid';
  readonly message: string;
  readonly retryAfter?: Micros;
}

export type WriteDone = (result: Result<{ readonly resourceVersion: string }, WriteError>) => void;

/** Writes statuses. One call is one attempt; `done` is called once, never inside the call. */
export interface StatusPort {
  writeService(write: ServiceStatusWrite, done: WriteDone): void;
  writeConditions(write: ConditionsWrite, manager: string, done: WriteDone): void;
}
