import type { KubeError, KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { applyWrites, second, type ActorContext, type ActorWrite } from './actor.ts';
import type { Step } from './catalog.ts';
import { fields, items, text, texts } from './fields.ts';
import { Ledger, type LedgerEntry } from './ledger.ts';
import type { NodeView } from './node.ts';
import { WorkQueue } from './workqueue.ts';

const collector = 'system:serviceaccount:kube-system:generic-garbage-collector';
const emptier = 'system:serviceaccount:kube-system:namespace-controller';
const podCollector = 'system:serviceaccount:kube-system:pod-garbage-collector';
const foreground = 'foregroundDeletion';
const orphan = 'orphan';
/** How long a node must be gone before its pods are removed, as in kube-controller-manager. */
const orphanQuarantine = 40 * second;

/**
 * Removes what nobody owns any more, empties namespaces that go, and removes pods of Nodes that do
 * not exist (simulator.md 5.7, A13).
 */
export class GarbageCollector {
  #context: ActorContext;
  #ledger = new Ledger();
  #objects: WorkQueue;
  #namespaces: WorkQueue;
  #nodes: WorkQueue;

  constructor(context: ActorContext) {
    this.#context = context;
    const reaction = context.timings.garbageReaction;
    this.#objects = new WorkQueue(
      context, { name: 'garbage', reaction }, (uid) => this.#collect(uid),
    );
    this.#namespaces = new WorkQueue(
      context, { name: 'namespaces', reaction }, (name) => this.#empty(name),
    );
    this.#nodes = new WorkQueue(
      context, { name: 'podgc', reaction }, (name) => this.#forceOff(name),
    );
  }

  start(): void {
    // What is there at the start may name owners of the cluster that it was exported from: only an
    // owner that goes while we look makes garbage of it.
    this.#ledger.start(this.#context.api);
    this.#ledger.onChange((before, after) => this.#changed(before, after));
    for (const resource of Object.values(resources)) {
      for (const object of this.#context.api.list(resource)) this.#marked(object);
    }
    for (const pod of this.#context.api.list(resources.pods)) {
      const node = text(fields(pod['spec'])['nodeName']);
      const absent = node !== '' && this.#context.catalog.node(node) === undefined;
      if (absent) this.#nodes.addAfter(node, orphanQuarantine);
    }
  }

  nodeChanged(step: Step<NodeView>): void {
    if (step.after !== undefined) this.#nodes.forget(step.after.name);
    else if (step.before !== undefined) this.#nodes.addAfter(step.before.name, orphanQuarantine);
  }

  pending(): string[] {
    return [
      ...this.#objects.pending().map((uid) => `garbage ${this.#nameOf(uid)}`),
      ...this.#namespaces.pending().map((name) => `namespace ${name} to be emptied or filled`),
      ...this.#nodes.pending().map((name) => `pods of the absent node ${name}`),
    ];
  }

  #nameOf(uid: string): string {
    const entry = this.#ledger.entry(uid);
    return entry === undefined ? uid : `${entry.resource.plural} ${entry.namespace}/${entry.name}`;
  }

  #changed(before: LedgerEntry | undefined, after: LedgerEntry | undefined): void {
    if (after === undefined) return this.#removed(before);
    this.#marked(after.object);
    if (before !== undefined && before.owners === after.owners) return;
    if (after.owners.length > 0 && !this.#owned(after)) this.#objects.add(after.uid);
  }

  #marked(object: KubeObject): void {
    const { uid = '', name = '' } = object.metadata ?? {};
    if (object.kind === 'Namespace') this.#namespaces.add(name);
    if (!deleting(object)) return;
    const ours = finalizers(object).some((entry) => entry === foreground || entry === orphan);
    if (ours) this.#objects.add(uid);
  }

  #removed(before: LedgerEntry | undefined): void {
    if (before === undefined) return;
    this.#objects.forget(before.uid);
    for (const dependent of this.#ledger.dependentsOf(before.uid)) this.#objects.add(dependent.uid);
    for (const owner of before.owners) {
      const entry = this.#ledger.entry(owner);
      if (entry !== undefined && deleting(entry.object)) this.#objects.add(owner);
    }
    const { namespace } = before;
    if (before.resource.kind === 'Namespace') this.#namespaces.forget(before.name);
    else if (namespace !== '' && this.#going(namespace)) this.#namespaces.add(namespace);
  }

  #owned(entry: LedgerEntry): boolean {
    return entry.owners.some((owner) => this.#ledger.entry(owner) !== undefined);
  }

  #collect(uid: string): KubeError | undefined {
    const entry = this.#ledger.entry(uid);
    if (entry === undefined) return undefined;
    const { api } = this.#context;
    if (deleting(entry.object)) return applyWrites(api, collector, this.#finalize(entry));
    if (entry.owners.length === 0 || this.#owned(entry)) return undefined;
    return applyWrites(api, collector, [removal(entry)]);
  }

  #finalize(entry: LedgerEntry): readonly ActorWrite[] {
    const { object } = entry;
    const dependents = this.#ledger.dependentsOf(entry.uid);
    if (finalizers(object).includes(orphan)) {
      return [...dependents.map((of) => disowned(of, entry.uid)), withoutFinalizer(entry, orphan)];
    }
    if (!finalizers(object).includes(foreground)) return [];
    if (dependents.length === 0) return [withoutFinalizer(entry, foreground)];
    return dependents.filter((of) => !deleting(of.object)).map(removal);
  }

  #going(namespace: string): boolean {
    const object = this.#context.api.get(resources.namespaces, '', namespace);
    return object !== undefined && deleting(object);
  }

  // A living namespace gets what clients expect to find in it, a going one is emptied.
  #empty(name: string): KubeError | undefined {
    const { api } = this.#context;
    const namespace = api.get(resources.namespaces, '', name);
    if (namespace === undefined) return undefined;
    if (!deleting(namespace)) return applyWrites(api, emptier, this.#stubs(name));
    const rest = this.#ledger.inNamespace(name);
    const refusal = applyWrites(
      api, emptier, rest.filter((entry) => !deleting(entry.object)).map(removal),
    );
    if (refusal !== undefined || this.#ledger.inNamespace(name).length > 0) return refusal;
    const now = api.get(resources.namespaces, '', name);
    if (now === undefined) return undefined;
    const spec = { ...fields(now['spec']), finalizers: [] };
    const kept = finalizers(now).filter((finalizer) => finalizer !== 'kubernetes');
    const body = { ...now, metadata: { ...now.metadata, finalizers: kept }, spec };
    return applyWrites(api, emptier, [{ verb: 'replace', resource: resources.namespaces, body }]);
  }

  #stubs(namespace: string): readonly ActorWrite[] {
    const { api } = this.#context;
    const writes: ActorWrite[] = [];
    if (api.get(resources.serviceAccounts, namespace, 'default') === undefined) {
      const body: KubeObject = {
        apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name: 'default' },
      };
      writes.push({ verb: 'create', resource: resources.serviceAccounts, body });
    }
    if (api.get(resources.configMaps, namespace, 'kube-root-ca.crt') === undefined) {
      const body: KubeObject = {
        apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'kube-root-ca.crt' },
        data: { 'ca.crt': '' },
      };
      writes.push({ verb: 'create', resource: resources.configMaps, body });
    }
    return writes;
  }

  #forceOff(node: string): KubeError | undefined {
    const { api, catalog } = this.#context;
    if (catalog.node(node) !== undefined) return undefined;
    return applyWrites(api, podCollector, catalog.podsOn(node).map((pod) => ({
      verb: 'remove', resource: resources.pods, object: pod.object, gracePeriodSeconds: 0,
    })));
  }
}

function deleting(object: KubeObject): boolean {
  return object.metadata?.['deletionTimestamp'] !== undefined;
}

function finalizers(object: KubeObject): readonly string[] {
  return texts(object.metadata?.['finalizers']);
}

function removal(entry: LedgerEntry): ActorWrite {
  return { verb: 'remove', resource: entry.resource, object: entry.object };
}

function withoutFinalizer(entry: LedgerEntry, name: string): ActorWrite {
  const kept = finalizers(entry.object).filter((finalizer) => finalizer !== name);
  const body = { ...entry.object, metadata: { ...entry.object.metadata, finalizers: kept } };
  return { verb: 'replace', resource: entry.resource, body };
}

function disowned(entry: LedgerEntry, owner: string): ActorWrite {
  const metadata = entry.object.metadata ?? {};
  const kept = items(metadata['ownerReferences']).filter((reference) => reference['uid'] !== owner);
  // Entries of a stored object are JSON: the filter only left some out.
  const ownerReferences = kept as readonly { readonly [key: string]: string | boolean }[];
  return {
    verb: 'replace', resource: entry.resource,
    body: { ...entry.object, metadata: { ...metadata, ownerReferences } },
  };
}
