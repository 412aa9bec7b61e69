import { compareText } from '../../lb/table.ts';
import type { KubeError } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { formatTime } from '../../lb/time.ts';
import { applyWrites, type ActorContext } from './actor.ts';
import { nodeTest } from './affinity.ts';
import { apartTest } from './antiaffinity.ts';
import type { Step } from './catalog.ts';
import { conditionTrue, podFinished, type PodView } from './pod.ts';
import { fields, items } from './fields.ts';
import { effectiveTaints, type NodeView } from './node.ts';
import { withCondition } from './podstatus.ts';
import { placeable, unschedulableKey } from './taints.ts';
import { WorkQueue } from './workqueue.ts';

const user = 'system:kube-scheduler';
const cycle = 'cycle';

/**
 * Places pods: hard demands first, then the node with the fewest pods of the same controller, then
 * with the fewest pods; what is still equal is drawn from stream `placement`, so that runs with
 * different seeds try different placements.
 */
export class Scheduler {
  #context: ActorContext;
  #queue: WorkQueue;
  #unplaced = new Map<string, PodView>();
  /** Pods per controller and node, and per node, finished ones excluded. */
  #perOwner = new Map<string, Map<string, number>>();
  #perNode = new Map<string, number>();

  constructor(context: ActorContext) {
    this.#context = context;
    const { reaction } = context.timings;
    this.#queue = new WorkQueue(context, { name: 'scheduler', reaction }, () => this.#cycle());
  }

  podChanged(step: Step<PodView>): void {
    const { before, after } = step;
    if (before !== undefined) this.#countPod(before, -1);
    if (after !== undefined) this.#countPod(after, 1);
    const key = after?.key ?? before?.key ?? '';
    if (after !== undefined && after.spec.nodeName === '' && !after.deleting) {
      this.#unplaced.set(key, after);
      // Our own note that it fits nowhere is no reason to look again.
      if (before === undefined || before.deleting) this.#queue.add(cycle);
      return;
    }
    this.#unplaced.delete(key);
    const placed = before !== undefined && before.spec.nodeName !== '';
    const freed = placed && (after === undefined || podFinished(after));
    if (freed && this.#unplaced.size > 0) this.#queue.add(cycle);
  }

  nodeChanged(step: Step<NodeView>): void {
    const { before, after } = step;
    if (this.#unplaced.size === 0 || after === undefined) return;
    const same = before !== undefined && before.ready === after.ready
      && before.object['spec'] === after.object['spec'] && before.labels === after.labels;
    if (!same) this.#queue.add(cycle);
  }

  /** Says `pods to place` while a placement is due; pods that fit nowhere are at rest. */
  pending(): string[] {
    return this.#queue.pending().length === 0 ? [] : [`${this.#unplaced.size} pods to place`];
  }

  #countPod(pod: PodView, change: 1 | -1): void {
    const node = pod.spec.nodeName;
    if (node === '' || podFinished(pod)) return;
    this.#perNode.set(node, (this.#perNode.get(node) ?? 0) + change);
    if (pod.owner === undefined || pod.deleting) return;
    const owner = pod.owner.uid;
    const counts = this.#perOwner.get(owner) ?? new Map<string, number>();
    const next = (counts.get(node) ?? 0) + change;
    if (next === 0) counts.delete(node);
    else counts.set(node, next);
    if (counts.size === 0) this.#perOwner.delete(owner);
    else this.#perOwner.set(owner, counts);
  }

  #cycle(): KubeError | undefined {
    const nodes = this.#context.catalog.nodes().map((node) => ({ node, taints: taintsOf(node) }));
    const pods = [...this.#unplaced.values()].sort(
      (left, right) => compareText(left.key, right.key),
    );
    let refusal: KubeError | undefined;
    for (const pod of pods) {
      const test = nodeTest(pod.spec.fields);
      const apart = apartTest(pod, this.#context.catalog);
      const fitting = nodes.filter(({ node, taints }) => (test === undefined || test(node))
        && (apart === undefined || apart(node))
        && (this.#perNode.get(node.name) ?? 0) < node.podsMax
        && placeable(pod.spec.tolerations, taints)).map(({ node }) => node.name);
      refusal ??= this.#bind(pod, this.#choose(pod, fitting));
    }
    return refusal;
  }

  #choose(pod: PodView, names: readonly string[]): string | undefined {
    const ofOwner = pod.owner === undefined ? undefined : this.#perOwner.get(pod.owner.uid);
    let best: string[] = [];
    let bestOwned = 0;
    let bestTotal = 0;
    for (const name of names) {
      const owned = ofOwner?.get(name) ?? 0;
      const total = this.#perNode.get(name) ?? 0;
      const emptier = owned === bestOwned && total < bestTotal;
      const better = best.length === 0 || owned < bestOwned || emptier;
      if (better) best = [name];
      else if (owned === bestOwned && total === bestTotal) best.push(name);
      if (!better) continue;
      bestOwned = owned;
      bestTotal = total;
    }
    return best.length < 2 ? best[0] : this.#context.world.stream('placement').pick(best);
  }

  #bind(pod: PodView, nodeName: string | undefined): KubeError | undefined {
    const { api, world } = this.#context;
    if (nodeName === undefined) return this.#refuse(pod);
    const spec = { ...pod.spec.fields, nodeName };
    const bound = applyWrites(
      api, user, [{ verb: 'replace', resource: resources.pods, body: { ...pod.object, spec } }],
    );
    if (bound !== undefined || !saidUnschedulable(pod)) return bound;
    const now = this.#context.catalog.pod(pod.key);
    if (now === undefined) return undefined;
    const body = withCondition(
      now.object, { type: 'PodScheduled', status: 'True' }, formatTime(world.wall),
    );
    return applyWrites(
      api, user, [{ verb: 'replace', resource: resources.pods, subresource: 'status', body }],
    );
  }

  #refuse(pod: PodView): KubeError | undefined {
    if (saidUnschedulable(pod)) return undefined;
    const condition = {
      type: 'PodScheduled', status: 'False', reason: 'Unschedulable',
      message: 'no node satisfies the selectors, tolerations and free slots of this pod',
    };
    const body = withCondition(pod.object, condition, formatTime(this.#context.world.wall));
    const write = {
      verb: 'replace', resource: resources.pods, subresource: 'status', body,
    } as const;
    return applyWrites(this.#context.api, user, [write]);
  }
}

function taintsOf(node: NodeView): readonly NodeView['taints'][number][] {
  const taints = effectiveTaints(node);
  if (!node.unschedulable) return taints;
  return [...taints, { key: unschedulableKey, value: '', effect: 'NoSchedule' }];
}

function saidUnschedulable(pod: PodView): boolean {
  const status = fields(pod.object['status']);
  const told = items(status['conditions']).some((entry) => entry['type'] === 'PodScheduled');
  return told && !conditionTrue(status, 'PodScheduled');
}
