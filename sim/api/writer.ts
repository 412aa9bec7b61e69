import type { Micros } from '../../lb/ports.ts';
import { ok } from '../../lb/result.ts';
import type { KubeAnswer, KubeObject, KubeRequest, ObjectRef } from '../../kube/port.ts';
import { apiVersion, resourceOf, resources, type Resource } from '../../kube/resource.ts';
import { unservedVersion } from '../../kube/schema/validate.ts';
import { formatTime } from '../../lb/time.ts';
import type { World } from '../world.ts';
import type { ServiceAllocation } from './allocation.ts';
import { applyTo } from './apply.ts';
import type { Definitions } from './definition/definitions.ts';
import { Expiry } from './expiry.ts';
import { drawSuffix, drawUid } from './identity.ts';
import { listOf, mergePatch, objectOf } from './json.ts';
import { withUpdateOwner } from './managed.ts';
import { deletingSince } from './metadata.ts';
import {
  alreadyExists, badRequest, conflict, forbidden, invalid, notFound, type Outcome,
} from './refusal.ts';
import { keyOf, keyOfObject, type Commit, type Store } from './store.ts';
import type { HandleOptions } from './request.ts';
import { traitsOf } from './traits.ts';
import {
  planCreate, planDelete, planReplace, preconditionsHold, type Plan, type WritePlace,
} from './write.ts';

const eventLife: Micros = 3_600_000_000;

/** What a writer works on. */
export interface WriterParts {
  readonly world: World;
  readonly store: Store;
  readonly allocation: ServiceAllocation;
  readonly definitions: Definitions;
  /** Called with each commit, in version order. */
  readonly committed: (commit: Commit) => void;
}

/** Through which endpoint an object is written, and how. */
interface WriteForm {
  readonly ref: ObjectRef;
  readonly subresource: 'status' | undefined;
  readonly options: HandleOptions;
  /** The owners of its fields are settled. */
  readonly applied?: boolean;
}

/** Turns write requests into plans and plans into commits; a dry run stops before the commit. */
export class Writer {
  readonly #world: World;
  readonly #store: Store;
  readonly #allocation: ServiceAllocation;
  readonly #definitions: Definitions;
  readonly #committed: (commit: Commit) => void;
  readonly #events = new Expiry(eventLife);

  constructor(parts: WriterParts) {
    this.#world = parts.world;
    this.#store = parts.store;
    this.#allocation = parts.allocation;
    this.#definitions = parts.definitions;
    this.#committed = parts.committed;
  }

  /** POST. */
  create(
    request: KubeRequest & { verb: 'create' }, options: HandleOptions,
  ): Outcome<KubeAnswer> {
    const { resource, body } = request;
    const metadata = objectOf(body.metadata) ?? {};
    const namespace = request.namespace !== '' ? request.namespace : body.metadata?.namespace ?? '';
    if (metadata['namespace'] !== undefined && metadata['namespace'] !== namespace) {
      return badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    }
    if (resource.namespaced && namespace === '') {
      return badRequest('an empty namespace may not be set during creation');
    }
    const place = this.#place({ resource, namespace, name: this.#nameFor(body) });
    return this.#add(body, place, { options, keepStatus: false });
  }

  #nameFor(body: KubeObject): string {
    const name = body.metadata?.name ?? '';
    const prefix = body.metadata?.['generateName'];
    if (name !== '' || typeof prefix !== 'string') return name;
    return `${prefix.slice(0, 58)}${drawSuffix(this.#world.stream('api/uid'))}`;
  }

  #add(
    body: KubeObject, place: WritePlace,
    how: { options: HandleOptions; keepStatus: boolean; applied?: boolean },
  ): Outcome<KubeAnswer> {
    const { ref } = place;
    const open = this.#namespaceOpen(ref);
    if (!open.ok) return open;
    if (this.#store.get(ref.resource, keyOf(ref)) !== undefined) return alreadyExists(ref);
    const planned = planCreate(body, place, how.keepStatus);
    if (!planned.ok) return planned;
    const object = how.applied === true
      ? planned.value
      : this.#owned(undefined, planned.value, { ...how, ref, subresource: undefined });
    const { dryRun = false } = how.options;
    return ok({ kind: 'object', object: this.#commit({ kind: 'put', object }, ref, dryRun) });
  }

  // 404 in a namespace that is not there, 403 in one that is going (A13).
  #namespaceOpen(ref: ObjectRef): Outcome<undefined> {
    if (!ref.resource.namespaced) return ok(undefined);
    const namespaceRef: ObjectRef = {
      resource: resources.namespaces, namespace: '', name: ref.namespace,
    };
    const namespace = this.#store.get(resources.namespaces, keyOf(namespaceRef));
    if (namespace === undefined) return notFound(namespaceRef);
    if (deletingSince(namespace) === undefined) return ok(undefined);
    return forbidden(
      ref,
      `unable to create new content in namespace ${ref.namespace} because it is being terminated`,
      [{
        path: 'metadata.namespace', reason: 'NamespaceTerminating',
        message: `namespace ${ref.namespace} is being terminated`,
      }],
    );
  }

  /** PUT: the precondition is the version in the body (A6). */
  update(
    request: KubeRequest & { verb: 'update' }, options: HandleOptions,
  ): Outcome<KubeAnswer> {
    const { ref, body, subresource } = request;
    const { traits } = this.#place(ref);
    const before = this.#store.get(ref.resource, keyOf(ref));
    if (before === undefined) {
      if (!traits.createOnUpdate || body.metadata?.uid === undefined) return notFound(ref);
      // With an empty uid for the object that is not there, as the storage layer words it.
      const failed = `UID in precondition: ${body.metadata.uid}, UID in object meta: `;
      return conflict(ref, `StorageError: invalid object, Code: 4, Precondition failed: ${failed}`);
    }
    const version = body.metadata?.resourceVersion ?? '';
    if (version === '' && !traits.unconditional) {
      const message = 'Invalid value: 0x0: must be specified for an update';
      return invalid(ref, [{ path: 'metadata.resourceVersion', message }]);
    }
    return this.#replace(before, body, { ref, subresource, options });
  }

  /** PATCH: `change` makes the new object of the stored one (A8). */
  patch(
    request: { readonly ref: ObjectRef; readonly subresource?: 'status' },
    change: (before: KubeObject) => Outcome<unknown>, options: HandleOptions,
  ): Outcome<KubeAnswer> {
    const { ref, subresource } = request;
    const before = this.#store.get(ref.resource, keyOf(ref));
    if (before === undefined) return notFound(ref);
    const changed = change(before);
    if (!changed.ok) return changed;
    const after = objectOf(changed.value);
    if (after === undefined) return badRequest('the patch does not leave an object');
    return this.#replace(before, after as KubeObject, { ref, subresource, options });
  }

  /** Server-side apply, which creates what is not there (A9). */
  apply(
    request: KubeRequest & { verb: 'apply' }, options: HandleOptions,
  ): Outcome<KubeAnswer> {
    const { ref, body, manager, subresource } = request;
    if (listOf(body.metadata?.['managedFields']).length > 0) {
      return badRequest('metadata.managedFields must be nil');
    }
    const { resource } = ref;
    const applier = {
      manager, subresource, force: options.force ?? true, apiVersion: apiVersion(resource),
      time: formatTime(this.#world.wall), structural: this.#definitions.schemaOf(resource),
    };
    const before = this.#store.get(resource, keyOf(ref));
    if (before === undefined) {
      const version = body.metadata?.resourceVersion ?? '';
      if (subresource === 'status' || version !== '') return notFound(ref);
      const empty: KubeObject = {
        apiVersion: apiVersion(resource), kind: resource.kind, metadata: { name: ref.name },
      };
      const made = applyTo(empty, body, applier);
      if (!made.ok) return made;
      const how = { options, keepStatus: false, applied: true };
      return this.#add(made.value, this.#place(ref), how);
    }
    const { uid, resourceVersion } = body.metadata ?? {};
    const held = preconditionsHold(before, { uid, resourceVersion }, ref);
    if (!held.ok) return held;
    const after = applyTo(before, body, applier);
    if (!after.ok) return after;
    return this.#replace(before, after.value, { ref, subresource, options, applied: true });
  }

  #replace(before: KubeObject, after: KubeObject, how: WriteForm): Outcome<KubeAnswer> {
    const { ref, subresource, options } = how;
    const place = this.#place(ref);
    if (subresource === 'status' && !place.traits.status) return notFound(ref);
    const planned = planReplace(before, after, { ...place, subresource });
    if (!planned.ok) return planned;
    const plan = planned.value.kind === 'put' && how.applied !== true
      ? { ...planned.value, object: this.#owned(before, planned.value.object, how) }
      : planned.value;
    return ok({ kind: 'object', object: this.#commit(plan, ref, options.dryRun === true) });
  }

  // Only writers that name themselves are recorded: a record costs more than the write.
  #owned(before: KubeObject | undefined, after: KubeObject, how: WriteForm): KubeObject {
    const { fieldManager: manager } = how.options;
    if (manager === undefined) return after;
    const time = formatTime(this.#world.wall);
    const { ref, subresource } = how;
    const structural = this.#definitions.schemaOf(ref.resource);
    const who = { manager, subresource, structural, apiVersion: apiVersion(ref.resource), time };
    return withUpdateOwner(before, after, who);
  }

  /** DELETE, with finalizers, grace and preconditions (A13). */
  delete(
    request: KubeRequest & { verb: 'delete' }, options: HandleOptions,
  ): Outcome<KubeAnswer> {
    const { ref, preconditions, gracePeriodSeconds } = request;
    const before = this.#store.get(ref.resource, keyOf(ref));
    if (before === undefined) return notFound(ref);
    const planned = planDelete(before, this.#place(ref), {
      ...(preconditions !== undefined && { preconditions }), graceSeconds: gracePeriodSeconds,
      propagation: options.propagation,
    });
    if (!planned.ok) return planned;
    const { dryRun = false } = options;
    return ok({ kind: 'object', object: this.#commit(planned.value, ref, dryRun) });
  }

  /** Creates one manifest with the status that it carries; without namespace it is `default`'s. */
  load(object: KubeObject): Outcome<KubeAnswer> {
    const resource = this.#resourceOf(object);
    if (resource === undefined) {
      return badRequest(
        `no matches for kind "${object.kind ?? ''}" in version "${object.apiVersion ?? ''}"`,
      );
    }
    const unserved = unservedVersion(object);
    if (unserved !== undefined) return badRequest(unserved);
    const namespace = resource.namespaced ? object.metadata?.namespace ?? 'default' : '';
    const place = this.#place({ resource, namespace, name: this.#nameFor(object) });
    const existing = this.#store.get(resource, keyOf(place.ref));
    // The standard namespaces are there already; a manifest may still label them.
    if (existing !== undefined && resource.kind === 'Namespace') {
      return this.#replace(
        existing,
        mergePatch(existing, object) as KubeObject,
        { ref: place.ref, subresource: undefined, options: {} },
      );
    }
    return this.#add(object, place, { options: {}, keepStatus: true });
  }

  /**
   * Stores the object as it is in place of what has its name; only identity and version are the
   * server's.
   */
  inject(object: KubeObject): Outcome<KubeObject> {
    const resource = this.#resourceOf(object);
    if (resource === undefined) return badRequest(`no matches for kind "${object.kind ?? ''}"`);
    const namespace = resource.namespaced ? object.metadata?.namespace ?? 'default' : '';
    const ref: ObjectRef = { resource, namespace, name: this.#nameFor(object) };
    if (ref.name === '') return badRequest('name or generateName is required');
    const before = this.#store.get(resource, keyOf(ref))?.metadata;
    const metadata = {
      ...object.metadata,
      name: ref.name,
      ...(resource.namespaced && { namespace }),
      uid: before?.uid ?? drawUid(this.#world.stream('api/uid')),
      creationTimestamp: before?.['creationTimestamp'] ?? formatTime(this.#world.wall),
    };
    const plan: Plan = { kind: 'put', object: { ...object, metadata } };
    return ok(this.#commit(plan, ref, false));
  }

  #resourceOf(object: KubeObject): Resource | undefined {
    return resourceOf(object.apiVersion ?? '', object.kind ?? '')
      ?? this.#definitions.resourceOf(object);
  }

  #place(ref: ObjectRef): WritePlace {
    const { resource } = ref;
    return {
      ref, traits: this.#definitions.traitsOf(resource) ?? traitsOf(resource),
      structural: this.#definitions.schemaOf(resource), allocation: this.#allocation,
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
    this.#committed(commit);
    if (resource.kind === 'CustomResourceDefinition') this.#define(commit);
    return commit.object;
  }

  // The objects of a kind go with its definition.
  #define(commit: Commit): void {
    const gone = this.#definitions.observe(commit);
    if (gone === undefined) return;
    for (const object of this.#store.list(gone)) {
      this.#committed(this.#store.remove(gone, keyOfObject(object), object));
    }
  }

  // Events live for an hour after their last write (A14).
  #expireEvents(commit: Commit): void {
    if (commit.type === 'DELETED') return;
    this.#events.touch(keyOfObject(commit.object), commit.time);
    for (const key of this.#events.take(commit.time)) {
      const object = this.#store.get(resources.events, key);
      if (object !== undefined) {
        this.#committed(this.#store.remove(resources.events, key, object));
      }
    }
  }
}
