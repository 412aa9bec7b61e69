import type { JsonObject } from '../json.ts';
import { schemaRef } from './component.ts';
import type { DocumentedKind } from './kind.ts';

/** What an operation does, in the words of `x-kubernetes-action`. */
type Action = 'get' | 'list' | 'post' | 'put' | 'patch' | 'delete' | 'deletecollection';

interface Operation {
  readonly kind: DocumentedKind;
  readonly action: Action;
  /** `read core v1 namespaced Pod`, in camel case. */
  readonly id: string;
}

/** Operations of a collection; `complete` where objects are created and deleted in it. */
export function collectionPath(kind: DocumentedKind, complete: boolean): JsonObject {
  const id = idOf(kind, complete ? '' : 'ForAllNamespaces');
  return {
    get: operation({ kind, action: 'list', id: `list${id}` }),
    ...(complete && {
      post: operation({ kind, action: 'post', id: `create${id}` }),
      delete: operation({ kind, action: 'deletecollection', id: `deleteCollection${id}` }),
    }),
    parameters: complete && kind.resource.namespaced ? [inPath('namespace')] : [],
  };
}

/** Operations of one object, or of its status. */
export function itemPath(kind: DocumentedKind, subresource?: 'status'): JsonObject {
  const id = idOf(kind, subresource === undefined ? '' : 'Status');
  return {
    get: operation({ kind, action: 'get', id: `read${id}` }),
    put: operation({ kind, action: 'put', id: `replace${id}` }),
    patch: operation({ kind, action: 'patch', id: `patch${id}` }),
    ...(subresource === undefined && {
      delete: operation({ kind, action: 'delete', id: `delete${id}` }),
    }),
    parameters: [inPath('name'), ...(kind.resource.namespaced ? [inPath('namespace')] : [])],
  };
}

function idOf({ resource, version }: DocumentedKind, end: string): string {
  const [first = 'core'] = resource.group === '' ? ['core'] : resource.group.split('.');
  const words = [first, version, resource.namespaced ? 'namespaced' : '', resource.kind];
  const id = words.map((word) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`).join('');
  return `${id}${end}`;
}

function operation({ kind, action, id }: Operation): JsonObject {
  const { group } = kind.resource;
  const body = bodyOf(kind, action);
  const shown = action === 'list' || action === 'deletecollection'
    ? `${kind.schemaName}List`
    : kind.schemaName;
  return {
    operationId: id,
    tags: [group === '' ? `core_${kind.version}` : `${group.split('.')[0] ?? ''}_${kind.version}`],
    parameters: writeParameters[action].map(inQuery),
    ...(body !== undefined && { requestBody: body }),
    responses: {
      200: { description: 'OK', content: { 'application/json': { schema: schemaRef(shown) } } },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': {
      group, version: kind.version, kind: kind.resource.kind,
    },
  };
}

function bodyOf(kind: DocumentedKind, action: Action): JsonObject | undefined {
  const schema = schemaRef(kind.schemaName);
  switch (action) {
    case 'post': case 'put':
      return { required: true, content: { 'application/json': { schema } } };
    case 'patch': {
      const custom = kind.schema !== undefined;
      const types = [
        'json-patch+json', 'merge-patch+json', 'apply-patch+yaml',
        ...(custom ? [] : ['strategic-merge-patch+json']),
      ];
      const content = types.map((type) => [`application/${type}`, { schema: { type: 'object' } }]);
      return { required: true, content: Object.fromEntries(content) as JsonObject };
    }
    default: return undefined;
  }
}

const writes: readonly string[] = ['dryRun', 'fieldManager', 'fieldValidation'];
const lists: readonly string[] = [
  'allowWatchBookmarks', 'continue', 'fieldSelector', 'labelSelector', 'limit', 'resourceVersion',
  'resourceVersionMatch', 'sendInitialEvents', 'timeoutSeconds', 'watch',
];
const deletions: readonly string[] = ['dryRun', 'gracePeriodSeconds', 'propagationPolicy'];

const writeParameters: Readonly<Record<Action, readonly string[]>> = {
  get: [], list: lists, post: writes, put: writes, patch: [...writes, 'force'],
  delete: deletions, deletecollection: [...lists, ...deletions],
};

const wholeNumbers: readonly string[] = ['gracePeriodSeconds', 'limit', 'timeoutSeconds'];
const truths: readonly string[] = ['allowWatchBookmarks', 'force', 'sendInitialEvents', 'watch'];

function inQuery(name: string): JsonObject {
  const type = wholeNumbers.includes(name) ? 'integer'
    : truths.includes(name) ? 'boolean' : 'string';
  return { name, in: 'query', schema: { type, uniqueItems: true } };
}

function inPath(name: string): JsonObject {
  return { name, in: 'path', required: true, schema: { type: 'string', uniqueItems: true } };
}
