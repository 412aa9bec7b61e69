import type { Micros } from '../../lb/ports.ts';
import type { Result } from '../../lb/result.ts';
import type {
  KubeAnswer, KubeError, KubeObject, KubeRequest, WatchEvent,
} from '../../kube/port.ts';
import type { Resource } from '../../kube/resource.ts';
import type { World } from '../world.ts';
import type { Catalog } from './catalog.ts';

/** What the built-in controllers need of the API server: synchronous calls at the world's time. */
export interface ActorApi {
  handle(request: KubeRequest, user: string): Result<KubeAnswer, KubeError>;
  /** Sorted by namespace and name. */
  list(resource: Resource): readonly KubeObject[];
  get(resource: Resource, namespace: string, name: string): KubeObject | undefined;
  /** Called inside the commit: a listener takes notes and writes nothing. */
  subscribe(resource: Resource, listener: (event: WatchEvent) => void): void;
}

/** Timing of simulator.md 5.6 and 5.7, in microseconds unless the name says otherwise. */
export interface ActorTimings {
  readonly leasePeriod: Micros;
  readonly leaseDurationSeconds: number;
  readonly nodeStatusPeriod: Micros;
  readonly lookPeriod: Micros;
  /** How long a node may miss its lease; 40 s before Kubernetes 1.32. */
  readonly nodeGrace: Micros;
  /** For pods that say nothing about the not-ready and unreachable taints. */
  readonly tolerationSeconds: number;
  readonly podStart: Micros;
  readonly podReady: Micros;
  /** Start and ready delays are drawn within this share around their value; 0 makes them exact. */
  readonly podSpreadPercent: number;
  /** Longest reaction of kubelet, scheduler and workload controllers to a change. */
  readonly reaction: Micros;
  readonly sliceReaction: Micros;
  readonly garbageReaction: Micros;
}

export const second: Micros = 1_000_000;

/** simulator.md 5.7; reactions of a few tens of milliseconds are what idle controllers show. */
export const defaultTimings: ActorTimings = {
  leasePeriod: 10 * second,
  leaseDurationSeconds: 40,
  nodeStatusPeriod: 300 * second,
  lookPeriod: 5 * second,
  nodeGrace: 50 * second,
  tolerationSeconds: 300,
  podStart: 2 * second,
  podReady: second,
  podSpreadPercent: 50,
  reaction: 50_000,
  sliceReaction: second,
  garbageReaction: 2 * second,
};

/** What every built-in controller shares. */
export interface ActorContext {
  readonly world: World;
  readonly api: ActorApi;
  readonly timings: ActorTimings;
  readonly catalog: Catalog;
  /** Minor version of the kubelets: `1.32`. */
  readonly kubernetes: string;
  /** True when the control plane's own controllers can reach the API server now. */
  readonly reachControl: () => boolean;
}

/** One write that a controller decided on. */
export type ActorWrite =
  | { readonly verb: 'create'; readonly resource: Resource; readonly body: KubeObject }
  | {
    readonly verb: 'replace'; readonly resource: Resource; readonly body: KubeObject;
    readonly subresource?: 'status';
  }
  | {
    readonly verb: 'remove'; readonly resource: Resource; readonly object: KubeObject;
    readonly gracePeriodSeconds?: number;
  };

/**
 * Makes the writes in order, as `user`, and returns the first refusal. All are tried: a refused
 * one says nothing about the others. What is gone already counts as removed.
 */
export function applyWrites(
  api: ActorApi, user: string, writes: readonly ActorWrite[],
): KubeError | undefined {
  let refusal: KubeError | undefined;
  for (const write of writes) {
    const done = api.handle(requestOf(write), user);
    if (done.ok || (write.verb === 'remove' && done.error.kind === 'gone')) continue;
    refusal ??= done.error;
  }
  return refusal;
}

function requestOf(write: ActorWrite): KubeRequest {
  const { resource } = write;
  const metadata = (write.verb === 'remove' ? write.object : write.body).metadata;
  const namespace = metadata?.namespace ?? '';
  if (write.verb === 'create') return { verb: 'create', resource, namespace, body: write.body };
  const ref = { resource, namespace, name: metadata?.name ?? '' };
  if (write.verb === 'replace') {
    const { body, subresource } = write;
    return { verb: 'update', ref, body, ...(subresource !== undefined && { subresource }) };
  }
  const { gracePeriodSeconds } = write;
  const uid = metadata?.uid;
  return {
    verb: 'delete',
    ref,
    ...(uid !== undefined && { preconditions: { uid } }),
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
  };
}
