import { apiVersion } from '../../../kube/resource.ts';
import type { JsonObject } from '../json.ts';
import { builtInMessages, messageOfKind } from '../message/catalog.ts';
import type { Message } from '../message/grammar.ts';
import { Components, schemaName, schemaRef } from './component.ts';
import { rootDescriptions } from './description.ts';
import { groupVersionPath, type DocumentedKind, type OpenApiKind } from './kind.ts';
import { collectionPath, itemPath } from './path.ts';

/**
 * The OpenAPI v3 document of one group version (simulator.md 6.4, 2): paths whose operations carry
 * their kind and the parameters of writes, and the schemas of its kinds with all that they refer
 * to. `kinds` are those of that group version, in order of plural.
 */
export function openApiDocument(kinds: readonly OpenApiKind[]): JsonObject {
  const components = new Components();
  const paths: Record<string, JsonObject> = {};
  for (const kind of kinds) {
    const documented: DocumentedKind = { ...kind, schemaName: addKind(components, kind) };
    const base = `/${groupVersionPath(kind)}`;
    const { namespaced, plural } = kind.resource;
    const collection = `${base}${namespaced ? '/namespaces/{namespace}' : ''}/${plural}`;
    if (namespaced) paths[`${base}/${plural}`] = collectionPath(documented, false);
    paths[collection] = collectionPath(documented, true);
    paths[`${collection}/{name}`] = itemPath(documented);
    if (kind.status) paths[`${collection}/{name}/status`] = itemPath(documented, 'status');
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.32' },
    paths,
    components: { schemas: components.all() },
  };
}

function addKind(components: Components, kind: OpenApiKind): string {
  const { resource, version, schema } = kind;
  const gvk = { group: resource.group, version, kind: resource.kind };
  const message = messageOfKind(apiVersion({ ...resource, version }), resource.kind);
  const name = message === undefined ? customName(kind) : schemaName(message);
  const extra: JsonObject = {
    'x-kubernetes-group-version-kind': [gvk],
    properties: rootProperties,
  };
  if (message !== undefined) components.message(message, extra);
  else components.add(name, customSchema(components, schema ?? { type: 'object' }, gvk));
  const listMeta = builtInMessages.get('meta.ListMeta');
  components.add(`${name}List`, {
    description: `${resource.kind}List is a list of ${resource.kind}.`,
    type: 'object',
    required: ['items'],
    properties: {
      ...rootProperties,
      items: { type: 'array', items: schemaRef(name) },
      ...(listMeta !== undefined && { metadata: { allOf: [components.message(listMeta)] } }),
    },
    'x-kubernetes-group-version-kind': [{ ...gvk, kind: `${resource.kind}List` }],
  });
  return name;
}

const rootProperties: JsonObject = {
  apiVersion: { description: rootDescriptions.apiVersion, type: 'string' },
  kind: { description: rootDescriptions.kind, type: 'string' },
};

/** `io.cilium.v2.CiliumLoadBalancerIPPool`: the group backwards, version and kind. */
function customName({ resource, version }: OpenApiKind): string {
  const group = resource.group.split('.').reverse().join('.');
  return `${group}.${version}.${resource.kind}`;
}

function customSchema(components: Components, schema: JsonObject, gvk: JsonObject): JsonObject {
  const objectMeta: Message | undefined = builtInMessages.get('meta.ObjectMeta');
  const metadata = {
    description: rootDescriptions.metadata,
    ...(objectMeta !== undefined && { allOf: [components.message(objectMeta)] }),
  };
  const properties = { ...schema['properties'] as JsonObject | undefined };
  return {
    ...schema,
    properties: { ...properties, ...rootProperties, metadata },
    'x-kubernetes-group-version-kind': [gvk],
  };
}
