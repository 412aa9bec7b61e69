import type { KubeObject } from '../port.ts';
import type {
  CelRule, KindSchema, ListSchema, ObjectSchema, Rule, Schema, SchemaVersion, TextSchema,
} from './schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** The CustomResourceDefinition of a kind (apiextensions.k8s.io/v1), for Kubernetes 1.29. */
export function definitionOf(schema: KindSchema): KubeObject {
  const { group, kind, plural, shortNames, categories, versions } = schema;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      labels: { 'app.kubernetes.io/name': 'fairlead', 'app.kubernetes.io/managed-by': 'fairlead' },
    },
    spec: {
      group,
      names: {
        kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames, categories,
      },
      scope: 'Cluster',
      versions: versions.map((version) => versionOf(schema, version)),
    },
  };
}

function versionOf(schema: KindSchema, version: SchemaVersion): Json {
  const { group, kind, versions, columns, statusSubresource } = schema;
  const current = versions.find(({ stored }) => stored)?.name;
  const warning = `${group}/${version.name} ${kind} is deprecated; use ${group}/${current}`;
  return {
    name: version.name,
    served: version.served,
    storage: version.stored,
    ...(version.deprecated && { deprecated: true, deprecationWarning: warning }),
    schema: { openAPIV3Schema: rootOf(schema) },
    ...(statusSubresource && { subresources: { status: {} } }),
    additionalPrinterColumns: columns.map(({ name, type, jsonPath }) => ({ name, type, jsonPath })),
  };
}

/** The OpenAPI schema of a whole object: apiVersion, kind, metadata, spec and status. */
function rootOf({ spec, status, specRequired }: KindSchema): Json {
  return {
    type: 'object',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: openApiOf(spec),
      ...(status !== undefined && { status: openApiOf(status) }),
    },
    ...(specRequired && { required: ['spec'] }),
  };
}

function openApiOf(schema: Schema): Json {
  const rules = schema.rules ?? [];
  const cel = rules.filter(isCel).map((rule) => ({ rule: rule.cel, message: rule.message }));
  const keywords = rules.flatMap((rule) => (isCel(rule) ? [] : [rule.keywords]));
  return {
    ...ownKeywords(schema),
    ...(schema.default !== undefined && { default: schema.default }),
    ...(schema.deprecated === true && { description: 'Deprecated.' }),
    ...(keywords.length > 0 && { allOf: keywords }),
    ...(cel.length > 0 && { 'x-kubernetes-validations': cel }),
  };
}

function isCel(rule: Rule): rule is CelRule {
  return 'cel' in rule;
}

function ownKeywords(schema: Schema): Json {
  switch (schema.type) {
    case 'object': return objectKeywords(schema);
    case 'map': return { type: 'object', additionalProperties: openApiOf(schema.values) };
    case 'list': return listKeywords(schema);
    case 'text': return textKeywords(schema);
    case 'integer': {
      const { format, min, max } = schema;
      return {
        type: 'integer', format,
        ...(min !== undefined && { minimum: min }), ...(max !== undefined && { maximum: max }),
      };
    }
    case 'boolean': return { type: 'boolean' };
  }
}

function objectKeywords({ properties, required }: ObjectSchema): Json {
  const entries = Object.entries(properties);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, schema]) => [name, openApiOf(schema)])),
    ...(required.length > 0 && { required }),
  };
}

function listKeywords({ items, itemsMin, itemsMax, listType, keys }: ListSchema): Json {
  return {
    type: 'array',
    items: openApiOf(items),
    ...(itemsMin !== undefined && { minItems: itemsMin }),
    ...(itemsMax !== undefined && { maxItems: itemsMax }),
    'x-kubernetes-list-type': listType,
    ...(listType === 'map' && { 'x-kubernetes-list-map-keys': keys }),
  };
}

function textKeywords({ options, pattern, lengthMin, lengthMax, format }: TextSchema): Json {
  return {
    type: 'string',
    ...(options !== undefined && { enum: options }),
    ...(pattern !== undefined && { pattern }),
    ...(lengthMin !== undefined && { minLength: lengthMin }),
    ...(lengthMax !== undefined && { maxLength: lengthMax }),
    ...(format !== undefined && { format }),
  };
}
