import type { Fault } from '../../lb/model.ts';
import { ok } from '../../lb/result.ts';
import type { KubeObject, ObjectRef, Preconditions } from '../../kube/port.ts';
import { apiVersion } from '../../kube/resource.ts';
import { defaultObject, prune, validateObject } from '../../kube/schema/validate.ts';
import { formatTime } from '../../lb/time.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Prng } from '../prng.ts';
import { established } from './definition/definition.ts';
import {
  pruned, structuralFaults, withStructuralDefaults,
} from './definition/structural.ts';
import type { ServiceAllocation } from './allocation.ts';
import { builtInFaults, defaultBuiltIn, specOf } from './builtin.ts';
import { drawUid } from './identity.ts';
import { equalJson, listOf, objectOf, textOf, type JsonObject } from './json.ts';
import {
  carryMetadata, contentDiffers, deletingSince, finalizersOf, metadataFaults, newFinalizerFaults,
} from './metadata.ts';
import { badRequest, conflict, forbidden, invalid, modified, type Outcome } from './refusal.ts';
import type { HandleOptions } from './request.ts';
import { serviceStatusFaults } from './service-rules.ts';
import { settleService, settleServiceStatus } from './service.ts';
import type { Traits } from './traits.ts';

/** What the planning of one write needs to know. */
export interface WritePlace {
  readonly ref: ObjectRef;
  readonly traits: Traits;
  /** Schema of a kind that a definition added. */
  readonly structural: JsonObject | undefined;
  readonly allocation: ServiceAllocation;
  readonly stream: Prng;
  readonly wall: Micros;
}

/** What a write comes to; `object` of an unchanged one is the stored object. */
export type Plan =
  | { readonly kind: 'unchanged'; readonly object: KubeObject }
  | { readonly kind: 'put'; readonly object: KubeObject }
  | { readonly kind: 'remove'; readonly object: KubeObject };

/** A new object; its status is dropped unless `keepStatus` (A7; a loaded manifest keeps it). */
export function planCreate(
  body: KubeObject, place: WritePlace, keepStatus: boolean,
): Outcome<KubeObject> {
  const { ref, traits, stream, wall } = place;
  const { resource } = ref;
  const given = objectOf(body.metadata) ?? {};
  const metadata = {
    ...carryMetadata({}, given),
    name: ref.name,
    ...(resource.namespaced && { namespace: ref.namespace }),
    uid: drawUid(stream),
    creationTimestamp: formatTime(wall),
    ...(traits.generation !== 'none' && { generation: 1 }),
    ...(given['managedFields'] !== undefined && { managedFields: given['managedFields'] }),
  };
  const dropsStatus = traits.status && !keepStatus;
  const content = ordered(body, metadata as JsonObject, dropsStatus ? undefined : body['status']);
  return settle(
    undefined,
    withInitialStatus({ ...content, apiVersion: apiVersion(resource), kind: resource.kind }),
    place,
  );
}

/** `after` in place of `before`, through the main endpoint or the status one. */
export function planReplace(
  before: KubeObject, after: KubeObject, place: WritePlace & { subresource: 'status' | undefined },
): Outcome<Plan> {
  const { ref, traits, subresource } = place;
  const wanted = objectOf(after.metadata) ?? {};
  const refused = preconditionsHold(
    before, { uid: wanted['uid'], resourceVersion: wanted['resourceVersion'] }, ref,
  );
  if (!refused.ok) return refused;
  if (wanted['name'] !== undefined && wanted['name'] !== ref.name) {
    const name = JSON.stringify(wanted['name']);
    return badRequest(`the name of the object, ${name}, does not match the request (${ref.name})`);
  }
  const late = newFinalizerFaults(before, after);
  if (late.length > 0) return invalid(ref, late);
  const settled = settle(
    before, mixEndpoint(before, after, { traits, subresource }), { ...place, subresource },
  );
  if (!settled.ok) return settled;
  const candidate = settled.value;
  if (equalJson(before, candidate)) return ok({ kind: 'unchanged', object: before });
  const finished = deletingSince(candidate) !== undefined && isFree(candidate);
  const object = advance(before, candidate, traits);
  return ok({ kind: finished ? 'remove' : 'put', object });
}

/** What the deletion of `before` comes to (A13). */
export function planDelete(
  before: KubeObject, place: WritePlace, options: {
    preconditions?: Preconditions;
    graceSeconds?: number | undefined;
    propagation?: HandleOptions['propagation'];
  },
): Outcome<Plan> {
  const { ref, traits, wall } = place;
  const refused = preconditionsHold(before, options.preconditions ?? {}, ref);
  if (!refused.ok) return refused;
  if (ref.resource.kind === 'Namespace' && protectedNamespaces.includes(ref.name)) {
    return forbidden(ref, 'this namespace may not be deleted');
  }
  const grace = ref.resource.kind === 'Pod' ? podGrace(before, options.graceSeconds) : 0;
  const since = deletingSince(before);
  const held = withPropagation(before, options.propagation);
  const metadata = objectOf(held.metadata) ?? {};
  if (grace === 0 && isFree(held, 0)) return ok({ kind: 'remove', object: before });
  const granted = metadata['deletionGracePeriodSeconds'];
  // A second delete may only shorten the grace of a pod.
  if (
    since !== undefined
    && (ref.resource.kind !== 'Pod' || (typeof granted === 'number' && granted <= grace))
  ) {
    return ok({ kind: held === before ? 'unchanged' : 'put', object: held });
  }
  const generation = metadata['generation'];
  const marked: JsonObject = {
    ...metadata,
    deletionTimestamp: formatTime(wall + grace * 1_000_000),
    deletionGracePeriodSeconds: grace,
    ...(traits.generation === 'custom' && typeof generation === 'number' && {
      generation: generation + 1,
    }),
  };
  const status = objectOf(before['status']);
  const terminating = ref.resource.kind === 'Namespace'
    && { status: { ...status, phase: 'Terminating' } };
  return ok({ kind: 'put', object: { ...before, ...terminating, metadata: marked } as KubeObject });
}

// Foreground and Orphan are finalizers that the garbage collector takes off when its work is done.
function withPropagation(
  object: KubeObject, propagation: HandleOptions['propagation'],
): KubeObject {
  if (propagation === undefined) return object;
  const wanted = propagation === 'Foreground' ? [foregroundFinalizer]
    : propagation === 'Orphan' ? [orphanFinalizer] : [];
  const others = finalizersOf(object).filter(
    (entry) => entry !== foregroundFinalizer && entry !== orphanFinalizer,
  );
  const finalizers = [...others, ...wanted];
  if (equalJson(finalizers, finalizersOf(object))) return object;
  return { ...object, metadata: { ...object.metadata, finalizers } };
}

const foregroundFinalizer = 'foregroundDeletion';
const orphanFinalizer = 'orphan';

const protectedNamespaces: readonly string[] = [
  'default', 'kube-system', 'kube-public', 'kube-node-lease',
];

/** 409 unless uid and version are what the writer believes (A6). */
export function preconditionsHold(
  stored: KubeObject, wanted: { uid?: unknown; resourceVersion?: unknown }, ref: ObjectRef,
): Outcome<undefined> {
  const uid = stored.metadata?.uid;
  if (wanted.uid !== undefined && wanted.uid !== '' && wanted.uid !== uid) {
    const named = textOf(wanted.uid) ?? '';
    const found = uid ?? '';
    return conflict(ref, `Precondition failed: UID in precondition: ${named}, in object: ${found}`);
  }
  const version = wanted.resourceVersion;
  if (version !== undefined && version !== '' && version !== stored.metadata?.resourceVersion) {
    return conflict(ref, modified);
  }
  return ok(undefined);
}

function ordered(body: KubeObject, metadata: JsonObject, status: unknown): KubeObject {
  const object: Record<string, unknown> = {
    apiVersion: body.apiVersion, kind: body.kind, metadata,
  };
  for (const key of Object.keys(body)) {
    if (key === 'status' || key in object || body[key] === undefined) continue;
    object[key] = body[key];
  }
  if (status !== undefined) object['status'] = status;
  return object;
}

function withInitialStatus(object: KubeObject): KubeObject {
  const status = objectOf(object['status']);
  if (object.kind === 'Pod' && status?.['phase'] === undefined) {
    return { ...object, status: { ...status, phase: 'Pending' } };
  }
  if (object.kind === 'Service') return { ...object, status: { loadBalancer: {}, ...status } };
  if (object.kind !== 'Namespace') return object;
  const labels = {
    ...objectOf(object.metadata?.['labels']), 'kubernetes.io/metadata.name': object.metadata?.name,
  };
  return {
    ...object,
    metadata: { ...object.metadata, labels: labels as never },
    spec: { finalizers: ['kubernetes'], ...specOf(object) },
    status: { ...status, phase: 'Active' },
  };
}

// The main endpoint ignores status, the status endpoint everything else; there custom resources
// keep their metadata too, while built-in kinds take labels and annotations from either.
function mixEndpoint(
  before: KubeObject, after: KubeObject, endpoint: {
    traits: Traits;
    subresource: 'status' | undefined;
  },
): KubeObject {
  const { traits, subresource } = endpoint;
  const stored = objectOf(before.metadata) ?? {};
  const managed = objectOf(after.metadata)?.['managedFields'] ?? stored['managedFields'];
  const carried = subresource === 'status' && traits.custom
    ? stored
    : carryMetadata(stored, objectOf(after.metadata) ?? {});
  const metadata = managed === undefined ? carried : { ...carried, managedFields: managed };
  if (subresource === 'status') {
    return { ...before, metadata: metadata as never, status: after['status'] };
  }
  const base: KubeObject = {
    ...after,
    ...(before.apiVersion !== undefined && { apiVersion: before.apiVersion }),
    ...(before.kind !== undefined && { kind: before.kind }),
  };
  return ordered(base, metadata, traits.status ? before['status'] : after['status']);
}

// Defaults, pruning, allocation and validation of a complete candidate.
function settle(
  before: KubeObject | undefined, after: KubeObject,
  place: WritePlace & { subresource?: 'status' | undefined },
): Outcome<KubeObject> {
  const { ref, traits, allocation, stream, subresource } = place;
  const faults: Fault[] = subresource === 'status' ? [] : metadataFaults(after, ref.resource);
  if (traits.custom) {
    const { structural } = place;
    const settled = structural === undefined
      ? defaultObject(prune(after))
      : structured(after, structural);
    faults.push(
      ...structural === undefined ? validateObject(settled) : structuralFaults(settled, structural),
    );
    return faults.length > 0 ? invalid(ref, faults) : ok(settled);
  }
  if (ref.resource.kind !== 'Service') {
    const filled = subresource === 'status' ? after : defaultBuiltIn(after);
    const settled = ref.resource.kind === 'CustomResourceDefinition'
      ? established(filled, formatTime(place.wall))
      : filled;
    faults.push(...builtInFaults(settled, before));
    return faults.length > 0 ? invalid(ref, faults) : ok(settled);
  }
  let settled = after;
  if (subresource !== 'status' && faults.length === 0) {
    const service = settleService(before, after, { allocation, stream });
    if (!service.ok) return invalid(ref, service.error);
    settled = service.value;
  }
  settled = settleServiceStatus(settled);
  faults.push(...serviceStatusFaults(specOf(settled), objectOf(settled['status']) ?? {}));
  return faults.length > 0 ? invalid(ref, faults) : ok(settled);
}

function structured(object: KubeObject, schema: JsonObject): KubeObject {
  // Pruning and defaults leave an object an object.
  return withStructuralDefaults(pruned(object, schema, { path: '' }), schema) as KubeObject;
}

function advance(before: KubeObject, after: KubeObject, traits: Traits): KubeObject {
  const generation = before.metadata?.['generation'];
  if (traits.generation === 'none' || typeof generation !== 'number') return after;
  if (!contentDiffers(before, after, traits.status)) return after;
  return { ...after, metadata: { ...after.metadata, generation: generation + 1 } };
}

// True when nothing holds a deleted object any longer.
function isFree(object: KubeObject, graceSeconds?: number): boolean {
  const grace = graceSeconds ?? objectOf(object.metadata)?.['deletionGracePeriodSeconds'] ?? 0;
  const holders = object.kind === 'Namespace' ? listOf(specOf(object)['finalizers']).length : 0;
  return finalizersOf(object).length === 0 && grace === 0 && holders === 0;
}

// An unbound or finished pod has no kubelet to wait for.
function podGrace(pod: KubeObject, asked: number | undefined): number {
  const spec = specOf(pod);
  const phase = objectOf(pod['status'])?.['phase'];
  if (
    spec['nodeName'] === undefined
    || spec['nodeName'] === ''
    || phase === 'Succeeded'
    || phase === 'Failed'
  ) {
    return 0;
  }
  const own = spec['terminationGracePeriodSeconds'];
  return asked ?? (typeof own === 'number' ? own : 30);
}
