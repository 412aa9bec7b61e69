import { listOf, objectOf, textOf, type JsonObject } from '../json.ts';
import { utf8Of } from '../../../lb/utf8.ts';

/** What the answer calls it: a media type may not have the sign that kubectl asks with. */
export const gnosticAnswerType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** The media type in which kubectl asks for the v2 document. */
export const gnosticType = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

type Bytes = readonly number[];

/**
 * An OpenAPI v2 document in protobuf, by the messages `openapi.v2` of google/gnostic. Only what
 * `swaggerOf` makes is written; field numbers are named by their messages below.
 */
export function gnosticOf(document: JsonObject): Uint8Array {
  const { title, version } = objectOf(document['info']) ?? {};
  const paths = entriesOf(document['paths']).flatMap(([path, item]) =>
    // Paths.path, NamedPathItem.name and value, PathItem.patch.
    field(2, [...text(1, path), ...field(2, field(8, operation(objectOf(item['patch']) ?? {})))]));
  return Uint8Array.from([
    // Document.swagger, info, paths, definitions.
    ...text(1, '2.0'),
    ...field(2, [...text(1, title), ...text(2, version)]),
    ...field(8, paths),
    ...field(9, namedSchemas(document['definitions'])),
  ]);
}

// Operation.operation_id, parameters, vendor_extension.
function operation(value: JsonObject): Bytes {
  const parameters = listOf(value['parameters']).flatMap((entry) => {
    const { name, in: place, type } = objectOf(entry) ?? {};
    // QueryParameterSubSchema.in, name, type; inside NonBodyParameter, Parameter, ParametersItem.
    const query = [...text(2, place), ...text(4, name), ...text(6, type)];
    return field(8, field(1, field(2, field(3, query))));
  });
  return [...text(5, value['operationId']), ...parameters, ...extensions(13, value)];
}

// Definitions and Properties alike: NamedSchema.name and value.
function namedSchemas(schemas: unknown): Bytes {
  return entriesOf(schemas).flatMap(([name, schema]) =>
    field(1, [...text(1, name), ...field(2, schemaBytes(schema))]));
}

// Schema: $ref, format, description, required, additionalProperties, type, items, properties.
function schemaBytes(schema: JsonObject): Bytes {
  const more = objectOf(schema['additionalProperties']);
  const items = objectOf(schema['items']);
  const { properties, type } = schema;
  return [
    ...text(1, schema['$ref']),
    ...text(2, schema['format']),
    ...text(4, schema['description']),
    ...listOf(schema['required']).flatMap((name) => text(19, name)),
    ...(more === undefined ? [] : field(21, field(1, schemaBytes(more)))),
    ...(type === undefined ? [] : field(22, text(1, type))),
    ...(items === undefined ? [] : field(23, field(1, schemaBytes(items)))),
    ...(properties === undefined ? [] : field(25, namedSchemas(properties))),
    ...extensions(31, schema),
  ];
}

// NamedAny.name and value, Any.yaml: JSON is YAML.
function extensions(number: number, value: JsonObject): Bytes {
  return Object.keys(value).filter((key) => key.startsWith('x-')).flatMap((key) =>
    field(number, [...text(1, key), ...field(2, text(2, JSON.stringify(value[key])))]));
}

function entriesOf(value: unknown): [string, JsonObject][] {
  const fields = objectOf(value) ?? {};
  return Object.keys(fields).map((key) => [key, objectOf(fields[key]) ?? {}]);
}

function text(number: number, value: unknown): Bytes {
  const written = textOf(value);
  return written === undefined ? [] : field(number, utf8Of(written));
}

function field(number: number, inside: Bytes): Bytes {
  return [...varint((number << 3) | 2), ...varint(inside.length), ...inside];
}

function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}
