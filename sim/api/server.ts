import type { Fault } from '../../lb/model.ts';
import type { Micros } from '../../lb/ports.ts';
import { ok } from '../../lb/result.ts';
import type {
  KubeAnswer, KubeError, KubeObject, ObjectRef, Preconditions, Watch, WatchEvent, WatchRequest,
  WatchSink,
} from '../../kube/port.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import type { World } from '../world.ts';
import { ServiceAllocation, type AllocationOptions } from './allocation.ts';
import { Definitions } from './definition/definitions.ts';
import { evicted, evictionRefusal } from './eviction.ts';
import { EventSet, select, WatchHub, type WatchListener, type WatchScope } from './hub.ts';
import { objectOf } from './json.ts';
import { everyObject, objectMatcher } from './matching.ts';
import { patched, patchedScale } from './patching.ts';
import { badRequest, expired, notFound, versionAhead, type Outcome } from './refusal.ts';
import type {
  ApiRequest, EvictRequest, HandleOptions, ListRequest, WriteRequest,
} from './request.ts';
import { refuseScale, scaled, scaleOf } from './scale.ts';
import { RequestStatistics, type RequestCount } from './statistics.ts';
import { keyOf, Store, type Commit, type Snapshot } from './store.ts';
import { Writer } from './writer.ts';

export type { ApiRequest, HandleOptions } from './request.ts';

/** Of one cluster; default ranges are 10.96.0.0/16 and ports 30000 to 32767. */
export interface ApiServerOptions extends Partial<AllocationOptions> {
  /** Deep-freezes every stored object; tests only, it costs more than the write. */
  readonly freeze?: boolean;
  /** Leaves random gaps between versions, which no client may count on (A1). */
  readonly gappyVersions?: boolean;
}

/** An object of `load` that was refused. */
export interface LoadFault {
  readonly object: KubeObject;
  readonly faults: readonly Fault[];
}

const reads: readonly string[] = ['get', 'list', 'get-scale'];

const standardNamespaces: readonly string[] = [
  'default', 'kube-node-lease', 'kube-public', 'kube-system',
];

/**
 * The API server of the simulated cluster: one synchronous function from request to answer over a
 * multi-version store, at the world's time (simulator.md 6). Commits reach watchers and
 * subscribers in version order; a listener that writes is served after the present commit.
 */
export class ApiServer {
  readonly #world: World;
  readonly #store: Store;
  readonly #writer: Writer;
  /** Kinds that stored definitions add. */
  readonly definitions = new Definitions();
  readonly #hub = new WatchHub();
  readonly #statistics = new RequestStatistics();
  #outbox: Commit[] = [];
  #delivering = false;

  constructor(world: World, options: ApiServerOptions = {}) {
    const { serviceCidrs = ['10.96.0.0/16'], nodePortRange = [30_000, 32_767] } = options;
    this.#world = world;
    this.#store = new Store({
      freeze: options.freeze ?? false,
      now: () => world.now,
      step: options.gappyVersions === true ? () => 1 + world.stream('api').below(1000) : () => 1,
    });
    this.#writer = new Writer({
      world, store: this.#store, definitions: this.definitions,
      allocation: new ServiceAllocation({ serviceCidrs, nodePortRange }),
      committed: (commit) => { this.#outbox.push(commit); },
    });
    for (const name of standardNamespaces) {
      this.handle(
        {
          verb: 'create',
          resource: resources.namespaces,
          namespace: '',
          body: { metadata: { name } },
        },
        'system:apiserver',
      );
    }
  }

  /** The version of the latest write. */
  get version(): number {
    return this.#store.version;
  }

  /** Answers one request at once; what it commits is delivered before it returns. */
  handle(
    request: ApiRequest, user: string, options: HandleOptions = {},
  ): Outcome<KubeAnswer> {
    const resource = 'ref' in request ? request.ref.resource : request.resource;
    const tally = this.#statistics.count({
      verb: request.verb, resource, user, now: this.#world.now,
    });
    const before = this.#store.version;
    const forgetDraws = this.#world.stream('api/uid').mark();
    const answer = this.#answer(request, options);
    // What committed nothing leaves no trace in later draws, so that a record of the writes that
    // were served repeats a session.
    if (this.#store.version === before) forgetDraws();
    if (!answer.ok) tally.refused += 1;
    else if (!reads.includes(request.verb)) {
      if (this.#store.version > before) tally.commits += 1;
      else tally.unchanged += 1;
    }
    this.#deliver();
    return answer;
  }

  /** All objects in key order, for actors inside the process. */
  list(resource: Resource): readonly KubeObject[] {
    return this.#store.list(resource);
  }

  get(resource: Resource, namespace: string, name: string): KubeObject | undefined {
    return this.#store.get(resource, keyOf({ namespace, name }));
  }

  /** Answers a list from a watch cache that stands where the store stood at `time` (A2). */
  staleList(request: ListRequest, time: Micros): Outcome<KubeAnswer> {
    return this.#list(request, this.#store.listAt(request.resource, time));
  }

  /** Every commit of a resource from now on, inside the commit: a listener only takes a note. */
  subscribe(resource: Resource, listener: (event: WatchEvent) => void): void {
    const scope = { resource, namespace: '', labelSelector: undefined, matches: everyObject };
    this.#hub.add(scope, listener);
  }

  /**
   * Events after the version of the request: those already known at once, later ones at their
   * commit. An error instead of a watch when history is gone (410) or the selector is malformed.
   */
  watch(request: WatchRequest, sink: WatchSink): Watch | KubeError {
    const opened = this.open(request, (event) => { sink.event(event); });
    return opened.ok ? opened.value : opened.error;
  }

  /** As `watch`, with the commit beside each event; synthetic first events have none. */
  open(
    request: WatchRequest & { readonly fieldSelector?: string },
    listener: (event: WatchEvent, commit: Commit | undefined) => void,
    user = 'in-process',
  ): Outcome<Watch> {
    const { resource, namespace, labelSelector, fieldSelector, resourceVersion } = request;
    this.#statistics.count({ verb: 'watch', resource, user, now: this.#world.now });
    const selectable = this.definitions.selectableOf(resource);
    const matches = objectMatcher({ labelSelector, fieldSelector, selectable }, resource);
    if (!matches.ok) return badRequest(matches.error);
    const scope: WatchScope = {
      resource, namespace, labelSelector, fieldSelector, matches: matches.value,
    };
    if (resourceVersion === '' || resourceVersion === '0') {
      for (const object of select(this.#store.list(resource), scope)) listener(
        { type: 'ADDED', object }, undefined,
      );
    } else {
      const version = Number(resourceVersion);
      if (!Number.isSafeInteger(version)) {
        return badRequest(`Invalid value: "${resourceVersion}": not a resource version`);
      }
      const missed = this.#store.eventsAfter(resource, version);
      if (missed === undefined) return expired(resourceVersion, String(this.#store.version));
      for (const commit of missed) {
        // What waits in the outbox is delivered by the hub.
        if (this.#outbox.includes(commit)) continue;
        const event = new EventSet(commit).for(scope);
        if (event !== undefined) listener(event, commit);
      }
    }
    return ok({ cancel: this.#hub.add(scope, listener as WatchListener) });
  }

  /**
   * Creates manifests in order, Namespaces and definitions first; statuses that they carry are
   * kept. Objects that are refused are returned with the paths of their faults, and do not stop
   * the others.
   */
  load(objects: readonly KubeObject[]): readonly LoadFault[] {
    const faults: LoadFault[] = [];
    const unrolled = objects.flatMap(unroll);
    for (const object of inLoadOrder(unrolled)) {
      const loaded = this.#writer.load(object);
      if (!loaded.ok) {
        faults.push({
          object, faults: loaded.error.causes ?? [{ path: '', message: loaded.error.message }],
        });
      }
      this.#deliver();
    }
    return faults;
  }

  /**
   * Stores what an older API server or CRD admitted: no validation, no pruning, no defaulting, no
   * allocation. An object of that name is replaced and keeps its uid. Refuses only what has no name
   * or is of an unknown kind.
   */
  inject(object: KubeObject): Outcome<KubeObject> {
    const stored = this.#writer.inject(object);
    this.#deliver();
    return stored;
  }

  /** Forgets history: watches from older versions are answered 410 (fault `api.compact`). */
  compact(): void {
    this.#store.compact();
  }

  /** Requests by minute, verb, resource and user. */
  statistics(): readonly RequestCount[] {
    return this.#statistics.rows();
  }

  #answer(request: ApiRequest, options: HandleOptions): Outcome<KubeAnswer> {
    switch (request.verb) {
      case 'get': return this.#read(request.ref);
      case 'list': return this.#list(request);
      case 'get-scale': {
        const read = refuseScale(request.ref) ?? this.#read(request.ref);
        return shownAsScale(read);
      }
      default: return this.#write(request, options);
    }
  }

  #write(request: WriteRequest, options: HandleOptions): Outcome<KubeAnswer> {
    switch (request.verb) {
      case 'create': return this.#writer.create(request, options);
      case 'update': return this.#writer.update(request, options);
      case 'apply': return this.#writer.apply(request, options);
      case 'delete': return this.#writer.delete(request, options);
      case 'evict': return this.#evict(request, options);
      case 'patch': case 'json-patch': case 'strategic-patch':
        return this.#writer.patch(request, (before) => patched(before, request), options);
      case 'write-scale': case 'patch-scale': case 'json-patch-scale': {
        const { ref } = request;
        const change = (before: KubeObject): Outcome<unknown> => {
          const scale = patchedScale(before, request);
          return scale.ok ? scaled(before, scale.value, ref) : scale;
        };
        return refuseScale(ref) ?? shownAsScale(this.#writer.patch({ ref }, change, options));
      }
    }
  }

  #evict(request: EvictRequest, options: HandleOptions): Outcome<KubeAnswer> {
    const { ref, body } = request;
    const pod = this.#store.get(ref.resource, keyOf(ref));
    if (pod === undefined) return notFound(ref);
    const refused = evictionRefusal(pod, this.#store);
    if (refused !== undefined) return refused;
    const { preconditions, gracePeriodSeconds } = objectOf(body['deleteOptions']) ?? {};
    const deleted = this.#writer.delete({
      verb: 'delete',
      ref,
      ...(preconditions !== undefined && { preconditions: preconditions as Preconditions }),
      ...(typeof gracePeriodSeconds === 'number' && { gracePeriodSeconds }),
    }, options);
    return deleted.ok ? ok({ kind: 'object', object: evicted }) : deleted;
  }

  #read(ref: ObjectRef): Outcome<KubeAnswer> {
    const object = this.#store.get(ref.resource, keyOf(ref));
    return object === undefined ? notFound(ref) : ok({ kind: 'object', object });
  }

  #list(request: ListRequest, stale?: Snapshot): Outcome<KubeAnswer> {
    const { resource, namespace, options, fieldSelector } = request;
    const { labelSelector, resourceVersion: wanted = '' } = options;
    const selectable = this.definitions.selectableOf(resource);
    const matches = objectMatcher({ labelSelector, fieldSelector, selectable }, resource);
    if (!matches.ok) return badRequest(matches.error);
    const { version } = stale ?? this.#store;
    if (Number(wanted) > version) return versionAhead(wanted, version);
    const exact = request.resourceVersionMatch === 'Exact';
    const snapshot = exact ? this.#store.listOf(resource, Number(wanted)) : stale;
    if (exact && snapshot === undefined) return expired(wanted, String(version));
    const scope = { resource, namespace, labelSelector, matches: matches.value };
    const items = select(snapshot?.items ?? this.#store.list(resource), scope);
    return ok({ kind: 'list', items, resourceVersion: String(snapshot?.version ?? version) });
  }

  // A listener may write: its commits wait here, so that all see all commits in version order.
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let next = this.#outbox.shift(); next !== undefined; next = this.#outbox.shift()) {
        this.#hub.deliver(next);
      }
    } finally {
      this.#delivering = false;
    }
  }
}

function inLoadOrder(objects: readonly KubeObject[]): readonly KubeObject[] {
  const first: readonly unknown[] = ['Namespace', 'CustomResourceDefinition'];
  const isFirst = (object: KubeObject): boolean => first.includes(object.kind);
  return [...objects.filter(isFirst), ...objects.filter((object) => !isFirst(object))];
}

function unroll(object: KubeObject): readonly KubeObject[] {
  const items = object['items'];
  if (object.kind?.endsWith('List') !== true || !Array.isArray(items)) return [object];
  return items.flatMap((item) => unroll((objectOf(item) ?? {}) as KubeObject));
}

function shownAsScale(answer: Outcome<KubeAnswer>): Outcome<KubeAnswer> {
  if (!answer.ok || answer.value.kind === 'list') return answer;
  return ok({ kind: 'object', object: scaleOf(answer.value.object) });
}
