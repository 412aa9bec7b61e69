import type { Fault } from '../../lb/model.ts';
import type { Micros } from '../../lb/ports.ts';
import { ok, type Result } from '../../lb/result.ts';
import type {
  Json, KubeAnswer, KubeError, KubeObject, KubeRequest, ObjectRef, Watch, WatchEvent,
  WatchRequest, WatchSink,
} from '../../kube/port.ts';
import { apiVersion, resourceOf, resources, type Resource } from '../../kube/resource.ts';
import { unservedVersion } from '../../kube/schema/validate.ts';
import { formatTime } from '../../kube/time.ts';
import type { World } from '../world.ts';
import { ServiceAllocation, type AllocationOptions } from './allocation.ts';
import { applyTo } from './apply.ts';
import { Expiry } from './expiry.ts';
import { EventSet, select, WatchHub, type WatchListener, type WatchScope } from './hub.ts';
import { drawSuffix } from './identity.ts';
import { mergePatch, objectOf } from './json.ts';
import { patchJson } from './jsonpatch.ts';
import { deletingSince } from './metadata.ts';
import {
  alreadyExists, badRequest, conflict, expired, forbidden, invalid, notFound, versionAhead, type Outcome,
} from './refusal.ts';
import { matcherOf } from './matching.ts';
import { RequestStatistics, type RequestCount } from './statistics.ts';
import { keyOf, keyOfObject, Store, type Commit, type Snapshot } from './store.ts';
import { traitsOf } from './traits.ts';
import { planCreate, planDelete, planReplace, preconditionsHold, type Plan, type WritePlace } from './write.ts';

export interface ApiServerOptions extends Partial<AllocationOptions> {
  /** Deep-freezes every stored object; tests only, it costs more than the write. */
  readonly freeze?: boolean;
  /** Leaves random gaps between versions, which no client may count on (A1). */
  readonly gappyVersions?: boolean;
}

/** What a client can ask, and what only scenarios do. */
export type ApiRequest = KubeRequest
  /** RFC 6902. */
  | {
    readonly verb: 'json-patch'; readonly ref: ObjectRef; readonly subresource?: 'status';
    readonly body: Json;
  };

/** An object of `load` that was refused. */
export interface LoadFault {
  readonly object: KubeObject;
  readonly faults: readonly Fault[];
}

export interface HandleOptions {
  /** Plans and answers without committing (A10). */
  readonly dryRun?: boolean;
}

const standardNamespaces: readonly string[] = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

/**
 * The API server of the simulated cluster: one synchronous function from request to answer over a
 * multi-version store, at the world's time (simulator.md 6). Commits reach watchers and
 * subscribers in version order; a listener that writes is served after the present commit.
 */
export class ApiServer {
  readonly #world: World;
  readonly #store: Store;
  readonly #allocation: ServiceAllocation;
  readonly #hub = new WatchHub();
  readonly #statistics = new RequestStatistics();
  #outbox: Commit[] = [];
  #delivering = false;
  #events = new Expiry(3_600_000_000);

  constructor(world: World, options: ApiServerOptions = {}) {
    const { serviceCidrs = ['10.96.0.0/16'], nodePortRange = [30_000, 32_767] } = options;
    this.#world = world;
    this.#allocation = new ServiceAllocation({ serviceCidrs, nodePortRange });
    this.#store = new Store({
      freeze: options.freeze ?? false,
      now: () => world.now,
      step: options.gappyVersions === true ? () => 1 + world.stream('api').below(1000) : () => 1,
    });
    for (const name of standardNamespaces) {
      this.handle({ verb: 'create', resource: resources.namespaces, namespace: '', body: { metadata: { name } } }, 'system:apiserver');
    }
  }

  /** The version of the latest write. */
  get version(): number {
    return this.#store.version;
  }

  /** Answers one request at once; what it commits is delivered before it returns. */
  handle(request: ApiRequest, user: string, options: HandleOptions = {}): Result<KubeAnswer, KubeError> {
    const resource = 'ref' in request ? request.ref.resource : request.resource;
    const tally = this.#statistics.count({ verb: request.verb, resource, user, now: this.#world.now });
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
    if (matches.ok) this.#hub.add({ resource, namespace: '', labelSelector: undefined, matches: matches.value }, listener);
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
  open(request: WatchRequest, listener: (event: WatchEvent, commit: Commit | undefined) => void): Outcome<Watch> {
    const { resource, namespace, labelSelector, resourceVersion } = request;
    const matches = matcherOf(labelSelector);
    if (!matches.ok) return badRequest(matches.error);
    const scope: WatchScope = { resource, namespace, labelSelector, matches: matches.value };
    if (resourceVersion === '' || resourceVersion === '0') {
      for (const object of select(this.#store.list(resource), scope)) listener({ type: 'ADDED', object }, undefined);
    } else {
      const version = Number(resourceVersion);
      if (!Number.isSafeInteger(version)) return badRequest(`Invalid value: "${resourceVersion}": not a resource version`);
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
    for (const object of [...unrolled.filter(isNamespace), ...unrolled.filter((other) => !isNamespace(other))]) {
      const loaded = this.#load(object);
      if (!loaded.ok) faults.push({ object, faults: loaded.error.causes ?? [{ path: '', message: loaded.error.message }] });
      this.#deliver();
    }
    return faults;
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
      case 'create': return this.#create(request, dryRun);
      case 'update': return this.#update(request, dryRun);
      case 'patch': return this.#patch(request, (before) => ok(mergePatch(before, request.body)), dryRun);
      case 'json-patch': return this.#patch(request, (before) => patchJson(before, request.body), dryRun);
      case 'apply': return this.#apply(request, dryRun);
      case 'delete': return this.#delete(request, dryRun);
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

  #create(request: KubeRequest & { verb: 'create' }, dryRun: boolean): Outcome<KubeAnswer> {
    const { resource, body } = request;
    const metadata = objectOf(body.metadata) ?? {};
    const namespace = request.namespace !== '' ? request.namespace : body.metadata?.namespace ?? '';
    if (metadata['namespace'] !== undefined && metadata['namespace'] !== namespace) {
      return badRequest('the namespace of the provided object does not match the namespace sent on the request');
    }
    if (resource.namespaced && namespace === '') return badRequest('an empty namespace may not be set during creation');
    const place = this.#place({ resource, namespace, name: this.#nameFor(body) });
    return this.#add(body, place, { dryRun, keepStatus: false });
  }

  #nameFor(body: KubeObject): string {
    const name = body.metadata?.name ?? '';
    const prefix = body.metadata?.['generateName'];
    if (name !== '' || typeof prefix !== 'string') return name;
    return `${prefix.slice(0, 58)}${drawSuffix(this.#world.stream('api/uid'))}`;
  }

  #add(body: KubeObject, place: WritePlace, how: { dryRun: boolean; keepStatus: boolean }): Outcome<KubeAnswer> {
    const { ref } = place;
    const open = this.#namespaceOpen(ref);
    if (!open.ok) return open;
    if (this.#store.get(ref.resource, keyOf(ref)) !== undefined) return alreadyExists(ref);
    const planned = planCreate(body, place, how.keepStatus);
    if (!planned.ok) return planned;
    return ok({ kind: 'object', object: this.#commit({ kind: 'put', object: planned.value }, ref, how.dryRun) });
  }

  // 404 in a namespace that is not there, 403 in one that is going (A13).
  #namespaceOpen(ref: ObjectRef): Outcome<undefined> {
    if (!ref.resource.namespaced) return ok(undefined);
    const namespaceRef: ObjectRef = { resource: resources.namespaces, namespace: '', name: ref.namespace };
    const namespace = this.#store.get(resources.namespaces, keyOf(namespaceRef));
    if (namespace === undefined) return notFound(namespaceRef);
    if (deletingSince(namespace) === undefined) return ok(undefined);
    return forbidden(ref, `unable to create new content in namespace ${ref.namespace} because it is being terminated`);
  }

  #update(request: KubeRequest & { verb: 'update' }, dryRun: boolean): Outcome<KubeAnswer> {
    const { ref, body, subresource } = request;
    const traits = traitsOf(ref.resource);
    const before = this.#store.get(ref.resource, keyOf(ref));
    if (before === undefined) {
      if (!traits.createOnUpdate || body.metadata?.uid === undefined) return notFound(ref);
      return conflict(ref, `StorageError: invalid object, Code: 4, AdditionalErrorMsg: Precondition failed: UID in precondition: ${body.metadata.uid}, UID in object meta: `);
    }
    const version = body.metadata?.resourceVersion ?? '';
    if (version === '' && !traits.unconditional) {
      const faults = [{ path: 'metadata.resourceVersion', message: 'Invalid value: 0x0: must be specified for an update' }];
      return invalid(ref, faults);
    }
    return this.#replace(before, body, { ref, subresource, dryRun });
  }

  #patch(
    request: { readonly ref: ObjectRef; readonly subresource?: 'status' },
    change: (before: KubeObject) => Outcome<unknown>, dryRun: boolean,
  ): Outcome<KubeAnswer> {
    const { ref, subresource } = request;
    const before = this.#store.get(ref.resource, keyOf(ref));
    if (before === undefined) return notFound(ref);
    const changed = change(before);
    if (!changed.ok) return changed;
    const after = objectOf(changed.value);
    if (after === undefined) return badRequest('the patch does not leave an object');
    return this.#replace(before, after as KubeObject, { ref, subresource, dryRun });
  }

  #apply(request: KubeRequest & { verb: 'apply' }, dryRun: boolean): Outcome<KubeAnswer> {
    const { ref, body, manager, subresource } = request;
    const { resource } = ref;
    const options = {
      manager, subresource, apiVersion: apiVersion(resource), time: formatTime(this.#world.wall),
    };
    const before = this.#store.get(resource, keyOf(ref));
    if (before === undefined) {
      const version = body.metadata?.resourceVersion ?? '';
      if (subresource === 'status' || version !== '') return notFound(ref);
      const empty: KubeObject = { apiVersion: apiVersion(resource), kind: resource.kind, metadata: { name: ref.name } };
      return this.#add(applyTo(empty, body, options), this.#place(ref), { dryRun, keepStatus: false });
    }
    const { uid, resourceVersion } = body.metadata ?? {};
    const held = preconditionsHold(before, { uid, resourceVersion }, ref);
    if (!held.ok) return held;
    return this.#replace(before, applyTo(before, body, options), { ref, subresource, dryRun });
  }

  #replace(
    before: KubeObject, after: KubeObject,
    how: { readonly ref: ObjectRef; readonly subresource: 'status' | undefined; readonly dryRun: boolean },
  ): Outcome<KubeAnswer> {
    const { ref, subresource, dryRun } = how;
    const place = this.#place(ref);
    if (subresource === 'status' && !place.traits.status) return notFound(ref);
    const planned = planReplace(before, after, { ...place, subresource });
    if (!planned.ok) return planned;
    return ok({ kind: 'object', object: this.#commit(planned.value, ref, dryRun) });
  }

  #delete(request: KubeRequest & { verb: 'delete' }, dryRun: boolean): Outcome<KubeAnswer> {
    const { ref, preconditions, gracePeriodSeconds } = request;
    const before = this.#store.get(ref.resource, keyOf(ref));
    if (before === undefined) return notFound(ref);
    const planned = planDelete(before, this.#place(ref), {
      ...(preconditions !== undefined && { preconditions }), graceSeconds: gracePeriodSeconds,
    });
    if (!planned.ok) return planned;
    return ok({ kind: 'object', object: this.#commit(planned.value, ref, dryRun) });
  }

  #load(object: KubeObject): Outcome<KubeAnswer> {
    const resource = resourceOf(object.apiVersion ?? '', object.kind ?? '');
    if (resource === undefined) return badRequest(`no matches for kind "${object.kind ?? ''}" in version "${object.apiVersion ?? ''}"`);
    const unserved = unservedVersion(object);
    if (unserved !== undefined) return badRequest(unserved);
    const namespace = resource.namespaced ? object.metadata?.namespace ?? 'default' : '';
    const place = this.#place({ resource, namespace, name: this.#nameFor(object) });
    const existing = this.#store.get(resource, keyOf(place.ref));
    // The standard namespaces are there already; a manifest may still label them.
    if (existing !== undefined && resource.kind === 'Namespace') {
      return this.#replace(existing, mergePatch(existing, object) as KubeObject, { ref: place.ref, subresource: undefined, dryRun: false });
    }
    return this.#add(object, place, { dryRun: false, keepStatus: true });
  }

  #place(ref: ObjectRef): WritePlace {
    return {
      ref, traits: traitsOf(ref.resource), allocation: this.#allocation,
      stream: this.#world.stream('api/uid'), wall: this.#world.wall,
    };
  }

  /** The object as it stands after the plan. */
  #commit(plan: Plan, ref: ObjectRef, dryRun: boolean): KubeObject {
    if (plan.kind === 'unchanged' || dryRun) return plan.object;
    const key = keyOf(ref);
    const { resource } = ref;
    const commit = plan.kind === 'put'
      ? this.#store.put(resource, key, plan.object)
      : this.#store.remove(resource, key, plan.object);
    if (resource.kind === 'Service') this.#allocation.observe(commit);
    if (resource.kind === 'Event') this.#expireEvents(commit);
    this.#outbox.push(commit);
    return commit.object;
  }

  // Events live for an hour after their last write (A14).
  #expireEvents(commit: Commit): void {
    if (commit.type === 'DELETED') return;
    this.#events.touch(keyOfObject(commit.object), commit.time);
    for (const key of this.#events.take(commit.time)) {
      const object = this.#store.get(resources.events, key);
      if (object !== undefined) this.#outbox.push(this.#store.remove(resources.events, key, object));
    }
  }

  // A listener may write: its commits wait here, so that all see all commits in version order.
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    for (let next = this.#outbox.shift(); next !== undefined; next = this.#outbox.shift()) {
      this.#hub.deliver(next);
    }
    this.#delivering = false;
  }
}

function unroll(object: KubeObject): readonly KubeObject[] {
  const items = object['items'];
  if (object.kind?.endsWith('List') !== true || !Array.isArray(items)) return [object];
  return items.flatMap((item) => unroll((objectOf(item) ?? {}) as KubeObject));
}
