import type { Ip } from '../ip.ts';
import type { Condition, IngressEntry, Service, ServiceKey } from '../model.ts';
import { conditionOf } from '../conditions.ts';
import type { Address } from './address.ts';
import { inputsOf, type ServiceInputs } from './inputs.ts';
import type { Aged } from './age.ts';
import type { PoolState } from './poolstate.ts';
import { readRecord, type RecordItem } from './record.ts';
import type { IpamSettings } from './settings.ts';

/** The reasons of a False `cilium.io/IPAMRequestSatisfied` (lb-ipam.md 10.3). */
export type FailureReason =
  | 'no_pool' | 'pool_selector_mismatch' | 'out_of_ips' | 'already_allocated'
  | 'already_allocated_incompatible_service' | 'invalid_request' | 'no_family' | 'owner_disabled';

/** One item of a request that was not met. `text` begins with the finer code. */
export interface Failure {
  readonly reason: FailureReason;
  readonly code: string;
  readonly text: string;
}

/** What the API server stores as far as we know: the table's object, or a later write of ours. */
export interface StoredStatus {
  readonly resourceVersion: string;
  readonly ingress: readonly IngressEntry[];
  readonly conditions: readonly Condition[];
}

/** What took an address away: pools, the Service's request, its owner, or another holder. */
export type LossCause = 'pool' | 'request' | 'owner' | 'conflict';

/** An address that a Service lost in this plan, and why. */
export interface Loss {
  readonly address: Address;
  readonly why: string;
  readonly cause: LossCause;
}

/** What node IPAM computed for a Service. */
export type NodeOutcome =
  | { readonly kind: 'satisfied'; readonly ips: readonly Ip[] }
  | { readonly kind: 'none'; readonly reason: string; readonly message: string }
  | { readonly kind: 'unchanged'; readonly reason: string | undefined; readonly message: string };

/** One Service as planned: its inputs, what it holds, what it waits for, what it was last told. */
export class ServiceEntry implements Aged {
  readonly key: ServiceKey;
  readonly uid: string;
  readonly createdAtMs: number | undefined;
  readonly namespace: string;
  readonly name: string;
  service: Service;
  inputs: ServiceInputs;
  stored: StoredStatus;
  /** Address → the backing pool; empty text where none is known any more. */
  readonly held = new Map<Address, string>();
  claimed = false;
  failures: readonly Failure[] = [];
  node: NodeOutcome | undefined;
  /** Seen by a plan before: what its status shows was adopted or refused then. */
  known = false;
  /** True while a status write is under way: `stored` may be about to change. */
  writing = false;
  losses: Loss[] = [];
  /** What people were last told, so that an Event marks a change. */
  readonly told: { reason: string; warnings: string; addresses: ReadonlySet<Address> };
  #acknowledged: string | undefined;
  #record: {
    readonly conditions: readonly Condition[];
    readonly items: readonly RecordItem[] | undefined;
  } | undefined;
  #matching: { readonly generation: number; readonly pools: readonly PoolState[] } | undefined;

  constructor(service: Service, settings: IpamSettings) {
    const { createdAtMs, namespace, name, uid } = service.meta;
    this.key = service.key;
    this.uid = uid;
    this.createdAtMs = createdAtMs;
    this.namespace = namespace;
    this.name = name;
    this.service = service;
    this.inputs = inputsOf(service, settings);
    this.stored = storedStatus(service);
    this.told = {
      reason: storedReason(service.conditions),
      warnings: conditionOf(service.conditions, inputValidType)?.message ?? '',
      addresses: new Set(),
    };
  }

  /** The record in the stored conditions; read once for each list. */
  get record(): readonly RecordItem[] | undefined {
    const { conditions } = this.stored;
    if (this.#record?.conditions !== conditions) {
      this.#record = { conditions, items: readRecord(conditions) };
    }
    return this.#record.items;
  }

  get deleting(): boolean {
    return this.service.meta.deleting;
  }

  /** Takes the table's object in: its status counts unless an acknowledged write is newer. */
  observe(service: Service): void {
    this.service = service;
    const { resourceVersion } = service.meta;
    const written = this.#acknowledged;
    if (written !== undefined && olderVersion(resourceVersion, written)) return;
    this.#acknowledged = undefined;
    this.stored = storedStatus(service);
  }

  /** A write of ours is stored; the table may already know more. */
  acknowledge(stored: StoredStatus): void {
    const { resourceVersion } = this.service.meta;
    if (!olderVersion(resourceVersion, stored.resourceVersion)) return;
    this.#acknowledged = stored.resourceVersion;
    this.stored = stored;
  }

  /** The inputs of the observed object become those of the plan. */
  reread(settings: IpamSettings): void {
    const { service } = this;
    this.inputs = inputsOf(service, settings);
    this.#matching = undefined;
  }

  /** Pools that select it, in pool order, from a cache good for one generation of pools. */
  matching(space: PoolSource): readonly PoolState[] {
    if (this.#matching?.generation !== space.generation) {
      const pools = space.matching(this.inputs.labels);
      this.#matching = { generation: space.generation, pools };
    }
    return this.#matching.pools;
  }
}

/**
 * True when `version` is surely older than `than`. Versions are decimal and ordered since
 * Kubernetes 1.35 (KEP-5504), and in fact long before; of other texts nothing is sure.
 */
export function olderVersion(version: string, than: string): boolean {
  if (!decimal.test(version) || !decimal.test(than)) return false;
  return version.length === than.length ? version < than : version.length < than.length;
}

const decimal = /^(?:0|[1-9][0-9]*)$/u;

interface PoolSource {
  readonly generation: number;
  matching(labels: ServiceInputs['labels']): readonly PoolState[];
}

export const satisfiedType = 'cilium.io/IPAMRequestSatisfied';
export const inputValidType = 'fairlead.dev/IPAMInputValid';
export const nodeSatisfiedType = 'fairlead.dev/NodeIPAMSatisfied';

export function storedStatus(service: Service): StoredStatus {
  const { ingress, conditions } = service;
  return { resourceVersion: service.meta.resourceVersion, ingress, conditions };
}

// Empty for a Service that was told nothing bad.
function storedReason(conditions: readonly Condition[]): string {
  for (const type of [satisfiedType, nodeSatisfiedType]) {
    const condition = conditionOf(conditions, type);
    if (condition?.status === 'False') return condition.reason;
  }
  return '';
}
