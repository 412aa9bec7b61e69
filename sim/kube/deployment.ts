import { compareText } from '../../lb/table.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { formatTime } from '../../lb/time.ts';
import type { ActorContext, ActorWrite } from './actor.ts';
import { canonical, fields, items, labelsOf, share, type Fields } from './fields.ts';
import { podActive } from './pod.ts';
import {
  createdAt, ownerReference, replicasOf, statusWrites, templateHashes, type WorkloadKind,
} from './workload.ts';

const hashLabel = 'pod-template-hash';

/** One ReplicaSet of a Deployment, counted. */
interface ReplicaSetView {
  readonly object: KubeObject;
  readonly replicas: number;
  /** Pods that are there and not terminating, and those of them that are ready. */
  readonly active: number;
  readonly available: number;
  /** Pods that are there at all. */
  readonly present: number;
}

interface Rollout {
  readonly deployment: KubeObject;
  readonly wanted: number;
  readonly hash: string;
  readonly current: ReplicaSetView | undefined;
  /** Of other templates, oldest first. */
  readonly old: readonly ReplicaSetView[];
}

/** Deployment: one ReplicaSet per template, moved over within surge and unavailability. */
export function deployments(
  context: ActorContext, setsOf: (uid: string) => readonly KubeObject[],
): WorkloadKind {
  const hashOf = templateHashes();
  return {
    resource: resources.deployments,
    plan(deployment) {
      const sets = setsOf(deployment.metadata?.uid ?? '').map((set) => viewOf(context, set));
      const rollout = rolloutOf(deployment, sets, hashOf(deployment));
      return [
        ...planRollout(rollout), ...planStatus(rollout, sets, formatTime(context.world.wall)),
      ];
    },
  };
}

function viewOf(context: ActorContext, object: KubeObject): ReplicaSetView {
  const pods = context.catalog.podsOf(object.metadata?.uid ?? '');
  const active = pods.filter(podActive);
  return {
    object, replicas: replicasOf(object), active: active.length,
    available: active.filter((pod) => pod.ready).length, present: pods.length,
  };
}

function rolloutOf(
  deployment: KubeObject, sets: readonly ReplicaSetView[], hash: string,
): Rollout {
  const template = fields(fields(deployment['spec'])['template']);
  const nameOf = (set: ReplicaSetView): string => set.object.metadata?.name ?? '';
  const sorted = [...sets].sort((left, right) =>
    compareText(createdAt(left.object), createdAt(right.object))
    || compareText(nameOf(left), nameOf(right)));
  const labelled = sorted.find(
    (set) => labelsOf(set.object.metadata?.['labels'])[hashLabel] === hash,
  );
  // A set that came from another cluster carries that cluster's hash.
  const current = labelled ?? sorted.find(
    (set) => canonical(unhashed(set.object)) === canonical(template),
  );
  return {
    deployment, hash, current, wanted: replicasOf(deployment),
    old: sorted.filter((set) => set !== current),
  };
}

function planRollout(rollout: Rollout): readonly ActorWrite[] {
  const strategy = fields(fields(rollout.deployment['spec'])['strategy']);
  if (strategy['type'] === 'Recreate') return planRecreate(rollout);
  return planRolling(rollout, fields(strategy['rollingUpdate']));
}

// Every old pod must be gone, terminating ones too, before the first new one.
function planRecreate(rollout: Rollout): readonly ActorWrite[] {
  const shrink = rollout.old.flatMap((set) => scaled(set, 0));
  const gone = rollout.old.every((set) => set.present === 0 && set.replicas === 0);
  return [...shrink, ...grown(rollout, gone ? rollout.wanted : rollout.current?.replicas ?? 0)];
}

function planRolling(rollout: Rollout, bounds: Fields): readonly ActorWrite[] {
  const { wanted, current, old } = rollout;
  const surge = share(bounds['maxSurge'] ?? '25%', wanted, 'up') ?? 1;
  const stated = share(bounds['maxUnavailable'] ?? '25%', wanted, 'down') ?? 0;
  // Both zero could never move; the API server forbids it, rounding can still lead here.
  const unavailable = surge === 0 && stated === 0 ? 1 : stated;
  const now = current?.replicas ?? 0;
  const total = now + old.reduce((sum, set) => sum + set.replicas, 0);
  const room = Math.max(0, wanted + surge - total);
  const next = now >= wanted ? wanted : now + Math.min(wanted - now, room);
  return [
    ...grown(rollout, next), ...shrunk(rollout, { total, minAvailable: wanted - unavailable }),
  ];
}

function shrunk(
  rollout: Rollout, of: { total: number; minAvailable: number },
): readonly ActorWrite[] {
  const { current, old } = rollout;
  const asked = current?.replicas ?? 0;
  const newUnready = asked - Math.min(current?.available ?? 0, asked);
  let budget = Math.max(0, of.total - of.minAvailable - newUnready);
  const next = old.map((set) => set.replicas);
  // Pods that do not serve go first: they cost nothing.
  for (const [index, set] of old.entries()) {
    const cut = Math.min(budget, Math.max(0, set.replicas - set.available));
    next[index] = set.replicas - cut;
    budget -= cut;
  }
  const available = (current?.available ?? 0) + old.reduce((sum, set) => sum + set.available, 0);
  let spare = Math.min(budget, Math.max(0, available - of.minAvailable));
  for (const [index, replicas] of next.entries()) {
    const cut = Math.min(spare, replicas);
    next[index] = replicas - cut;
    spare -= cut;
  }
  return old.flatMap((set, index) => scaled(set, next[index] ?? 0));
}

function grown(rollout: Rollout, replicas: number): readonly ActorWrite[] {
  if (rollout.current !== undefined) return scaled(rollout.current, replicas);
  return [{ verb: 'create', resource: resources.replicaSets, body: newSet(rollout, replicas) }];
}

function scaled(set: ReplicaSetView, replicas: number): readonly ActorWrite[] {
  if (set.replicas === replicas) return [];
  const body = { ...set.object, spec: { ...fields(set.object['spec']), replicas } };
  return [{ verb: 'replace', resource: resources.replicaSets, body }];
}

function newSet(rollout: Rollout, replicas: number): KubeObject {
  const { deployment, hash } = rollout;
  const spec = fields(deployment['spec']);
  const template = fields(spec['template']);
  const metadata = fields(template['metadata']);
  const labels = { ...labelsOf(metadata['labels']), [hashLabel]: hash };
  const selector = fields(spec['selector']);
  const matchLabels = { ...labelsOf(selector['matchLabels']), [hashLabel]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      namespace: deployment.metadata?.namespace ?? '',
      name: `${deployment.metadata?.name ?? ''}-${hash}`,
      labels,
      ownerReferences: [ownerReference(deployment, resources.deployments)],
    },
    spec: {
      replicas,
      selector: { ...selector, matchLabels },
      template: { ...template, metadata: { ...metadata, labels } },
    },
  };
}

function unhashed(set: KubeObject): Fields {
  const template = fields(fields(set['spec'])['template']);
  const metadata = fields(template['metadata']);
  const { [hashLabel]: _, ...labels } = labelsOf(metadata['labels']);
  return { ...template, metadata: { ...metadata, labels } };
}

function planStatus(
  rollout: Rollout, sets: readonly ReplicaSetView[], stamp: string,
): readonly ActorWrite[] {
  const { deployment, wanted, current } = rollout;
  const sum = (of: (set: ReplicaSetView) => number): number =>
    sets.reduce((all, set) => all + of(set), 0);
  const available = sum((set) => set.available);
  const enough = available >= Math.max(
    wanted - (wanted > 1 ? Math.floor(wanted / 4) : 0), Math.min(wanted, 1),
  );
  const before = items(fields(deployment['status'])['conditions'])
    .find(
      (entry) => entry['type'] === 'Available' && entry['status'] === (enough ? 'True' : 'False'),
    );
  const condition = {
    type: 'Available', status: enough ? 'True' : 'False',
    reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    lastTransitionTime: before?.['lastTransitionTime'] ?? stamp,
  };
  return statusWrites(deployment, resources.deployments, {
    replicas: sum((set) => set.active),
    updatedReplicas: current?.active ?? 0,
    readyReplicas: available,
    availableReplicas: available,
    unavailableReplicas: Math.max(0, wanted - available),
    conditions: [condition],
  });
}
