import type { Labels } from '../../lb/model.ts';
import { compareText } from '../../lb/table.ts';
import type { KubeObject, WatchEvent } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { ActorApi } from './actor.ts';
import { LabelIndex } from './labelindex.ts';
import { nodeView, type NodeView } from './node.ts';
import { podView, type PodView } from './pod.ts';

/** One step of a row; `before` and `after` are never both undefined. */
export interface Step<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/**
 * Pods and Nodes read once per version and indexed by node, owner and labels, for all controllers
 * together. It follows every commit, so it is never behind the API server.
 */
export class Catalog {
  #pods = new Map<string, PodView>();
  #nodes = new Map<string, NodeView>();
  #byNode = new Map<string, Map<string, PodView>>();
  #byOwner = new Map<string, Map<string, PodView>>();
  #byLabel = new LabelIndex<PodView>();
  #podListeners: ((step: Step<PodView>) => void)[] = [];
  #nodeListeners: ((step: Step<NodeView>) => void)[] = [];

  /** Takes in what exists and follows; listeners added before hear of every object. */
  start(api: ActorApi): void {
    api.subscribe(resources.pods, (event) => this.#podEvent(event));
    api.subscribe(resources.nodes, (event) => this.#nodeEvent(event));
    for (const object of api.list(resources.nodes)) this.#nodeEvent({ type: 'ADDED', object });
    for (const object of api.list(resources.pods)) this.#podEvent({ type: 'ADDED', object });
  }

  onPod(listener: (step: Step<PodView>) => void): void {
    this.#podListeners.push(listener);
  }

  onNode(listener: (step: Step<NodeView>) => void): void {
    this.#nodeListeners.push(listener);
  }

  /** By `namespace/name`. */
  pod(key: string): PodView | undefined {
    return this.#pods.get(key);
  }

  node(name: string): NodeView | undefined {
    return this.#nodes.get(name);
  }

  /** Sorted by name. */
  nodes(): NodeView[] {
    return [...this.#nodes.values()].sort((left, right) => compareText(left.name, right.name));
  }

  /** Sorted by key. */
  podsOn(node: string): PodView[] {
    return sorted(this.#byNode.get(node)?.values());
  }

  podCountOn(node: string): number {
    return this.#byNode.get(node)?.size ?? 0;
  }

  /** Pods whose controller has that uid, sorted by key. */
  podsOf(ownerUid: string): PodView[] {
    return sorted(this.#byOwner.get(ownerUid)?.values());
  }

  /** Pods of the namespace that carry every pair of `selector`, sorted by key. */
  podsMatching(namespace: string, selector: Labels): PodView[] {
    return sorted(this.#byLabel.matching(namespace, selector));
  }

  podsIn(namespace: string): PodView[] {
    return sorted(this.#byLabel.inNamespace(namespace));
  }

  #podEvent(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const key = keyOf(event.object);
    const before = this.#pods.get(key);
    const after = event.type === 'DELETED' ? undefined : podView(event.object, before);
    if (before !== undefined) this.#unindex(before);
    if (after !== undefined) this.#index(after);
    if (before === undefined && after === undefined) return;
    for (const listener of this.#podListeners) listener({ before, after });
  }

  #nodeEvent(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const name = event.object.metadata?.name ?? '';
    const before = this.#nodes.get(name);
    const after = event.type === 'DELETED' ? undefined : nodeView(event.object);
    if (after === undefined) this.#nodes.delete(name);
    else this.#nodes.set(name, after);
    if (before === undefined && after === undefined) return;
    for (const listener of this.#nodeListeners) listener({ before, after });
  }

  #index(pod: PodView): void {
    this.#pods.set(pod.key, pod);
    this.#byLabel.add(pod, pod.labels, pod);
    place(this.#byNode, pod.spec.nodeName, pod);
    if (pod.owner !== undefined) place(this.#byOwner, pod.owner.uid, pod);
  }

  #unindex(pod: PodView): void {
    this.#pods.delete(pod.key);
    this.#byLabel.remove(pod, pod.labels);
    this.#byNode.get(pod.spec.nodeName)?.delete(pod.key);
    if (pod.owner === undefined) return;
    const owned = this.#byOwner.get(pod.owner.uid);
    owned?.delete(pod.key);
    if (owned?.size === 0) this.#byOwner.delete(pod.owner.uid);
  }
}

/** `namespace/name` of an object. */
export function keyOf(object: KubeObject): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
}

function place(index: Map<string, Map<string, PodView>>, bucket: string, pod: PodView): void {
  const present = index.get(bucket);
  if (present === undefined) index.set(bucket, new Map([[pod.key, pod]]));
  else present.set(pod.key, pod);
}

function sorted(pods: Iterable<PodView> | undefined): PodView[] {
  return [...pods ?? []].sort((left, right) => compareText(left.key, right.key));
}
