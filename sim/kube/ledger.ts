import { compareText } from '../../lb/table.ts';
import type { KubeObject, WatchEvent } from '../../kube/port.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import { readDefinition } from '../api/definition/definition.ts';
import type { ActorApi } from './actor.ts';
import { items, text } from './fields.ts';
import { drop, put } from './labelindex.ts';

/** One live object, by name and uid. */
export interface LedgerEntry {
  readonly uid: string;
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
  readonly owners: readonly string[];
  readonly object: KubeObject;
}

/** Every object of every kind by uid, with who depends on whom: what garbage collection reads. */
export class Ledger {
  #live = new Map<string, LedgerEntry>();
  #dependents = new Map<string, Set<string>>();
  #byNamespace = new Map<string, Set<string>>();
  #listeners: ((before: LedgerEntry | undefined, after: LedgerEntry | undefined) => void)[] = [];

  start(api: ActorApi): void {
    const followed = new Set<string>();
    const follow = (resource: Resource): void => {
      const id = `${resource.group}/${resource.plural}`;
      if (followed.has(id)) return;
      followed.add(id);
      api.subscribe(resource, (event) => this.#event(resource, event));
      for (const object of api.list(resource)) this.#event(resource, { type: 'ADDED', object });
    };
    for (const resource of Object.values(resources)) follow(resource);
    const define = (object: KubeObject): void => {
      const definition = readDefinition(object);
      if (definition !== undefined) follow(definition.resource);
    };
    for (const object of api.list(resources.definitions)) define(object);
    api.subscribe(resources.definitions, (event) => {
      if (event.type === 'ADDED') define(event.object);
    });
  }

  onChange(
    listener: (before: LedgerEntry | undefined, after: LedgerEntry | undefined) => void,
  ): void {
    this.#listeners.push(listener);
  }

  entry(uid: string): LedgerEntry | undefined {
    return this.#live.get(uid);
  }

  /** Objects that name `uid` as an owner, sorted by uid. */
  dependentsOf(uid: string): LedgerEntry[] {
    return this.#entries(this.#dependents.get(uid));
  }

  inNamespace(namespace: string): LedgerEntry[] {
    return this.#entries(this.#byNamespace.get(namespace));
  }

  #entries(uids: ReadonlySet<string> | undefined): LedgerEntry[] {
    return [...uids ?? []].sort(compareText).flatMap((uid) => this.#live.get(uid) ?? []);
  }

  #event(resource: Resource, event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const uid = event.object.metadata?.uid ?? '';
    const before = this.#live.get(uid);
    const after = event.type === 'DELETED' ? undefined : entryOf(resource, event.object, before);
    if (before?.owners !== after?.owners) {
      for (const owner of before?.owners ?? []) drop(this.#dependents, owner, uid);
      for (const owner of after?.owners ?? []) put(this.#dependents, owner, uid);
    }
    if (after === undefined) this.#live.delete(uid);
    else this.#live.set(uid, after);
    const namespace = event.object.metadata?.namespace ?? '';
    if (namespace !== '' && after === undefined) drop(this.#byNamespace, namespace, uid);
    if (namespace !== '' && before === undefined) put(this.#byNamespace, namespace, uid);
    for (const listener of this.#listeners) listener(before, after);
  }
}

function entryOf(
  resource: Resource, object: KubeObject, before: LedgerEntry | undefined,
): LedgerEntry {
  const references = object.metadata?.['ownerReferences'];
  const shared = before !== undefined && before.object.metadata?.['ownerReferences'] === references;
  const owners = shared ? before.owners
    : references === undefined ? none
    : items(references).map((reference) => text(reference['uid']));
  const { uid = '', namespace = '', name = '' } = object.metadata ?? {};
  return { uid, resource, namespace, name, owners, object };
}

const none: readonly string[] = Object.freeze([]);
