import type { KubeObject } from '../../kube/port.ts';
import { equalJson, objectOf, omit, type JsonObject } from './json.ts';
import {
  fieldsOf, mergeApplied, ownershipsOf, removeFields, sameTree, shapesOf, subtract,
  type FieldTree, type Ownership,
} from './ownership.ts';

/** Who applies through which endpoint. */
export interface ApplyOptions {
  readonly manager: string;
  readonly subresource: 'status' | undefined;
  readonly apiVersion: string;
  /** RFC 3339, for the entry of this manager. */
  readonly time: string;
}

/**
 * Server-side apply, forced (A9): the live object with what `applied` names; what this manager
 * applied before, names no longer and nobody else applied is removed; other managers lose what is
 * taken over with another value. Pure; the caller judges and commits the result.
 */
export function applyTo(live: KubeObject, applied: KubeObject, options: ApplyOptions): KubeObject {
  const { manager, subresource } = options;
  const shapes = shapesOf(live);
  const wanted = owned(applied, subresource);
  const fields = fieldsOf(wanted, shapes);
  const all = ownershipsOf(live);
  const isMine = (entry: Ownership): boolean => entry.manager === manager
    && entry.subresource === subresource;
  const mine = all.find(isMine);
  const others = all.filter((entry) => !isMine(entry));
  const root = { shapes, path: '' };
  let abandoned: FieldTree = mine === undefined ? {} : subtract(mine.fields, fields);
  for (const other of others) abandoned = subtract(abandoned, other.fields);
  const merged = mergeApplied(removeFields(live, abandoned, root), wanted, root) as KubeObject;
  const entries: JsonObject[] = others.flatMap((other) => {
    const lost = takenOver(live, wanted, other.fields);
    const kept = subtract(other.fields, lost);
    if (Object.keys(kept).length === 0) return [];
    return [sameTree(kept, other.fields) ? other.entry : { ...other.entry, fieldsV1: kept }];
  });
  const unchanged = mine !== undefined && sameTree(mine.fields, fields);
  entries.push(unchanged ? mine.entry : entryOf(fields, options));
  return { ...merged, metadata: { ...merged.metadata, managedFields: entries as never } };
}

function entryOf(fields: FieldTree, options: ApplyOptions): JsonObject {
  const { manager, subresource, apiVersion, time } = options;
  return {
    manager, operation: 'Apply', apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: fields,
    ...(subresource !== undefined && { subresource }),
  };
}

const notOwned: readonly string[] = [
  'name', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields',
  'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink',
];

// What an apply through this endpoint can own at all.
function owned(applied: KubeObject, subresource: 'status' | undefined): JsonObject {
  if (subresource === 'status') return { status: applied['status'] };
  const metadata = omit(objectOf(applied.metadata) ?? {}, notOwned);
  const rest = omit(applied, ['apiVersion', 'kind', 'metadata', 'status']);
  return Object.keys(metadata).length === 0 ? rest : { metadata, ...rest };
}

// The part of `tree` whose values the applied object changes. Entries of lists are shared until
// their own fields change, so only plain fields are compared.
function takenOver(live: unknown, applied: unknown, tree: FieldTree): FieldTree {
  const lost: Record<string, FieldTree> = {};
  for (const segment of Object.keys(tree)) {
    if (!segment.startsWith('f:')) continue;
    const key = segment.slice(2);
    const before = objectOf(live)?.[key];
    const after = objectOf(applied)?.[key];
    const deeper = tree[segment] ?? {};
    if (after === undefined) continue;
    if (Object.keys(deeper).length === 0) {
      if (!equalJson(before, after)) lost[segment] = deeper;
      continue;
    }
    const below = takenOver(before, after, deeper);
    if (Object.keys(below).length > 0) lost[segment] = below;
  }
  return lost;
}
