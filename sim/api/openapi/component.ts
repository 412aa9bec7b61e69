import type { JsonObject } from '../json.ts';
import { builtInMessages } from '../message/catalog.ts';
import type { Field, FieldType, Message, Scalar } from '../message/grammar.ts';
import { descriptionOf } from './description.ts';

/** Where Kubernetes keeps each package, as the names of its schemas spell it. */
const packagePaths: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta.v1',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
};

const reference = '#/components/schemas/';

/** The schema name of a message: `io.k8s.api.core.v1.Service` of `core.Service`. */
export function schemaName(message: Message): string {
  const path = packagePaths[message.package] ?? `io.k8s.api.${message.package}.v1`;
  return `${path}.${message.name.slice(message.package.length + 1)}`;
}

/** A reference to a schema of the same document. */
export function schemaRef(name: string): JsonObject {
  return { $ref: `${reference}${name}` };
}

/** Schemas by name, together with everything that they refer to. */
export class Components {
  readonly #schemas = new Map<string, JsonObject>();

  /** In order of name. */
  all(): JsonObject {
    const entries = [...this.#schemas].sort(([left], [right]) => (left < right ? -1 : 1));
    return Object.fromEntries(entries);
  }

  has(name: string): boolean {
    return this.#schemas.has(name);
  }

  add(name: string, schema: JsonObject): void {
    this.#schemas.set(name, schema);
  }

  /**
   * Adds a message and what it refers to, and returns its reference; `extra` stands beside its
   * properties.
   */
  message(message: Message, extra: JsonObject = {}): JsonObject {
    const name = schemaName(message);
    if (this.#schemas.has(name)) return schemaRef(name);
    // Claimed before its fields are followed: a message may contain itself.
    this.#schemas.set(name, {});
    const fields = [...message.fields.values()];
    const { properties = {}, ...more } = extra;
    const required = fields.filter((field) => field.required).map((field) => field.name);
    this.#schemas.set(name, {
      description: descriptionOf(message.name),
      type: 'object',
      properties: {
        ...properties as JsonObject,
        ...Object.fromEntries(fields.map((field) => [field.name, this.#field(message, field)])),
      },
      ...(required.length > 0 && { required }),
      ...more,
    });
    return schemaRef(name);
  }

  #field(message: Message, field: Field): JsonObject {
    const { mergeKey, retainKeys, listKeys } = field;
    const strategy = [...(mergeKey === undefined ? [] : ['merge']), ...(retainKeys ? [
      'retainKeys',
    ] : [])];
    const type = this.#type(field.type);
    const byKey = mergeKey !== undefined && mergeKey !== '';
    // Beside `$ref` nothing else counts, so it stands in `allOf`.
    return {
      description: descriptionOf(`${message.name}.${field.name}`),
      ...(type['$ref'] === undefined ? type : { allOf: [type] }),
      ...(field.default !== undefined && { default: field.default }),
      ...(byKey && { 'x-kubernetes-patch-merge-key': mergeKey }),
      ...(strategy.length > 0 && { 'x-kubernetes-patch-strategy': strategy.join(',') }),
      ...(field.type.kind === 'list' && listType(listKeys)),
      ...(field.atomic && { 'x-kubernetes-map-type': 'atomic' }),
    };
  }

  #type(type: FieldType): JsonObject {
    switch (type.kind) {
      case 'list': return { type: 'array', items: this.#type(type.of) };
      case 'map': return { type: 'object', additionalProperties: this.#type(type.of) };
      case 'scalar': return this.#scalar(type.scalar);
      case 'message': {
        const message = builtInMessages.get(type.name);
        return message === undefined ? { type: 'object' } : this.message(message);
      }
    }
  }

  #scalar(scalar: Scalar): JsonObject {
    const plain = plainScalars[scalar];
    if (plain !== undefined) return plain;
    const [name, schema] = namedScalars[scalar] ?? ['', {}];
    this.#schemas.set(name, schema);
    return schemaRef(name);
  }
}

function listType(keys: readonly string[] | undefined): JsonObject {
  if (keys === undefined) return { 'x-kubernetes-list-type': 'atomic' };
  if (keys.length === 0) return { 'x-kubernetes-list-type': 'set' };
  return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys };
}

const plainScalars: Readonly<Partial<Record<Scalar, JsonObject>>> = {
  string: { type: 'string' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  bool: { type: 'boolean' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  Any: { type: 'object' },
};

const machinery = 'io.k8s.apimachinery.pkg';
const namedScalars: Readonly<Partial<Record<Scalar, readonly [string, JsonObject]>>> = {
  Time: [`${machinery}.apis.meta.v1.Time`, { type: 'string', format: 'date-time' }],
  MicroTime: [`${machinery}.apis.meta.v1.MicroTime`, { type: 'string', format: 'date-time' }],
  IntOrString: [
    `${machinery}.util.intstr.IntOrString`,
    { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' },
  ],
  Quantity: [
    `${machinery}.api.resource.Quantity`, { oneOf: [{ type: 'string' }, { type: 'number' }] },
  ],
};
