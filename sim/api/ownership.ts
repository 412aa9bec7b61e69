import { compareText } from '../../lb/table.ts';
import type { KubeObject } from '../../kube/port.ts';
import { schemaOf } from '../../kube/schema/kinds.ts';
import type { Schema } from '../../kube/schema/schema.ts';
import { equalJson, listOf, objectOf, type JsonObject } from './json.ts';

/**
 * The fields that one manager owns, in the shape of metav1.FieldsV1: `f:name` for a field,
 * `k:{…}` for an entry of a list-map, `v:…` for a value of a set, `.` for the entry itself.
 */
export type FieldTree = { readonly [segment: string]: FieldTree };

/** How apply merges the list at one place (A9). */
export type ListShape =
  | { readonly kind: 'atomic' }
  | { readonly kind: 'set' }
  | { readonly kind: 'map'; readonly keys: readonly string[] };

/** Tells the shape of the list at `path`, which names fields only: `spec.ports`. */
export type Shapes = (path: string) => ListShape;

const atomic: ListShape = { kind: 'atomic' };
const leaf: FieldTree = Object.freeze({});

const builtInKeys: Readonly<Record<string, readonly string[]>> = {
  'Service spec.ports': ['port', 'protocol'],
  'Service status.conditions': ['type'],
  'Node status.conditions': ['type'],
  'Node status.addresses': ['type'],
  'Pod spec.containers': ['name'],
  'Pod status.conditions': ['type'],
  'Deployment spec.template.spec.containers': ['name'],
  'ReplicaSet spec.template.spec.containers': ['name'],
  'DaemonSet spec.template.spec.containers': ['name'],
  'StatefulSet spec.template.spec.containers': ['name'],
};

/** List shapes of one kind: from the schema for ours, from a table for built-in kinds. */
export function shapesOf(object: KubeObject): Shapes {
  const kind = object.kind ?? '';
  const schema = schemaOf((object.apiVersion ?? '').split('/')[0] ?? '', kind);
  return (path) => {
    if (path === 'metadata.finalizers') return { kind: 'set' };
    if (path === 'metadata.ownerReferences') return { kind: 'map', keys: ['uid'] };
    if (schema === undefined) {
      const keys = builtInKeys[`${kind} ${path}`];
      return keys === undefined ? atomic : { kind: 'map', keys };
    }
    const [root, ...rest] = path.split('.');
    return shapeAt(
      root === 'spec' ? schema.spec : root === 'status' ? schema.status : undefined, rest,
    );
  };
}

function shapeAt(schema: Schema | undefined, path: readonly string[]): ListShape {
  let place = schema;
  for (const name of path) {
    if (place?.type === 'list') place = place.items;
    place = place?.type === 'object' ? place.properties[name] : undefined;
  }
  if (place?.type !== 'list') return atomic;
  return place.listType === 'map' ? { kind: 'map', keys: place.keys } : { kind: place.listType };
}

/** The fields that an applied value names. */
export function fieldsOf(value: unknown, shapes: Shapes, path = ''): FieldTree {
  if (Array.isArray(value)) return fieldsOfList(value, shapes, path);
  const fields = objectOf(value);
  if (fields === undefined) return leaf;
  const tree: Record<string, FieldTree> = {};
  for (const key of Object.keys(fields)) {
    if (fields[key] === undefined) continue;
    tree[`f:${key}`] = fieldsOf(fields[key], shapes, below(path, key));
  }
  return tree;
}

function fieldsOfList(items: readonly unknown[], shapes: Shapes, path: string): FieldTree {
  const shape = shapes(path);
  if (shape.kind === 'atomic') return leaf;
  const tree: Record<string, FieldTree> = {};
  for (const item of items) {
    const content = shape.kind === 'map' ? fieldsOf(item, shapes, path) : leaf;
    tree[segmentOf(item, shape)] = shape.kind === 'map' ? { '.': leaf, ...content } : content;
  }
  return tree;
}

function below(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function segmentOf(item: unknown, shape: ListShape): string {
  if (shape.kind !== 'map') return `v:${JSON.stringify(item)}`;
  const fields = objectOf(item) ?? {};
  const keys: Record<string, unknown> = {};
  for (const key of [...shape.keys].sort(compareText)) {
    keys[key] = fields[key] ?? (key === 'protocol' ? 'TCP' : undefined);
  }
  return `k:${JSON.stringify(keys)}`;
}

/** The live value with everything that the applied one names, lists merged by their shape. */
export function mergeApplied(
  live: unknown, applied: unknown, place: { shapes: Shapes; path: string },
): unknown {
  const { shapes, path } = place;
  if (Array.isArray(applied)) {
    const shape = shapes(path);
    if (shape.kind === 'atomic') return applied;
    const merged = [...listOf(live)];
    for (const item of applied) {
      const segment = segmentOf(item, shape);
      const index = merged.findIndex((candidate) => segmentOf(candidate, shape) === segment);
      if (index < 0) merged.push(item);
      else merged[index] = mergeApplied(merged[index], item, place);
    }
    return merged;
  }
  const fields = objectOf(applied);
  const before = objectOf(live);
  if (fields === undefined || before === undefined) return applied;
  const merged: Record<string, unknown> = { ...before };
  for (const key of Object.keys(fields)) {
    if (fields[key] === undefined) continue;
    merged[key] = mergeApplied(before[key], fields[key], { shapes, path: below(path, key) });
  }
  return merged;
}

/** The value without the fields of `tree`; what becomes empty by that goes too. */
export function removeFields(
  value: unknown, tree: FieldTree, place: { shapes: Shapes; path: string },
): unknown {
  const { shapes, path } = place;
  if (Array.isArray(value)) {
    const shape = shapes(path);
    return value.flatMap((item) => {
      const owned = tree[segmentOf(item, shape)];
      if (owned === undefined) return [item];
      if (owned['.'] !== undefined || shape.kind !== 'map') return [];
      return [removeFields(item, owned, place)];
    });
  }
  const fields = objectOf(value);
  if (fields === undefined) return value;
  const kept: Record<string, unknown> = {};
  for (const key of Object.keys(fields)) {
    const owned = tree[`f:${key}`];
    if (owned === undefined) kept[key] = fields[key];
    else if (Object.keys(owned).length > 0) {
      const rest = removeFields(fields[key], owned, { shapes, path: below(path, key) });
      if (!isHollow(rest)) kept[key] = rest;
    }
  }
  return kept;
}

function isHollow(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  const fields = objectOf(value);
  return fields !== undefined && Object.keys(fields).length === 0;
}

/** Fields of `tree` that `other` does not own. */
export function subtract(tree: FieldTree, other: FieldTree): FieldTree {
  const rest: Record<string, FieldTree> = {};
  for (const segment of Object.keys(tree)) {
    const mine = tree[segment] ?? leaf;
    const theirs = other[segment];
    if (theirs === undefined) rest[segment] = mine;
    else if (Object.keys(mine).length > 0) {
      const deeper = subtract(mine, theirs);
      if (Object.keys(deeper).length > 0) rest[segment] = deeper;
    }
  }
  return rest;
}

/** One entry of `metadata.managedFields` for server-side apply. */
export interface Ownership {
  readonly manager: string;
  readonly subresource: string | undefined;
  readonly fields: FieldTree;
  readonly entry: JsonObject;
}

/** The owners by apply that an object records; entries of other operations are left out. */
export function ownershipsOf(object: KubeObject | undefined): readonly Ownership[] {
  return listOf(object?.metadata?.['managedFields']).flatMap((value) => {
    const entry = objectOf(value) ?? {};
    const fields = objectOf(entry['fieldsV1']);
    if (entry['operation'] !== 'Apply' || fields === undefined) return [];
    const subresource = entry['subresource'];
    return [{
      manager: String(entry['manager']),
      subresource: typeof subresource === 'string' ? subresource : undefined,
      // Only this module writes such entries.
      fields: fields as FieldTree,
      entry,
    }];
  });
}

/** Equality of two field sets. */
export function sameTree(left: FieldTree, right: FieldTree): boolean {
  return equalJson(left, right);
}
