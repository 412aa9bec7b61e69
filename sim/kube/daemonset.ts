import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { ActorContext, ActorWrite } from './actor.ts';
import { nodeTest } from './affinity.ts';
import { fields, items, share, type Fields } from './fields.ts';
import { effectiveTaints, type NodeView } from './node.ts';
import { podActive, podFinished, type PodView } from './pod.ts';
import {
  notReadyKey, placeable, tolerationOf, unreachableKey, unschedulableKey,
} from './taints.ts';
import {
  podOfTemplate, removePod, statusWrites, templateHashes, type WorkloadKind,
} from './workload.ts';

const revisionLabel = 'controller-revision-hash';

/** What every daemon pod tolerates for ever, as the DaemonSet controller adds it. */
const daemonTolerations: readonly Fields[] = [
  { key: notReadyKey, operator: 'Exists', effect: 'NoExecute' },
  { key: unreachableKey, operator: 'Exists', effect: 'NoExecute' },
  { key: notReadyKey, operator: 'Exists', effect: 'NoSchedule' },
  { key: unreachableKey, operator: 'Exists', effect: 'NoSchedule' },
  { key: unschedulableKey, operator: 'Exists', effect: 'NoSchedule' },
];

/** DaemonSet: one pod on each node that its selectors and tolerations admit, bound by itself. */
export function daemonSets(context: ActorContext): WorkloadKind {
  const hashOf = templateHashes();
  return {
    resource: resources.daemonSets,
    plan(object) {
      const pods = context.catalog.podsOf(object.metadata?.uid ?? '');
      const nodes = eligible(object, context.catalog.nodes());
      const set = { object, hash: hashOf(object), nodes, pods };
      return [...planDaemons(set), ...planStatus(set)];
    },
  };
}

function eligible(object: KubeObject, nodes: readonly NodeView[]): readonly NodeView[] {
  const spec = fields(fields(fields(object['spec'])['template'])['spec']);
  const test = nodeTest(spec);
  const tolerations = tolerationsOf(spec).map(tolerationOf);
  return nodes.filter((node) => (test === undefined || test(node))
    && placeable(tolerations, effectiveTaints(node)));
}

interface DaemonView {
  readonly object: KubeObject;
  readonly hash: string;
  /** That should run a pod of the set. */
  readonly nodes: readonly NodeView[];
  readonly pods: readonly PodView[];
}

function planDaemons(set: DaemonView): readonly ActorWrite[] {
  const { object, hash, nodes, pods } = set;
  const byNode = new Map<string, PodView[]>();
  for (const pod of pods) {
    byNode.set(pod.spec.nodeName, [...byNode.get(pod.spec.nodeName) ?? [], pod]);
  }
  const wanted = new Set(nodes.map((node) => node.name));
  const strays = pods.filter(
    (pod) => !pod.deleting && (podFinished(pod) || !wanted.has(pod.spec.nodeName)),
  );
  const doubles = nodes.flatMap((node) => (byNode.get(node.name) ?? []).filter(podActive).slice(1));
  // The terminating pod of a node keeps its place until it is gone.
  const missing = nodes.filter((node) => (byNode.get(node.name) ?? []).length === 0);
  return [
    ...[...strays, ...doubles, ...outdated(set, byNode)].map(removePod),
    ...missing.map((node) => daemonPod(object, node, hash)),
  ];
}

// Old pods that do not serve go at once; of the serving ones as many as may be missing.
function outdated(
  set: DaemonView, byNode: ReadonlyMap<string, readonly PodView[]>,
): readonly PodView[] {
  const strategy = fields(fields(set.object['spec'])['updateStrategy']);
  if (strategy['type'] === 'OnDelete') return [];
  const stated = fields(strategy['rollingUpdate'])['maxUnavailable'] ?? 1;
  const unavailableMax = Math.max(1, share(stated, set.nodes.length, 'up') ?? 1);
  const first = set.nodes.map((node) => (byNode.get(node.name) ?? [])[0]);
  const active = first.flatMap((pod) => pod !== undefined && podActive(pod) ? [pod] : []);
  const unavailable = first.length - active.filter((pod) => pod.ready).length;
  const old = active.filter((pod) => pod.labels[revisionLabel] !== set.hash);
  const budget = Math.max(0, unavailableMax - unavailable);
  const serving = old.filter((pod) => pod.ready).slice(0, budget);
  return [...old.filter((pod) => !pod.ready), ...serving];
}

function daemonPod(object: KubeObject, node: NodeView, hash: string): ActorWrite {
  const spec = fields(fields(fields(object['spec'])['template'])['spec']);
  return podOfTemplate(object, resources.daemonSets, {
    name: { prefix: `${object.metadata?.name ?? ''}-` },
    labels: { [revisionLabel]: hash },
    spec: { nodeName: node.name, tolerations: tolerationsOf(spec) },
  });
}

function tolerationsOf(spec: Fields): readonly Fields[] {
  return [...items(spec['tolerations']), ...daemonTolerations];
}

function planStatus(set: DaemonView): readonly ActorWrite[] {
  const { object, hash, nodes, pods } = set;
  const wanted = new Set(nodes.map((node) => node.name));
  const placed = pods.filter((pod) => podActive(pod) && wanted.has(pod.spec.nodeName));
  const ready = placed.filter((pod) => pod.ready).length;
  return statusWrites(object, resources.daemonSets, {
    desiredNumberScheduled: nodes.length,
    currentNumberScheduled: placed.length,
    updatedNumberScheduled: placed.filter((pod) => pod.labels[revisionLabel] === hash).length,
    numberReady: ready,
    numberAvailable: ready,
    numberUnavailable: Math.max(0, nodes.length - ready),
    numberMisscheduled: pods.filter((pod) => !wanted.has(pod.spec.nodeName)).length,
  });
}
