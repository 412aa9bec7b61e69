import { listOf, objectOf, textOf, type JsonObject } from '../json.ts';

const component = '#/components/schemas/';

/**
 * The OpenAPI v2 document out of the v3 documents of all group versions, as far as kubectl before
 * 1.29 reads it: the schemas of kinds, and which query parameters a patch of a kind takes.
 */
export function swaggerOf(documents: readonly JsonObject[]): JsonObject {
  const definitions: Record<string, JsonObject> = {};
  const paths: Record<string, JsonObject> = {};
  for (const document of documents) {
    const schemas = objectOf(objectOf(document['components'])?.['schemas']) ?? {};
    for (const name of Object.keys(schemas)) definitions[name] = schemaOf(schemas[name]);
    const pages = objectOf(document['paths']) ?? {};
    for (const path of Object.keys(pages)) {
      const patch = objectOf(objectOf(pages[path])?.['patch']);
      if (patch !== undefined) paths[path] = { patch: operationOf(patch) };
    }
  }
  return { swagger: '2.0', info: { title: 'Kubernetes', version: 'v1.32' }, paths, definitions };
}

function operationOf(operation: JsonObject): JsonObject {
  return {
    operationId: operation['operationId'],
    parameters: listOf(operation['parameters']).flatMap((entry) => {
      const { name, in: place } = objectOf(entry) ?? {};
      return place === 'query' ? [{ name, in: place, type: 'string' }] : [];
    }),
    'x-kubernetes-group-version-kind': operation['x-kubernetes-group-version-kind'],
  };
}

// Version 2 has no anyOf and no siblings that say more than a reference does.
function schemaOf(value: unknown): JsonObject {
  const schema = objectOf(value) ?? {};
  const reference = textOf(schema['$ref'])
    ?? textOf(objectOf(listOf(schema['allOf'])[0])?.['$ref']);
  const description = schema['description'] !== undefined && { description: schema['description'] };
  if (reference !== undefined) {
    return { $ref: `#/definitions/${reference.slice(component.length)}`, ...description };
  }
  const properties = objectOf(schema['properties']);
  const more = objectOf(schema['additionalProperties']);
  const extensions = Object.keys(schema).filter((key) => key.startsWith('x-kubernetes-'));
  return {
    ...description,
    ...(schema['type'] !== undefined && { type: schema['type'] }),
    ...(schema['format'] !== undefined && { format: schema['format'] }),
    ...(schema['required'] !== undefined && { required: schema['required'] }),
    ...(schema['items'] !== undefined && { items: schemaOf(schema['items']) }),
    ...(more !== undefined && { additionalProperties: schemaOf(more) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.keys(properties).map((key) => [key, schemaOf(properties[key])]),
      ),
    }),
    ...Object.fromEntries(extensions.map((key) => [key, schema[key]])),
  };
}
