import type { KubeObject } from '../../kube/port.ts';
import { ok } from '../../lb/result.ts';
import { applyConflict, conflictsOf } from './applyconflict.ts';
import { equalJson, listOf, objectOf, omit, type JsonObject } from './json.ts';
import {
  below, fieldsOf, mergeApplied, ownershipsOf, removeFields, sameTree, segmentOf, subtract,
  type FieldTree, type Ownership,
} from './ownership.ts';
import type { Outcome } from './refusal.ts';
import { shapesOf, type Shapes } from './shape.ts';

/** Who applies through which endpoint. */
export interface ApplyOptions {
  readonly manager: string;
  readonly subresource: 'status' | undefined;
  /** Takes fields over from others instead of refusing. */
  readonly force: boolean;
  readonly apiVersion: string;
  /** Schema of a kind that a definition added. */
  readonly structural?: JsonObject | undefined;
  /** RFC 3339, for the entry of this manager. */
  readonly time: string;
}

/**
 * Server-side apply (A9): the live object with what `applied` names; what this manager applied
 * before, names no longer and nobody else owns is removed. Fields that others own with another
 * value are a 409 with one cause each, unless forced: then the others lose them. Pure; the caller
 * judges and commits the result.
 */
export function applyTo(
  live: KubeObject, applied: KubeObject, options: ApplyOptions,
): Outcome<KubeObject> {
  const { manager, subresource } = options;
  const shapes = shapesOf(live, options.structural);
  const wanted = owned(applied, subresource);
  const fields = fieldsOf(wanted, shapes);
  const all = ownershipsOf(live);
  const isMine = (entry: Ownership): boolean => entry.operation === 'Apply'
    && entry.manager === manager && entry.subresource === subresource;
  const mine = all.find(isMine);
  const others = all.filter((entry) => !isMine(entry));
  const root = { shapes, path: '' };
  const losses = others.map(
    (owner) => ({ owner, lost: takenOver(owner.fields, { live, wanted }, root) }),
  );
  if (!options.force) {
    const conflicts = losses.flatMap(({ owner, lost }) => conflictsOf(owner, lost));
    if (conflicts.length > 0) return applyConflict(conflicts);
  }
  let abandoned: FieldTree = mine === undefined ? {} : subtract(mine.fields, fields);
  for (const other of others) abandoned = subtract(abandoned, other.fields);
  const merged = mergeApplied(removeFields(live, abandoned, root), wanted, root) as KubeObject;
  const entries = losses.flatMap(({ owner, lost }) => remaining(owner, lost));
  const unchanged = mine !== undefined && sameTree(mine.fields, fields);
  entries.push(unchanged ? mine.entry : entryOf(fields, { ...options, operation: 'Apply' }));
  return ok({ ...merged, metadata: { ...merged.metadata, managedFields: entries as never } });
}

/** The entry of an owner without the fields that it lost; none when nothing is left. */
export function remaining(owner: Ownership, lost: FieldTree): readonly JsonObject[] {
  const kept = subtract(owner.fields, lost);
  if (Object.keys(kept).length === 0) return [];
  return [sameTree(kept, owner.fields) ? owner.entry : { ...owner.entry, fieldsV1: kept }];
}

/** An entry of `managedFields`. */
export function entryOf(
  fields: FieldTree, options: Omit<ApplyOptions, 'force' | 'structural'> & {
    operation: 'Apply' | 'Update',
  },
): JsonObject {
  const { manager, operation, subresource, apiVersion, time } = options;
  return {
    manager, operation, apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: fields,
    ...(subresource !== undefined && { subresource }),
  };
}

const notOwned: readonly string[] = [
  'name', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields',
  'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink',
];

/** The part of an object that a write through this endpoint can own at all. */
export function owned(object: KubeObject, subresource: 'status' | undefined): JsonObject {
  if (subresource === 'status') return { status: object['status'] };
  const metadata = omit(objectOf(object.metadata) ?? {}, notOwned);
  const rest = omit(object, ['apiVersion', 'kind', 'metadata', 'status']);
  return Object.keys(metadata).length === 0 ? rest : { metadata, ...rest };
}

// The part of `tree` whose values the applied object changes. Entries of lists are shared until
// their own fields change.
function takenOver(
  tree: FieldTree,
  values: { readonly live: unknown; readonly wanted: unknown },
  place: { readonly shapes: Shapes; readonly path: string },
): FieldTree {
  const lost: Record<string, FieldTree> = {};
  for (const segment of Object.keys(tree)) {
    if (segment === '.' || segment.startsWith('v:')) continue;
    const [live, wanted] = [values.live, values.wanted].map((value) => at(value, segment, place));
    if (wanted === undefined) continue;
    const deeper = tree[segment] ?? {};
    if (Object.keys(deeper).length === 0) {
      if (!equalJson(live, wanted)) lost[segment] = deeper;
      continue;
    }
    const path = segment.startsWith('f:') ? below(place.path, segment.slice(2)) : place.path;
    const under = takenOver(deeper, { live, wanted }, { ...place, path });
    if (Object.keys(under).length > 0) lost[segment] = under;
  }
  return lost;
}

function at(
  value: unknown, segment: string, place: { readonly shapes: Shapes; readonly path: string },
): unknown {
  if (segment.startsWith('f:')) return objectOf(value)?.[segment.slice(2)];
  const { list } = place.shapes(place.path);
  return listOf(value).find((item) => segmentOf(item, list) === segment);
}
