import type { Fault } from '../../lb/model.ts';
import type { Micros } from '../../lb/ports.ts';
import { ok } from '../../lb/result.ts';
import type {
  Json, KubeAnswer, KubeError, KubeObject, KubeRequest, ObjectRef, Watch, WatchEvent, WatchRequest,
  WatchSink,
} from '../../kube/port.ts';
import { apiVersion, resources, type Resource } from '../../kube/resource.ts';
import type { World } from '../world.ts';
import { ServiceAllocation, type AllocationOptions } from './allocation.ts';
import { EventSet, select, WatchHub, type WatchListener, type WatchScope } from './hub.ts';
import { mergePatch, objectOf } from './json.ts';
import { patchJson } from './jsonpatch.ts';
import { matcherOf } from './matching.ts';
import { messageOfKind } from './message/catalog.ts';
import {
  badRequest, expired, notFound, unsupportedPatch, versionAhead, type Outcome,
} from './refusal.ts';
import { RequestStatistics, type RequestCount } from './statistics.ts';
import { keyOf, Store, type Commit, type Snapshot } from './store.ts';
import { strategicPatch } from './strategic.ts';
import { Writer } from './writer.ts';

/** Of one cluster; default ranges are 10.96.0.0/16 and ports 30000 to 32767. */
export interface ApiServerOptions extends Partial<AllocationOptions> {
  /** Deep-freezes every stored object; tests only, it costs more than the write. */
  readonly freeze?: boolean;
  /** Leaves random gaps between versions, which no client may count on (A1). */
  readonly gappyVersions?: boolean;
}

/** What a client can ask, and what only scenarios do. */
export type ApiRequest = KubeRequest
  /** RFC 6902, and the patch of Kubernetes that merges lists by key (built-in kinds only, A8). */
  | {
    readonly verb: 'json-patch' | 'strategic-patch'; readonly ref: ObjectRef;
    readonly subresource?: 'status'; readonly body: Json;
  };

/** An object of `load` that was refused. */
export interface LoadFault {
  readonly object: KubeObject;
  readonly faults: readonly Fault[];
}

/** What an HTTP query says beside the request. */
export interface HandleOptions {
  /** Plans and answers without committing (A10). */
  readonly dryRun?: boolean;
}

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
      world, store: this.#store,
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
    const answer = this.#answer(request, options.dryRun === true);
    if (!answer.ok) tally.refused += 1;
    else if (request.verb !== 'get' && request.verb !== 'list') {
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
  staleList(request: KubeRequest & { verb: 'list' }, time: Micros): Outcome<KubeAnswer> {
    return this.#list(request, this.#store.listAt(request.resource, time));
  }

  /** Every commit of a resource from now on, inside the commit: a listener only takes a note. */
  subscribe(resource: Resource, listener: (event: WatchEvent) => void): void {
    const matches = matcherOf(undefined);
    if (matches.ok) {
      this.#hub.add(
        { resource, namespace: '', labelSelector: undefined, matches: matches.value }, listener,
      );
    }
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
    request: WatchRequest,
    listener: (event: WatchEvent, commit: Commit | undefined) => void,
    user = 'in-process',
  ): Outcome<Watch> {
    const { resource, namespace, labelSelector, resourceVersion } = request;
    this.#statistics.count({ verb: 'watch', resource, user, now: this.#world.now });
    const matches = matcherOf(labelSelector);
    if (!matches.ok) return badRequest(matches.error);
    const scope: WatchScope = { resource, namespace, labelSelector, matches: matches.value };
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
   * Creates manifests in order, Namespaces first; statuses that they carry are kept. Objects that
   * are refused are returned with the paths of their faults, and do not stop the others.
   */
  load(objects: readonly KubeObject[]): readonly LoadFault[] {
    const faults: LoadFault[] = [];
    const unrolled = objects.flatMap(unroll);
    const isNamespace = (object: KubeObject): boolean => object.kind === 'Namespace';
    const others = unrolled.filter((object) => !isNamespace(object));
    for (const object of [...unrolled.filter(isNamespace), ...others]) {
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

  #answer(request: ApiRequest, dryRun: boolean): Outcome<KubeAnswer> {
    switch (request.verb) {
      case 'get': return this.#read(request.ref);
      case 'list': return this.#list(request);
      case 'create': return this.#writer.create(request, dryRun);
      case 'update': return this.#writer.update(request, dryRun);
      case 'patch': {
        const change = (before: KubeObject) => ok(mergePatch(before, request.body));
        return this.#writer.patch(request, change, dryRun);
      }
      case 'json-patch': {
        const change = (before: KubeObject) => patchJson(before, request.body);
        return this.#writer.patch(request, change, dryRun);
      }
      case 'strategic-patch': {
        const { resource } = request.ref;
        const message = messageOfKind(apiVersion(resource), resource.kind);
        if (message === undefined) return unsupportedPatch();
        const change = (before: KubeObject) => strategicPatch(before, request.body, message);
        return this.#writer.patch(request, change, dryRun);
      }
      case 'apply': return this.#writer.apply(request, dryRun);
      case 'delete': return this.#writer.delete(request, dryRun);
    }
  }

  #read(ref: ObjectRef): Outcome<KubeAnswer> {
    const object = this.#store.get(ref.resource, keyOf(ref));
    return object === undefined ? notFound(ref) : ok({ kind: 'object', object });
  }

  #list(request: KubeRequest & { verb: 'list' }, snapshot?: Snapshot): Outcome<KubeAnswer> {
    const { resource, namespace, options } = request;
    const { labelSelector, resourceVersion: wanted = '' } = options;
    const matches = matcherOf(labelSelector);
    if (!matches.ok) return badRequest(matches.error);
    const { version } = snapshot ?? this.#store;
    if (Number(wanted) > version) return versionAhead(wanted, version);
    const scope = { resource, namespace, labelSelector, matches: matches.value };
    const items = select(snapshot?.items ?? this.#store.list(resource), scope);
    return ok({ kind: 'list', items, resourceVersion: String(version) });
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

function unroll(object: KubeObject): readonly KubeObject[] {
  const items = object['items'];
  if (object.kind?.endsWith('List') !== true || !Array.isArray(items)) return [object];
  return items.flatMap((item) => unroll((objectOf(item) ?? {}) as KubeObject));
}
