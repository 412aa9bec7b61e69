import type { Labels } from '../../lb/model.ts';
import type { Json, KubeError, KubeObject, WatchEvent } from '../../kube/port.ts';
import { apiVersion, resources, type Resource } from '../../kube/resource.ts';
import { equalJson } from '../api/json.ts';
import { hashText } from '../hash.ts';
import { applyWrites, type ActorContext, type ActorWrite } from './actor.ts';
import { keyOf, type Step } from './catalog.ts';
import { canonical, count, fields, labelsOf, text, type Fields } from './fields.ts';
import { podFinished, type PodView } from './pod.ts';
import { WorkQueue } from './workqueue.ts';

/** One kind of workload: what should be written, given the present state. */
export interface WorkloadKind {
  readonly resource: Resource;
  plan(object: KubeObject): readonly ActorWrite[];
}

/** Runs one kind of workload controller: any change of an object or of its pods is a new look. */
export class WorkloadController {
  #context: ActorContext;
  #kind: WorkloadKind;
  #queue: WorkQueue;

  constructor(context: ActorContext, kind: WorkloadKind) {
    this.#context = context;
    this.#kind = kind;
    const { reaction } = context.timings;
    this.#queue = new WorkQueue(
      context, { name: kind.resource.plural, reaction }, (key) => this.#sync(key),
    );
  }

  start(): void {
    const { api } = this.#context;
    api.subscribe(this.#kind.resource, (event) => this.#event(event));
    for (const object of api.list(this.#kind.resource)) this.#event({ type: 'ADDED', object });
  }

  podChanged(step: Step<PodView>): void {
    const { before, after } = step;
    if (sameForOwner(before, after)) return;
    const owner = after?.owner ?? before?.owner;
    if (owner?.kind !== this.#kind.resource.kind) return;
    this.look(`${after?.namespace ?? before?.namespace ?? ''}/${owner.name}`);
  }

  /** Queues the object of that key, `namespace/name`. */
  look(key: string): void {
    this.#queue.add(key);
  }

  lookAtAll(): void {
    const objects = this.#context.api.list(this.#kind.resource);
    for (const object of objects) this.#queue.add(keyOf(object));
  }

  pending(): string[] {
    return this.#queue.pending().map((key) => `${this.#kind.resource.kind} ${key} to look at`);
  }

  #event(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const key = keyOf(event.object);
    if (event.type === 'DELETED') this.#queue.forget(key);
    else this.#queue.add(key);
  }

  #sync(key: string): KubeError | undefined {
    const slash = key.indexOf('/');
    const { api } = this.#context;
    const { resource } = this.#kind;
    const object = api.get(resource, key.slice(0, slash), key.slice(slash + 1));
    const gone = object?.metadata?.['deletionTimestamp'] !== undefined;
    if (object === undefined || gone) return undefined;
    const user = `system:serviceaccount:kube-system:${resource.kind.toLowerCase()}-controller`;
    return applyWrites(api, user, this.#kind.plan(object));
  }
}

/** True when nothing changed that a controller counts: being there, terminating, ready, labels. */
export function sameForOwner(before: PodView | undefined, after: PodView | undefined): boolean {
  if (before === undefined || after === undefined || before.uid !== after.uid) return false;
  return before.ready === after.ready && before.deleting === after.deleting
    && podFinished(before) === podFinished(after) && before.labels === after.labels;
}

export interface PodMaking {
  /** Exact, or a prefix that the API server completes. */
  readonly name: { readonly exact: string } | { readonly prefix: string };
  readonly labels?: Labels;
  /** Added to the template's spec. */
  readonly spec?: Fields;
}

/** A pod of the owner's template. */
export function podOfTemplate(owner: KubeObject, of: Resource, making: PodMaking): ActorWrite {
  const template = fields(fields(owner['spec'])['template']);
  const metadata = fields(template['metadata']);
  const { name } = making;
  const named = 'exact' in name ? { name: name.exact } : { generateName: name.prefix };
  const body: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...named,
      namespace: owner.metadata?.namespace ?? '',
      labels: { ...labelsOf(metadata['labels']), ...making.labels },
      annotations: labelsOf(metadata['annotations']),
      ownerReferences: [ownerReference(owner, of)],
    },
    spec: { ...fields(template['spec']), ...making.spec },
  };
  return { verb: 'create', resource: resources.pods, body };
}


export function removePod(pod: PodView): ActorWrite {
  return { verb: 'remove', resource: resources.pods, object: pod.object };
}

/** The reference of a dependant to the controller that made it. */
export function ownerReference(owner: KubeObject, of: Resource): { readonly [key: string]: Json } {
  return {
    apiVersion: apiVersion(of), kind: of.kind,
    name: owner.metadata?.name ?? '', uid: owner.metadata?.uid ?? '',
    controller: true, blockOwnerDeletion: true,
  };
}

/**
 * Names the version of an object's pod template; equal templates have equal names. The text of each
 * template object is made once, as objects are shared from version to version.
 */
export function templateHashes(): (object: KubeObject) => string {
  const known = new WeakMap<object, string>();
  return (object) => {
    const template = fields(fields(object['spec'])['template']);
    const before = known.get(template);
    if (before !== undefined) return before;
    const hash = hashText(canonical(template)).toString(36);
    known.set(template, hash);
    return hash;
  };
}

/** spec.replicas, 1 where none is stated. */
export function replicasOf(object: KubeObject): number {
  return count(fields(object['spec'])['replicas'], 1);
}

/** The status write, or nothing when it stands already. Other fields of the status stay. */
export function statusWrites(
  object: KubeObject, of: Resource, status: Fields,
): readonly ActorWrite[] {
  const before = fields(object['status']);
  const generation = object.metadata?.['generation'];
  const after = {
    ...before, ...status, ...(generation !== undefined && { observedGeneration: generation }),
  };
  if (equalJson(before, after)) return [];
  return [
    { verb: 'replace', resource: of, subresource: 'status', body: { ...object, status: after } },
  ];
}

/** Order in which surplus pods go: unplaced, not running, not ready, then the newest (by name). */
export function surplusRank(pod: PodView): number {
  if (pod.spec.nodeName === '') return 0;
  if (pod.phase !== 'Running') return 1;
  return pod.ready ? 3 : 2;
}

export function createdAt(object: KubeObject): string {
  return text(object.metadata?.['creationTimestamp']);
}
