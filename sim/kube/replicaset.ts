import { compareText } from '../../lb/table.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { ActorContext, ActorWrite } from './actor.ts';
import { podActive, type PodView } from './pod.ts';
import {
  createdAt, podOfTemplate, removePod, replicasOf, statusWrites, surplusRank, type WorkloadKind,
} from './workload.ts';

/** Pods made or removed in one look, as kube-controller-manager's burst. */
const burst = 500;

/** ReplicaSet: as many pods as asked for; a terminating one does not count. */
export function replicaSets(context: ActorContext): WorkloadKind {
  return {
    resource: resources.replicaSets,
    plan(object) {
      const pods = context.catalog.podsOf(object.metadata?.uid ?? '').filter(podActive);
      const ready = pods.filter((pod) => pod.ready).length;
      const status = {
        replicas: pods.length, fullyLabeledReplicas: pods.length,
        readyReplicas: ready, availableReplicas: ready,
      };
      return [
        ...planReplicas(object, pods), ...statusWrites(object, resources.replicaSets, status),
      ];
    },
  };
}

function planReplicas(object: KubeObject, pods: readonly PodView[]): readonly ActorWrite[] {
  const missing = replicasOf(object) - pods.length;
  if (missing > 0) {
    const prefix = `${object.metadata?.name ?? ''}-`;
    return Array.from({ length: Math.min(missing, burst) }, () =>
      podOfTemplate(object, resources.replicaSets, { name: { prefix } }));
  }
  return surplus(pods).slice(0, Math.min(-missing, burst)).map(removePod);
}

// Where all else is equal the node with the most pods of this set gives one up.
function surplus(pods: readonly PodView[]): readonly PodView[] {
  const onNode = new Map<string, number>();
  const rank = new Map<string, number>();
  for (const pod of pods) {
    const index = onNode.get(pod.spec.nodeName) ?? 0;
    rank.set(pod.key, index);
    onNode.set(pod.spec.nodeName, index + 1);
  }
  return [...pods].sort((left, right) => surplusRank(left) - surplusRank(right)
    || (rank.get(right.key) ?? 0) - (rank.get(left.key) ?? 0)
    || compareText(createdAt(right.object), createdAt(left.object))
    || compareText(left.key, right.key));
}
