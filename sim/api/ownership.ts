import { compareText } from '../../lb/table.ts';
import type { KubeObject } from '../../kube/port.ts';
import { equalJson, listOf, objectOf, textOf, type JsonObject } from './json.ts';
import type { ListShape, Shapes } from './shape.ts';

/**
 * The fields that one manager owns, in the shape of metav1.FieldsV1: `f:name` for a field,
 * `k:{…}` for an entry of a list-map, `v:…` for a value of a set, `.` for the entry itself.
 */
export type FieldTree = { readonly [segment: string]: FieldTree };

const leaf: FieldTree = Object.freeze({});

/** The fields that an applied value names. */
export function fieldsOf(value: unknown, shapes: Shapes, path = ''): FieldTree {
  if (Array.isArray(value)) return fieldsOfList(value, shapes, path);
  const fields = objectOf(value);
  if (fields === undefined || shapes(path).whole) return leaf;
  const tree: Record<string, FieldTree> = {};
  for (const key of Object.keys(fields)) {
    if (fields[key] === undefined) continue;
    tree[`f:${key}`] = fieldsOf(fields[key], shapes, below(path, key));
  }
  return tree;
}

function fieldsOfList(items: readonly unknown[], shapes: Shapes, path: string): FieldTree {
  const shape = shapes(path).list;
  if (shape.kind === 'atomic') return leaf;
  const tree: Record<string, FieldTree> = {};
  for (const item of items) {
    const content = shape.kind === 'map' ? fieldsOf(item, shapes, path) : leaf;
    tree[segmentOf(item, shape)] = shape.kind === 'map' ? { '.': leaf, ...content } : content;
  }
  return tree;
}

/** The path of a field below `path`. */
export function below(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** The name of a list's item in a field tree. */
export function segmentOf(item: unknown, shape: ListShape): string {
  if (shape.kind !== 'map') return `v:${JSON.stringify(item)}`;
  const fields = objectOf(item) ?? {};
  const keys: Record<string, unknown> = {};
  for (const key of [...shape.keys].sort(compareText)) {
    keys[key] = fields[key] ?? shape.defaults[key];
  }
  return `k:${JSON.stringify(keys)}`;
}

/** The live value with everything that the applied one names, lists merged by their shape. */
export function mergeApplied(
  live: unknown, applied: unknown, place: { shapes: Shapes; path: string },
): unknown {
  const { shapes, path } = place;
  if (Array.isArray(applied)) {
    const shape = shapes(path).list;
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
  if (fields === undefined || before === undefined || shapes(path).whole) return applied;
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
    const shape = shapes(path).list;
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

/** Fields of either tree. */
export function union(left: FieldTree, right: FieldTree): FieldTree {
  const both: Record<string, FieldTree> = { ...left };
  for (const segment of Object.keys(right)) {
    const [mine, theirs] = [both[segment], right[segment] ?? leaf];
    both[segment] = mine === undefined ? theirs : union(mine, theirs);
  }
  return both;
}

/** One entry of `metadata.managedFields`. */
export interface Ownership {
  readonly manager: string;
  readonly operation: string;
  readonly subresource: string | undefined;
  readonly fields: FieldTree;
  readonly entry: JsonObject;
}

/** The owners that an object records; entries without fields are left out. */
export function ownershipsOf(object: KubeObject | undefined): readonly Ownership[] {
  return listOf(object?.metadata?.['managedFields']).flatMap((value) => {
    const entry = objectOf(value) ?? {};
    const fields = objectOf(entry['fieldsV1']);
    if (fields === undefined) return [];
    const { manager, operation, subresource } = entry;
    return [{
      manager: textOf(manager) ?? '',
      operation: textOf(operation) ?? '',
      subresource: textOf(subresource),
      // What else a client may have written is looked up by segment and found nowhere.
      fields: fields as FieldTree,
      entry,
    }];
  });
}

/** Equality of two field sets. */
export function sameTree(left: FieldTree, right: FieldTree): boolean {
  return equalJson(left, right);
}
