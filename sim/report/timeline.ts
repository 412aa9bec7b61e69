import { resources } from '../../kube/resource.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';

/** When the cluster noticed a failure and made up for it, since the failure struck. */
export interface Recovery {
  /** The node life cycle gave up on the node. */
  readonly nodeUnknownAt: Micros | undefined;
  /** The first pod of the lost ones was told to go. */
  readonly evictedAt: Micros | undefined;
  /** A pod that replaces one of them became ready. */
  readonly readyAt: Micros | undefined;
}

/**
 * Follows what the control plane does about a failure, per owner of pods: it reads stored objects,
 * as a person with kubectl would.
 */
export class Timeline {
  #cluster: Cluster;
  #struckAt: Micros;
  #nodeUnknownAt: Micros | undefined;
  #evicted = new Map<string, Micros>();
  #ready = new Map<string, Micros>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#struckAt = cluster.world.now;
    cluster.store.onCommit(resources.nodes, (node) => this.#node(node));
    cluster.store.onCommit(resources.pods, (pod, deleted) => this.#pod(pod, deleted));
  }

  /** For pods of `owner` (uid of the ReplicaSet, StatefulSet, …). */
  of(owner: string): Recovery {
    return {
      nodeUnknownAt: this.#nodeUnknownAt,
      evictedAt: this.#evicted.get(owner),
      readyAt: this.#ready.get(owner),
    };
  }

  #since(): Micros {
    return this.#cluster.world.now - this.#struckAt;
  }

  #node(node: KubeObject): void {
    if (this.#nodeUnknownAt !== undefined) return;
    if (readyStatus(node) === 'Unknown') this.#nodeUnknownAt = this.#since();
  }

  #pod(pod: KubeObject, deleted: boolean): void {
    const owner = ownerUid(pod);
    if (owner === undefined) return;
    const leaving = deleted || pod.metadata?.['deletionTimestamp'] !== undefined;
    if (leaving && !this.#evicted.has(owner)) this.#evicted.set(owner, this.#since());
    if (
      !leaving &&
      this.#evicted.has(owner) &&
      !this.#ready.has(owner) &&
      readyStatus(pod) === 'True'
    ) {
      this.#ready.set(owner, this.#since());
    }
  }
}

/** Status of the condition `Ready` of a Node or Pod. */
export function readyStatus(object: KubeObject): string | undefined {
  const conditions = field(object['status'], 'conditions');
  if (!Array.isArray(conditions)) return undefined;
  const ready: unknown = conditions.find(
    (condition: unknown) => field(condition, 'type') === 'Ready',
  );
  const status = field(ready, 'status');
  return typeof status === 'string' ? status : undefined;
}

/** Uid of the controller that owns an object. */
export function ownerUid(object: KubeObject): string | undefined {
  const owners = object.metadata?.['ownerReferences'];
  if (!Array.isArray(owners)) return undefined;
  const uid = field(owners[0], 'uid');
  return typeof uid === 'string' ? uid : undefined;
}

/** One field of something that may be no mapping. */
export function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
