import type { KubeObject } from '../../kube/port.ts';
import { entryOf, owned, remaining } from './apply.ts';
import { equalJson, listOf, objectOf, type JsonObject } from './json.ts';
import {
  below, fieldsOf, ownershipsOf, sameTree, segmentOf, subtract, union, type FieldTree,
} from './ownership.ts';
import { shapesOf, type Shapes } from './shape.ts';

/** Who writes, for `managedFields`. */
export interface FieldWriter {
  readonly manager: string;
  readonly subresource: 'status' | undefined;
  readonly apiVersion: string;
  /** Schema of a kind that a definition added. */
  readonly structural: JsonObject | undefined;
  /** RFC 3339. */
  readonly time: string;
}

/**
 * The object with the owners of its fields after a write that was no apply (A9): the writer owns
 * what it changed, others lose that, and nobody owns what is gone.
 */
export function withUpdateOwner(
  before: KubeObject | undefined, after: KubeObject, who: FieldWriter,
): KubeObject {
  const shapes = shapesOf(after, who.structural);
  const { manager, subresource } = who;
  const [old, now] = [owned(before ?? {}, subresource), owned(after, subresource)];
  const changed = changedFields(old, now, { shapes, path: '' });
  const gone = subtract(fieldsOf(old, shapes), fieldsOf(now, shapes));
  const owners = ownershipsOf(after);
  const mine = owners.find((owner) => owner.operation === 'Update'
    && owner.manager === manager && owner.subresource === subresource);
  const others = owners.filter((owner) => owner !== mine);
  const fields = subtract(union(mine?.fields ?? {}, changed), gone);
  const entries: JsonObject[] = others.flatMap((owner) => remaining(owner, union(changed, gone)));
  if (mine !== undefined && sameTree(fields, mine.fields)) entries.push(mine.entry);
  else if (Object.keys(fields).length > 0) {
    entries.push(entryOf(fields, { ...who, operation: 'Update' }));
  }
  const { managedFields: _, ...metadata } = after.metadata ?? {};
  if (entries.length === 0) return { ...after, metadata };
  return { ...after, metadata: { ...metadata, managedFields: entries as never } };
}

// Fields whose values differ from before, those that are new included.
function changedFields(
  before: unknown, after: unknown, place: { readonly shapes: Shapes; readonly path: string },
): FieldTree {
  const { shapes, path } = place;
  const tree: Record<string, FieldTree> = {};
  const fields = objectOf(after);
  const known = objectOf(before);
  if (fields !== undefined && !shapes(path).whole) {
    for (const key of Object.keys(fields)) {
      const [old, now] = [known?.[key], fields[key]];
      if (now === undefined || equalJson(old, now)) continue;
      const deeper = { shapes, path: below(path, key) };
      tree[`f:${key}`] = divides(now, deeper)
        ? changedFields(old, now, deeper)
        : {};
    }
    return tree;
  }
  const { list } = shapes(path);
  for (const item of listOf(after)) {
    const segment = segmentOf(item, list);
    const old = listOf(before).find((candidate) => segmentOf(candidate, list) === segment);
    if (equalJson(old, item)) continue;
    const content = list.kind === 'map' ? changedFields(old, item, place) : {};
    tree[segment] = old === undefined && list.kind === 'map' ? { '.': {}, ...content } : content;
  }
  return tree;
}

// True where parts of the value have owners of their own.
function divides(
  value: unknown, { shapes, path }: { readonly shapes: Shapes; readonly path: string },
): boolean {
  if (Array.isArray(value)) return shapes(path).list.kind !== 'atomic';
  const fields = objectOf(value);
  return fields !== undefined && !shapes(path).whole && Object.keys(fields).length > 0;
}
