import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { ActorContext, ActorWrite } from './actor.ts';
import { count, fields, text } from './fields.ts';
import { podActive, podFinished, type PodView } from './pod.ts';
import {
  podOfTemplate, removePod, replicasOf, statusWrites, templateHashes, type WorkloadKind,
} from './workload.ts';

const revisionLabel = 'controller-revision-hash';
const nameLabel = 'statefulset.kubernetes.io/pod-name';
const indexLabel = 'apps.kubernetes.io/pod-index';

/**
 * StatefulSet: one pod per ordinal, by name. A terminating pod keeps its name until it is removed,
 * so the pod of a dead node is replaced only when somebody deletes it by force.
 */
export function statefulSets(context: ActorContext): WorkloadKind {
  const hashOf = templateHashes();
  return {
    resource: resources.statefulSets,
    plan(object) {
      const pods = context.catalog.podsOf(object.metadata?.uid ?? '');
      const set = setView(object, pods, hashOf(object));
      return [...planOrdinals(set), ...planStatus(set)];
    },
  };
}

interface SetView {
  readonly object: KubeObject;
  readonly name: string;
  readonly hash: string;
  readonly first: number;
  readonly replicas: number;
  readonly byOrdinal: ReadonlyMap<number, PodView>;
}

function setView(object: KubeObject, pods: readonly PodView[], hash: string): SetView {
  const name = object.metadata?.name ?? '';
  const spec = fields(object['spec']);
  const byOrdinal = new Map<number, PodView>();
  for (const pod of pods) {
    const suffix = pod.name.slice(name.length + 1);
    const numbered = pod.name.startsWith(`${name}-`) && /^\d{1,9}$/u.test(suffix);
    if (numbered) byOrdinal.set(Number(suffix), pod);
  }
  return {
    object, name, hash, byOrdinal,
    first: count(fields(spec['ordinals'])['start'], 0),
    replicas: replicasOf(object),
  };
}

// Ordered sets move one pod at a time: up from the lowest, down and to updates from the highest.
function planOrdinals(set: SetView): readonly ActorWrite[] {
  const parallel = fields(set.object['spec'])['podManagementPolicy'] === 'Parallel';
  const writes: ActorWrite[] = [];
  for (let ordinal = set.first; ordinal < set.first + set.replicas; ordinal += 1) {
    const pod = set.byOrdinal.get(ordinal);
    const settled = pod !== undefined && podActive(pod) && pod.ready;
    if (pod === undefined) writes.push(ordinalPod(set, ordinal));
    else if (podFinished(pod) && !pod.deleting) writes.push(removePod(pod));
    if (!settled && !parallel) return writes;
  }
  const surplus = [...set.byOrdinal].filter(
    ([ordinal]) => ordinal < set.first || ordinal >= set.first + set.replicas,
  )
    .sort((left, right) => right[0] - left[0]).map((entry) => entry[1]);
  if (surplus.some((pod) => pod.deleting) && !parallel) return writes;
  const leaving = surplus.filter((pod) => !pod.deleting);
  const next = parallel ? leaving : leaving.slice(0, 1);
  if (next.length > 0) return [...writes, ...next.map(removePod)];
  return writes.length > 0 ? writes : planUpdate(set);
}

function planUpdate(set: SetView): readonly ActorWrite[] {
  const strategy = fields(fields(set.object['spec'])['updateStrategy']);
  if (strategy['type'] === 'OnDelete') return [];
  const partition = count(fields(strategy['rollingUpdate'])['partition'], 0);
  const lowest = Math.max(set.first, partition);
  for (let ordinal = set.first + set.replicas - 1; ordinal >= lowest; ordinal -= 1) {
    const pod = set.byOrdinal.get(ordinal);
    if (pod === undefined || pod.deleting) return [];
    if (pod.labels[revisionLabel] !== set.hash) return [removePod(pod)];
    if (!pod.ready) return [];
  }
  return [];
}

function ordinalPod(set: SetView, ordinal: number): ActorWrite {
  const name = `${set.name}-${ordinal}`;
  return podOfTemplate(set.object, resources.statefulSets, {
    name: { exact: name },
    labels: { [revisionLabel]: set.hash, [nameLabel]: name, [indexLabel]: String(ordinal) },
    spec: { hostname: name, subdomain: text(fields(set.object['spec'])['serviceName']) },
  });
}

function planStatus(set: SetView): readonly ActorWrite[] {
  const pods = [...set.byOrdinal.values()].filter(podActive);
  const ready = pods.filter((pod) => pod.ready).length;
  const updated = pods.filter((pod) => pod.labels[revisionLabel] === set.hash).length;
  return statusWrites(set.object, resources.statefulSets, {
    replicas: set.byOrdinal.size,
    readyReplicas: ready,
    availableReplicas: ready,
    currentReplicas: pods.length - updated,
    updatedReplicas: updated,
    updateRevision: `${set.name}-${set.hash}`,
  });
}
