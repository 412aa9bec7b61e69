import { conditionOf, mergeConditions, type WantedCondition } from '../lb/conditions.ts';
import type { L2Policy } from '../lb/model.ts';
import type { Clock } from '../lb/ports.ts';
import type { StatusPort } from '../lb/status.ts';
import type { Table } from '../lb/table.ts';
import { formatTime } from '../lb/time.ts';

/** Every condition type that fairlead sets on a policy (l2.md 2.1). */
export const policyConditionTypes = [
  'io.cilium/bad-node-selector', 'io.cilium/bad-service-selector', 'io.cilium/bad-interface-regex',
  'fairlead.dev/inert', 'fairlead.dev/no-candidate', 'fairlead.dev/endpoint-locality-unknown',
  'fairlead.dev/exclude-label-ignored', 'fairlead.dev/responder-degraded',
  'fairlead.dev/address-conflict',
  'fairlead.dev/duplicate-segment',
] as const;

export type PolicyConditionType = (typeof policyConditionTypes)[number];

/** What is wrong with one policy now, with a message each. */
export type Ailments = ReadonlyMap<PolicyConditionType, string>;

/** Field manager of our conditions. */
const manager = 'fairlead-l2';

/**
 * The conditions that `ailments` ask for: True with a message; once seen and cured, False without
 * one; a policy that was always healthy has none. Pure.
 */
export function wantedConditions(policy: L2Policy, ailments: Ailments): WantedCondition[] {
  return policyConditionTypes.flatMap((type) => {
    const message = ailments.get(type);
    if (message === undefined && conditionOf(policy.conditions, type) === undefined) return [];
    const status = message === undefined ? 'False' as const : 'True' as const;
    return [{
      type, status, reason: 'error', message: message ?? '',
      observedGeneration: policy.meta.generation,
    }];
  });
}

/** Writes policy conditions, one attempt at a time per policy, and only what changes. */
export class PolicyStatus {
  #ports: { readonly clock: Clock; readonly status: StatusPort };
  #policies: Table<L2Policy>;
  #inFlight = new Set<string>();
  #again = false;

  constructor(
    ports: { readonly clock: Clock; readonly status: StatusPort }, policies: Table<L2Policy>,
  ) {
    this.#ports = ports;
    this.#policies = policies;
  }

  get writing(): number {
    return this.#inFlight.size;
  }

  /** True once when a write ended otherwise than well and is to be tried again. */
  takeRetry(): boolean {
    const again = this.#again;
    this.#again = false;
    return again;
  }

  write(policy: L2Policy, ailments: Ailments): void {
    const { name, uid, resourceVersion } = policy.meta;
    if (this.#inFlight.has(name)) {
      this.#again = true;
      return;
    }
    const at = formatTime(this.#ports.clock.wall());
    const owned = [...policyConditionTypes];
    const merged = mergeConditions(
      policy.conditions, wantedConditions(policy, ailments), { owned, at },
    );
    if (!merged.changed) return;
    const conditions = merged.conditions.filter((one) => owned.some((type) => type === one.type));
    this.#inFlight.add(name);
    const write = {
      kind: 'CiliumL2AnnouncementPolicy', name, uid, resourceVersion, conditions,
    } as const;
    this.#ports.status.writeConditions(write, manager, (result) => {
      this.#inFlight.delete(name);
      if (!result.ok && result.error.kind !== 'invalid') this.#again = this.#policies.has(name);
    });
  }
}
