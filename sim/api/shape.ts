import type { KubeObject } from '../../kube/port.ts';
import { schemaOf } from '../../kube/schema/kinds.ts';
import type { Schema } from '../../kube/schema/schema.ts';
import { listMarks } from './definition/structural.ts';
import type { JsonObject } from './json.ts';
import { builtInMessages, messageOfKind, messageOfType } from './message/catalog.ts';
import type { Field, Message } from './message/grammar.ts';

/** How apply merges the list at one place (A9). */
export type ListShape =
  | { readonly kind: 'atomic' }
  | { readonly kind: 'set' }
  | {
    readonly kind: 'map'; readonly keys: readonly string[];
    /** Of keys that may be left out, such as the protocol of a port. */
    readonly defaults: Readonly<Record<string, string>>;
  };

/** How server-side apply treats the value at one place. */
export interface Shape {
  readonly list: ListShape;
  /** A map or an object that is owned as a whole. */
  readonly whole: boolean;
}

/** Tells the shape at `path`, which names fields only: `spec.ports.protocol`. */
export type Shapes = (path: string) => Shape;

const plain: Shape = { list: { kind: 'atomic' }, whole: false };

/**
 * Shapes of one kind: from the schema for ours, from the table of messages for built-in kinds, from
 * `structural` for a kind that a definition added.
 */
export function shapesOf(object: KubeObject, structural?: JsonObject): Shapes {
  const { apiVersion = '', kind = '' } = object;
  const message = messageOfKind(apiVersion, kind);
  const schema = schemaOf(apiVersion.split('/')[0] ?? '', kind);
  const known = new Map<string, Shape>();
  return (path) => {
    const seen = known.get(path);
    if (seen !== undefined) return seen;
    const names = path.split('.');
    const [root, ...rest] = names;
    const metadata = builtInMessages.get('meta.ObjectMeta');
    const shape = root !== 'metadata' && structural !== undefined ? markedShape(structural, names)
      : root === 'metadata' ? shapeInMessage(metadata, rest)
      : message !== undefined ? shapeInMessage(message, names)
      : schema === undefined ? plain
      : shapeInSchema(
        root === 'spec' ? schema.spec : root === 'status' ? schema.status : undefined, rest,
      );
    known.set(path, shape);
    return shape;
  };
}

function markedShape(schema: JsonObject, path: readonly string[]): Shape {
  const { type, keys, whole } = listMarks(schema, path);
  const list: ListShape = type === 'map' ? { kind: 'map', keys, defaults: {} }
    : { kind: type === 'set' ? 'set' : 'atomic' };
  return { list, whole };
}

function shapeInMessage(root: Message | undefined, path: readonly string[]): Shape {
  let message = root;
  let field: Field | undefined;
  for (const name of path) {
    field = message?.fields.get(name);
    if (field === undefined) return plain;
    message = messageOfType(itemType(field));
  }
  if (field === undefined) return plain;
  const { listKeys, atomic } = field;
  if (field.type.kind !== 'list' || listKeys === undefined) return { ...plain, whole: atomic };
  if (listKeys.length === 0) return { list: { kind: 'set' }, whole: false };
  const defaults: Record<string, string> = {};
  for (const key of listKeys) {
    const value = message?.fields.get(key)?.default;
    if (value !== undefined) defaults[key] = value;
  }
  return { list: { kind: 'map', keys: listKeys, defaults }, whole: false };
}

function itemType({ type }: Field): Field['type'] {
  return type.kind === 'list' ? type.of : type;
}

function shapeInSchema(schema: Schema | undefined, path: readonly string[]): Shape {
  let place = schema;
  for (const name of path) {
    if (place?.type === 'list') place = place.items;
    place = place?.type === 'object' ? place.properties[name] : undefined;
  }
  if (place?.type !== 'list') return plain;
  const { listType, keys } = place;
  return {
    list: listType === 'map' ? { kind: 'map', keys, defaults: {} } : { kind: listType },
    whole: false,
  };
}
