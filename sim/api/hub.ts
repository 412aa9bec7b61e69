import type { KubeObject, WatchEvent } from '../../kube/port.ts';
import type { Resource } from '../../kube/resource.ts';
import { everyObject, type ObjectMatcher } from './matching.ts';
import type { Commit } from './store.ts';

/** Called with each event and its version, inside the commit. */
export type WatchListener = (event: WatchEvent, commit: Commit) => void;

/** What one list or watch is about; `matches` is compiled from the selectors. */
export interface WatchScope {
  readonly resource: Resource;
  /** Empty: all namespaces. */
  readonly namespace: string;
  readonly labelSelector: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly matches: ObjectMatcher;
}

/** The objects inside a scope; the list itself where the scope is everything. */
export function select(items: readonly KubeObject[], scope: WatchScope): readonly KubeObject[] {
  const { namespace, matches } = scope;
  if (namespace === '' && matches === everyObject) return items;
  return items.filter((object) => (namespace === '' || object.metadata?.namespace === namespace)
    && matches(object));
}

/** Listeners of one scope, so that its selector is judged once per commit however many listen. */
interface Group {
  readonly scope: WatchScope;
  listeners: readonly WatchListener[];
}

/**
 * Hands commits to watchers. An event object is made once per commit and kind of change and shared
 * by all; a watcher of a narrow scope costs the others nothing.
 */
export class WatchHub {
  #groups = new Map<string, Group[]>();

  /** Listens until the returned function is called. */
  add(scope: WatchScope, listener: WatchListener): () => void {
    const id = `${scope.resource.group}/${scope.resource.plural}`;
    const groups = this.#groups.get(id) ?? [];
    this.#groups.set(id, groups);
    let group = groups.find((candidate) => sameScope(candidate.scope, scope));
    if (group === undefined) {
      group = { scope, listeners: [] };
      groups.push(group);
    }
    // Copied on change: a delivery that is under way goes on with the list it began with.
    const joined = group;
    joined.listeners = [...joined.listeners, listener];
    return () => { joined.listeners = joined.listeners.filter((other) => other !== listener); };
  }

  deliver(commit: Commit): void {
    const groups = this.#groups.get(`${commit.resource.group}/${commit.resource.plural}`);
    if (groups === undefined) return;
    const events = new EventSet(commit);
    // Who joins during this delivery has read the commit from history already.
    for (const { scope, listeners } of groups.map((group) => ({ ...group }))) {
      if (listeners.length === 0) continue;
      const event = events.for(scope);
      if (event === undefined) continue;
      for (const listener of listeners) listener(event, commit);
    }
  }
}

function sameScope(left: WatchScope, right: WatchScope): boolean {
  return left.namespace === right.namespace && left.labelSelector === right.labelSelector
    && left.fieldSelector === right.fieldSelector;
}

/** What one commit looks like through selectors: a change of match is ADDED or DELETED (A3). */
export class EventSet {
  readonly #commit: Commit;
  #made: Partial<Record<'ADDED' | 'MODIFIED' | 'DELETED', WatchEvent>> = {};

  constructor(commit: Commit) {
    this.#commit = commit;
  }

  for(scope: WatchScope): WatchEvent | undefined {
    const { type, object, previous } = this.#commit;
    if (scope.namespace !== '' && object.metadata?.namespace !== scope.namespace) return undefined;
    if (scope.matches === everyObject) return this.#event(type);
    const before = previous !== undefined && scope.matches(previous);
    const after = type !== 'DELETED' && scope.matches(object);
    if (before && after) return this.#event('MODIFIED');
    if (after) return this.#event('ADDED');
    return before ? this.#event('DELETED') : undefined;
  }

  #event(type: 'ADDED' | 'MODIFIED' | 'DELETED'): WatchEvent {
    return this.#made[type] ??= { type, object: this.#stateFor(type) };
  }

  // An object that leaves the selector is shown as it last matched, at the version of its leaving.
  #stateFor(type: 'ADDED' | 'MODIFIED' | 'DELETED'): KubeObject {
    const { object, previous, version } = this.#commit;
    if (type !== 'DELETED' || this.#commit.type === 'DELETED' || previous === undefined) {
      return object;
    }
    return { ...previous, metadata: { ...previous.metadata, resourceVersion: String(version) } };
  }
}
