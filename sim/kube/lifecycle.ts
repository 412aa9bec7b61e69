import type { Micros } from '../../lb/ports.ts';
import type { KubeError, KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { formatTime } from '../../lb/time.ts';
import { applyWrites, second, type ActorContext, type ActorWrite } from './actor.ts';
import type { Step } from './catalog.ts';
import { fields, items, text } from './fields.ts';
import type { NodeView } from './node.ts';
import { podFinished, type PodView } from './pod.ts';
import { withCondition } from './podstatus.ts';
import { evictionSeconds, notReadyKey, unreachableKey } from './taints.ts';
import { WorkQueue } from './workqueue.ts';

const user = 'system:serviceaccount:kube-system:node-controller';
const leaseNamespace = 'kube-node-lease';

/**
 * Judges nodes by their leases, and evicts the pods of those that are tainted (simulator.md 5.7).
 * A lease counts by the time at which its renewal was seen, never by what is written in it.
 */
export class NodeLifecycle {
  #context: ActorContext;
  #seen = new Map<string, { renewTime: string; at: Micros }>();
  /** When each NoExecute taint was first seen: node, then `key=value`. */
  #tainted = new Map<string, Map<string, Micros>>();
  #evictions: WorkQueue;
  #nodes: WorkQueue;
  #reached = true;

  constructor(context: ActorContext) {
    this.#context = context;
    const { reaction } = context.timings;
    this.#nodes = new WorkQueue(
      context, { name: 'lifecycle', reaction }, (name) => this.#settle(name),
    );
    this.#evictions = new WorkQueue(
      context, { name: 'eviction', reaction: 0 }, (key) => this.#evict(key),
    );
  }

  start(): void {
    const { api, catalog } = this.#context;
    api.subscribe(resources.leases, (event) => {
      if (event.type !== 'BOOKMARK') this.#leaseSeen(event.object);
    });
    for (const node of catalog.nodes()) {
      this.#seen.set(node.name, { renewTime: '', at: this.#context.world.now });
    }
    for (const lease of api.list(resources.leases)) this.#leaseSeen(lease);
    for (const node of catalog.nodes()) this.#nodes.add(node.name);
    this.#look();
  }

  nodeChanged(step: Step<NodeView>): void {
    const name = step.after?.name ?? step.before?.name ?? '';
    if (step.after === undefined) {
      this.#seen.delete(name);
      this.#tainted.delete(name);
      return;
    }
    if (!this.#seen.has(name)) this.#seen.set(name, { renewTime: '', at: this.#context.world.now });
    const same = step.before?.ready === step.after.ready
      && sameTaints(step.before, step.after);
    if (!same) this.#nodes.add(name);
  }

  podChanged(step: Step<PodView>): void {
    const { before, after } = step;
    const key = after?.key ?? before?.key ?? '';
    if (after === undefined || after.deleting) return this.#evictions.forget(key);
    const { nodeName } = after.spec;
    if (nodeName !== '' && before?.spec.nodeName !== nodeName) this.#plan(after);
  }

  pending(): string[] {
    return this.#nodes.pending().map((name) => `node ${name} to be tainted or cleared`);
  }

  /** Pods that are evicted when their toleration ends. */
  waiting(): string[] {
    return this.#evictions.pending().map((key) => `pod ${key} is evicted when its toleration ends`);
  }

  #leaseSeen(lease: KubeObject): void {
    const metadata = lease.metadata;
    if (metadata?.namespace !== leaseNamespace) return;
    const name = metadata.name ?? '';
    const renewTime = text(fields(lease['spec'])['renewTime']);
    if (this.#seen.get(name)?.renewTime === renewTime) return;
    this.#seen.set(name, { renewTime, at: this.#context.world.now });
  }

  #look(): void {
    const { world, timings } = this.#context;
    if (this.#context.reachControl()) this.#judge();
    else this.#reached = false;
    world.schedule(
      timings.lookPeriod, { kind: 'actor.look', entity: 'kube/lifecycle' }, () => this.#look(),
    );
  }

  // After a loss of the API server every node gets a fresh grace: nobody could have renewed, and a
  // controller manager that lost its own lease starts with an empty memory in a real cluster too.
  #judge(): void {
    const { world, timings, catalog } = this.#context;
    if (!this.#reached) {
      this.#reached = true;
      for (const seen of this.#seen.values()) seen.at = world.now;
    }
    for (const node of catalog.nodes()) {
      const seen = this.#seen.get(node.name);
      const lost = seen !== undefined && world.now - seen.at >= timings.nodeGrace;
      if (lost && node.ready !== 'Unknown') this.#declareUnknown(node);
    }
  }

  #declareUnknown(node: NodeView): void {
    const { world, api } = this.#context;
    const stamp = formatTime(world.wall);
    const condition = {
      type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    };
    const body = withCondition(node.object, condition, stamp);
    applyWrites(
      api, user, [{ verb: 'replace', resource: resources.nodes, subresource: 'status', body }],
    );
    world.note('kube/lifecycle', {
      level: 'warn', component: 'kube', code: 'kube.nodeUnknown', object: `node ${node.name}`,
      text: `node ${node.name} missed its lease for ${this.#context.timings.nodeGrace / second} s`,
    });
    this.#settle(node.name);
  }

  // Taints and pod readiness follow the Ready condition; timers of evictions follow the taints.
  #settle(name: string): KubeError | undefined {
    const { api, catalog, world } = this.#context;
    const node = catalog.node(name);
    if (node === undefined) return undefined;
    const refusal = applyWrites(api, user, planTaints(node, formatTime(world.wall)));
    const pods = catalog.podsOn(name);
    const unready = node.ready === 'Unknown' ? pods.filter((pod) => pod.ready) : [];
    const marked = applyWrites(
      api, user, unready.map((pod) => markUnready(pod, formatTime(world.wall))),
    );
    this.#noteTaints(catalog.node(name) ?? node);
    for (const pod of pods) if (!pod.deleting) this.#plan(pod);
    return refusal ?? marked;
  }

  #noteTaints(node: NodeView): void {
    const before = this.#tainted.get(node.name);
    const present = new Map<string, Micros>();
    for (const taint of node.taints) {
      if (taint.effect !== 'NoExecute') continue;
      const identity = `${taint.key}=${taint.value}`;
      present.set(identity, before?.get(identity) ?? this.#context.world.now);
    }
    this.#tainted.set(node.name, present);
  }

  #plan(pod: PodView): void {
    const due = this.#evictionTime(pod);
    if (due === undefined) return this.#evictions.forget(pod.key);
    this.#evictions.addAfter(pod.key, Math.max(0, due - this.#context.world.now));
  }

  #evict(key: string): KubeError | undefined {
    const { api, catalog, world } = this.#context;
    const pod = catalog.pod(key);
    if (pod === undefined || pod.deleting || podFinished(pod)) return undefined;
    const due = this.#evictionTime(pod);
    if (due === undefined) return undefined;
    if (due > world.now) {
      this.#evictions.addAfter(key, due - world.now);
      return undefined;
    }
    return applyWrites(
      api, user, [{ verb: 'remove', resource: resources.pods, object: pod.object }],
    );
  }

  #evictionTime(pod: PodView): Micros | undefined {
    const node = this.#context.catalog.node(pod.spec.nodeName);
    if (node === undefined || podFinished(pod)) return undefined;
    const since = this.#tainted.get(node.name);
    const times = node.taints.flatMap((taint) => {
      const defaultSeconds = this.#context.timings.tolerationSeconds;
      const seconds = evictionSeconds(pod.spec.tolerations, taint, defaultSeconds);
      const at = since?.get(`${taint.key}=${taint.value}`) ?? this.#context.world.now;
      return seconds === undefined ? [] : [at + seconds * second];
    });
    return times.length === 0 ? undefined : Math.min(...times);
  }
}

/** The taints that the Ready condition asks for, if they differ from those that stand. */
function planTaints(node: NodeView, stamp: string): readonly ActorWrite[] {
  if (node.ready === undefined) return [];
  const bad = node.ready === 'Unknown' ? unreachableKey : notReadyKey;
  const wanted = node.ready === 'True' ? undefined : bad;
  const spec = fields(node.object['spec']);
  const present = items(spec['taints']);
  const ours = (entry: { readonly [key: string]: unknown }): boolean =>
    entry['key'] === unreachableKey || entry['key'] === notReadyKey;
  const kept = present.filter((entry) => !ours(entry) || entry['key'] === wanted);
  const missing = (wanted === undefined ? [] : ['NoSchedule', 'NoExecute'])
    .filter(
      (effect) => !kept.some((entry) => entry['key'] === wanted && entry['effect'] === effect),
    )
    .map((effect) => ({ key: wanted, effect, timeAdded: stamp }));
  if (kept.length === present.length && missing.length === 0) return [];
  const body = { ...node.object, spec: { ...spec, taints: [...kept, ...missing] } };
  return [{ verb: 'replace', resource: resources.nodes, body }];
}

function markUnready(pod: PodView, stamp: string): ActorWrite {
  const condition = { type: 'Ready', status: 'False', reason: 'NodeNotReady' };
  const body = withCondition(pod.object, condition, stamp);
  return { verb: 'replace', resource: resources.pods, subresource: 'status', body };
}

function sameTaints(before: NodeView | undefined, after: NodeView): boolean {
  const spell = (node: NodeView): string =>
    node.taints.map((taint) => `${taint.key}=${taint.value}:${taint.effect}`).join();
  return before !== undefined && spell(before) === spell(after);
}
