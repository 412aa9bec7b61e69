import type { Micros } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { Resource } from '../../kube/resource.ts';
import { freezeJson } from './json.ts';

/** One committed change. `object` is the new state; of a deletion, the last one at its version. */
export interface Commit {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: Resource;
  readonly version: number;
  readonly time: Micros;
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
}

/** The world as the store needs it. */
export interface StoreOptions {
  /** Deep-freezes each object at its commit, so that a reader that writes is found. */
  readonly freeze: boolean;
  /** How far the counter moves per write, at least 1 (A1, `gappyVersions`). */
  readonly step: () => number;
  readonly now: () => Micros;
}

/** Objects in key order, as they stood at one version. */
export interface Snapshot {
  readonly items: readonly KubeObject[];
  readonly version: number;
}

/** The watch cache keeps events for 75 s and at least 100 of them per resource (A5). */
const cacheAge: Micros = 75_000_000;
const cacheEventsMin = 100;

/** The objects of one resource and its recent history. */
class Shelf {
  readonly objects = new Map<string, KubeObject>();
  log: Commit[] = [];
  /** Index in `log` of the oldest event that is still served. */
  head = 0;
  /** Watches from before this version are answered 410. */
  forgotten = 0;
  sortedKeys: string[] | undefined;

  keys(): readonly string[] {
    this.sortedKeys ??= [...this.objects.keys()].sort(compareText);
    return this.sortedKeys;
  }

  trim(oldest: Micros): void {
    while (this.log.length - this.head > cacheEventsMin) {
      const first = this.log[this.head];
      assert(first !== undefined, 'the log has no holes');
      if (first.time >= oldest) break;
      this.forgotten = first.version;
      this.head += 1;
    }
    if (this.head < 1024 || this.head < this.log.length / 2) return;
    this.log = this.log.slice(this.head);
    this.head = 0;
  }

  /** Index of the first event after `version`. */
  indexAfter(version: number): number {
    let low = this.head;
    let high = this.log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.log[middle]?.version ?? 0) > version) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/**
 * The multi-version store behind the API server (simulator.md 6.1, A1, A5): one counter for the
 * whole cluster, objects by resource and key, and the recent events of each resource. It judges
 * nothing; objects are shared with every reader and never change.
 */
export class Store {
  #options: StoreOptions;
  #shelves = new Map<string, Shelf>();
  #byResource = new Map<Resource, Shelf>();
  #version = 0;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** The version of the latest write. */
  get version(): number {
    return this.#version;
  }

  get(resource: Resource, key: string): KubeObject | undefined {
    return this.#shelf(resource).objects.get(key);
  }

  count(resource: Resource): number {
    return this.#shelf(resource).objects.size;
  }

  /** All objects in key order. */
  list(resource: Resource): KubeObject[] {
    const shelf = this.#shelf(resource);
    const items: KubeObject[] = [];
    for (const key of shelf.keys()) {
      const object = shelf.objects.get(key);
      if (object !== undefined) items.push(object);
    }
    return items;
  }

  /**
   * The objects of a resource as they stood at `time`, or at the oldest time still remembered:
   * what a lagging watch cache answers (A2).
   */
  listAt(resource: Resource, time: Micros): Snapshot {
    const shelf = this.#shelf(resource);
    let index = shelf.log.length;
    while (index > shelf.head && (shelf.log[index - 1]?.time ?? 0) > time) index -= 1;
    const later = shelf.log.slice(index);
    const version = later[0] === undefined ? this.#version : later[0].version - 1;
    return { items: itemsBefore(shelf.objects, later), version };
  }

  /** The objects of a resource as they stood at a version, or undefined when that is forgotten. */
  listOf(resource: Resource, version: number): Snapshot | undefined {
    const shelf = this.#shelf(resource);
    if (version < shelf.forgotten) return undefined;
    const later = shelf.log.slice(shelf.indexAfter(version));
    return { items: itemsBefore(shelf.objects, later), version };
  }

  /** Events after `version` in order, or undefined when some of them are forgotten (410). */
  eventsAfter(resource: Resource, version: number): readonly Commit[] | undefined {
    const shelf = this.#shelf(resource);
    if (version < shelf.forgotten) return undefined;
    return shelf.log.slice(shelf.indexAfter(version));
  }

  /** Writes one object in a new version. */
  put(resource: Resource, key: string, object: KubeObject): Commit {
    const shelf = this.#shelf(resource);
    const previous = shelf.objects.get(key);
    const stamped = this.#stamp(object);
    if (previous === undefined) shelf.sortedKeys = undefined;
    shelf.objects.set(key, stamped);
    const type = previous === undefined ? 'ADDED' : 'MODIFIED';
    return this.#record(shelf, { type, resource, object: stamped, previous });
  }

  /** Takes one object away; `object` is its last state, which a deletion may have changed. */
  remove(resource: Resource, key: string, object: KubeObject): Commit {
    const shelf = this.#shelf(resource);
    const previous = shelf.objects.get(key);
    assert(previous !== undefined, `${key} exists when it is removed`);
    const stamped = this.#stamp(object);
    shelf.objects.delete(key);
    shelf.sortedKeys = undefined;
    return this.#record(shelf, { type: 'DELETED', resource, object: stamped, previous });
  }

  /** Forgets all history: watches from any older version are answered 410. */
  compact(): void {
    for (const shelf of this.#shelves.values()) {
      shelf.log = [];
      shelf.head = 0;
      shelf.forgotten = this.#version;
    }
  }

  #stamp(object: KubeObject): KubeObject {
    this.#version += this.#options.step();
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    const stamped = { ...object, metadata };
    return this.#options.freeze ? freezeJson(stamped) : stamped;
  }

  #record(shelf: Shelf, what: Omit<Commit, 'version' | 'time'>): Commit {
    const time = this.#options.now();
    const commit: Commit = { ...what, version: this.#version, time };
    shelf.log.push(commit);
    shelf.trim(time - cacheAge);
    return commit;
  }

  #shelf(resource: Resource): Shelf {
    // Almost every caller names a resource by the same constant.
    let known = this.#byResource.get(resource);
    if (known === undefined) {
      known = this.#shelfOf(resource);
      this.#byResource.set(resource, known);
    }
    return known;
  }

  #shelfOf(resource: Resource): Shelf {
    const id = `${resource.group}/${resource.plural}`;
    let shelf = this.#shelves.get(id);
    if (shelf === undefined) {
      shelf = new Shelf();
      this.#shelves.set(id, shelf);
    }
    return shelf;
  }
}

function itemsBefore(
  present: ReadonlyMap<string, KubeObject>, later: readonly Commit[],
): readonly KubeObject[] {
  const objects = new Map(present);
  for (const commit of later.toReversed()) {
    const key = keyOfObject(commit.object);
    if (commit.previous === undefined) objects.delete(key);
    else objects.set(key, commit.previous);
  }
  const entries = [...objects].sort(([left], [right]) => compareText(left, right));
  return entries.map(([, object]) => object);
}

/** The key of an object within its resource, ordered as etcd orders it. */
export function keyOf(place: { readonly namespace: string; readonly name: string }): string {
  return `${place.namespace}/${place.name}`;
}

/** As `keyOf`, of a stored object. */
export function keyOfObject(object: KubeObject): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
}
