import { assert } from '../../../lb/result.ts';

/** The value types of the wire that are not messages of their own. */
const scalarTypes = [
  'string', 'int32', 'int64', 'bool', 'double', 'bytes', 'Time', 'MicroTime', 'IntOrString',
  'Quantity', 'Any',
] as const;

/** `Time` and what follows it are messages on the wire and scalars in JSON; `Any` is raw JSON. */
export type Scalar = typeof scalarTypes[number];

/** The type of one field. */
export type FieldType =
  | { readonly kind: 'scalar'; readonly scalar: Scalar }
  /** `name` is qualified: `core.ServicePort`. */
  | { readonly kind: 'message'; readonly name: string }
  | { readonly kind: 'list'; readonly of: FieldType }
  /** Keys are texts. */
  | { readonly kind: 'map'; readonly of: FieldType };

/** One field of a built-in message, with all that the API server decides by. */
export interface Field {
  readonly name: string;
  /** On the wire. */
  readonly number: number;
  readonly type: FieldType;
  /** Present and zero differs from absent. */
  readonly pointer: boolean;
  readonly required: boolean;
  /** Its fields stand in the message around it in JSON, not on the wire. */
  readonly inline: boolean;
  /** Strategic merge patch merges this list: by that field, or by value where it is empty. */
  readonly mergeKey: string | undefined;
  /** A strategic merge patch may name the fields to retain. */
  readonly retainKeys: boolean;
  /** Server-side apply merges this list: by these fields, or by value where there are none. */
  readonly listKeys: readonly string[] | undefined;
  /** Server-side apply owns this map or message as a whole. */
  readonly atomic: boolean;
  readonly default: string | undefined;
}

/** One built-in message. */
export interface Message {
  /** Qualified: `core.ServiceSpec`. */
  readonly name: string;
  readonly package: string;
  /** As they stand on the wire. */
  readonly wire: ReadonlyMap<number, Field>;
  /** As they stand in JSON: fields of inline messages in their place. */
  readonly fields: ReadonlyMap<string, Field>;
}

/**
 * Reads message declarations. `package P` opens a package; a line without indent names a message;
 * below it stand its fields, each `name number type marks…`, parted by semicolons. Types: `[]T`
 * list, `{}T` map, `*T` where zero differs from absent. Marks: `!` required, `inline`, `@key` merge
 * key of strategic merge, `retain`, `#key,key` list map keys of server-side apply (`#` alone: a
 * set), `^` atomic, `=text` default. An assertion fails on anything else.
 */
export function parseMessages(texts: readonly string[]): ReadonlyMap<string, Message> {
  const declared = new Map<string, Declaration>();
  for (const text of texts) declare(text, declared);
  const messages = new Map<string, Message>();
  for (const declaration of declared.values()) {
    const { name, fields } = declaration;
    const wire = new Map(fields.map((field) => [field.number, field]));
    const flat = new Map<string, Field>();
    for (const field of flatten(fields, declared)) flat.set(field.name, field);
    messages.set(name, { name, package: declaration.package, wire, fields: flat });
  }
  return messages;
}

interface Declaration {
  readonly name: string;
  readonly package: string;
  readonly fields: Field[];
}

function declare(text: string, declared: Map<string, Declaration>): void {
  let inPackage = '';
  let body = '';
  let current: Declaration | undefined;
  const close = (): void => {
    const parts = body.split(';').map((part) => part.trim()).filter((part) => part !== '');
    for (const part of parts) current?.fields.push(fieldOf(part, inPackage));
    body = '';
  };
  for (const line of text.split('\n')) {
    if (line.startsWith(' ')) body += `${line} `;
    else if (line !== '') {
      close();
      if (line.startsWith('package ')) {
        inPackage = line.slice('package '.length);
        current = undefined;
        continue;
      }
      current = { name: `${inPackage}.${line}`, package: inPackage, fields: [] };
      declared.set(current.name, current);
    }
  }
  close();
}

function fieldOf(text: string, inPackage: string): Field {
  const [name = '', number = '', type = '', ...marks] = text.split(/\s+/u);
  assert(/^[1-9][0-9]*$/u.test(number), `'${text}' has a field number`);
  const marked = (sign: string): string | undefined => (
    marks.find((mark) => mark.startsWith(sign))?.slice(sign.length)
  );
  const keys = marked('#');
  return {
    name, number: Number(number), type: typeOf(type.replace('*', ''), inPackage),
    pointer: type.startsWith('*'), required: marks.includes('!'), inline: marks.includes('inline'),
    mergeKey: marked('@'), retainKeys: marks.includes('retain'),
    listKeys: keys === undefined ? undefined : keys.split(',').filter((key) => key !== ''),
    atomic: marks.includes('^'), default: marked('='),
  };
}

function typeOf(text: string, inPackage: string): FieldType {
  if (text.startsWith('[]')) return { kind: 'list', of: typeOf(text.slice(2), inPackage) };
  if (text.startsWith('{}')) return { kind: 'map', of: typeOf(text.slice(2), inPackage) };
  const scalar = scalarTypes.find((known) => known === text);
  if (scalar !== undefined) return { kind: 'scalar', scalar };
  return { kind: 'message', name: text.includes('.') ? text : `${inPackage}.${text}` };
}

function flatten(
  fields: readonly Field[], declared: ReadonlyMap<string, Declaration>,
): readonly Field[] {
  return fields.flatMap((field) => {
    if (!field.inline || field.type.kind !== 'message') return [field];
    const below = declared.get(field.type.name);
    assert(below !== undefined, `${field.type.name} is declared`);
    return flatten(below.fields, declared);
  });
}
