import type { Labels } from '../../lb/model.ts';
import { compareText } from '../../lb/table.ts';
import type { KubeObject, WatchEvent } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { ActorApi } from './actor.ts';
import { drop, LabelIndex, put } from './labelindex.ts';
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
  /** Keys of pods; rewritten only when a pod's own place changes. */
  #byNode = new Map<string, Set<string>>();
  #byOwner = new Map<string, Set<string>>();
  #byLabel = new LabelIndex();
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
    return this.#pick(this.#byNode.get(node));
  }

  /** Pods whose controller has that uid, sorted by key. */
  podsOf(ownerUid: string): PodView[] {
    return this.#pick(this.#byOwner.get(ownerUid));
  }

  /** Pods of the namespace that carry every pair of `selector`, sorted by key. */
  podsMatching(namespace: string, selector: Labels): PodView[] {
    return this.#pick(this.#byLabel.matching(namespace, selector));
  }

  #pick(keys: Iterable<string> | undefined): PodView[] {
    return [...keys ?? []].sort(compareText).flatMap((key) => this.#pods.get(key) ?? []);
  }

  #podEvent(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const key = keyOf(event.object);
    const before = this.#pods.get(key);
    const after = event.type === 'DELETED' ? undefined : podView(event.object, before);
    if (after === undefined) this.#pods.delete(key);
    else this.#pods.set(key, after);
    this.#move(before, after);
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

  #move(before: PodView | undefined, after: PodView | undefined): void {
    if (before?.labels !== after?.labels) {
      if (before !== undefined) this.#byLabel.remove(before, before.labels);
      if (after !== undefined) this.#byLabel.add(after, after.labels);
    }
    if (before?.spec.nodeName !== after?.spec.nodeName) {
      if (before !== undefined) drop(this.#byNode, before.spec.nodeName, before.key);
      if (after !== undefined) put(this.#byNode, after.spec.nodeName, after.key);
    }
    if (before?.owner?.uid !== after?.owner?.uid) {
      if (before?.owner !== undefined) drop(this.#byOwner, before.owner.uid, before.key);
      if (after?.owner !== undefined) put(this.#byOwner, after.owner.uid, after.key);
    }
  }
}

/** `namespace/name` of an object. */
export function keyOf(object: KubeObject): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
}
