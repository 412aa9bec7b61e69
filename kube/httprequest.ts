import type { KubeObject, KubeRequest, ObjectRef, WatchRequest } from './port.ts';
import { apiVersion, type Resource } from './resource.ts';
import type { HttpRequest } from './transport.ts';

/** A request of the port as HTTP (Kubernetes API concepts; simulator.md 6.3). */
export function httpRequestOf(request: KubeRequest): HttpRequest {
  switch (request.verb) {
    case 'get': return { method: 'GET', path: objectPath(request.ref) };
    case 'list': {
      const { resource, namespace, options } = request;
      const query = queryOf([
        ['labelSelector', options.labelSelector],
        ['resourceVersion', options.resourceVersion],
      ]);
      return { method: 'GET', path: `${collectionPath(resource, namespace)}${query}` };
    }
    case 'create': {
      const { resource, namespace, body } = request;
      return {
        method: 'POST', path: collectionPath(resource, namespace), ...json(named(resource, body)),
      };
    }
    case 'update': {
      const body = named(request.ref.resource, request.body);
      return { method: 'PUT', path: writePath(request), ...json(body) };
    }
    case 'patch':
      return {
        method: 'PATCH', path: writePath(request), contentType: 'application/merge-patch+json',
        body: JSON.stringify(request.body),
      };
    case 'apply': {
      const query = queryOf([['fieldManager', request.manager], ['force', 'true']]);
      return {
        method: 'PATCH', path: `${writePath(request)}${query}`,
        contentType: 'application/apply-patch+yaml',
        body: JSON.stringify(named(request.ref.resource, request.body)),
      };
    }
    case 'delete': {
      const { ref, preconditions, gracePeriodSeconds } = request;
      const options = {
        apiVersion: 'v1', kind: 'DeleteOptions',
        ...(preconditions !== undefined && { preconditions }),
        ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
      };
      return { method: 'DELETE', path: objectPath(ref), ...json(options) };
    }
  }
}

/** A watch as HTTP: every event after its version, with bookmarks. */
export function httpWatchOf(request: WatchRequest): HttpRequest {
  const { resource, namespace, labelSelector, resourceVersion } = request;
  const query = queryOf([
    ['watch', 'true'],
    ['allowWatchBookmarks', 'true'],
    ['labelSelector', labelSelector],
    ['resourceVersion', resourceVersion],
  ]);
  return { method: 'GET', path: `${collectionPath(resource, namespace)}${query}` };
}

function collectionPath(resource: Resource, namespace: string): string {
  const { group, version, plural } = resource;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const place = namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${place}/${plural}`;
}

function objectPath({ resource, namespace, name }: ObjectRef): string {
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
}

function writePath({ ref, subresource }: { ref: ObjectRef; subresource?: 'status' }): string {
  return subresource === undefined ? objectPath(ref) : `${objectPath(ref)}/${subresource}`;
}

type Parameter = readonly [name: string, value: string | undefined];

function queryOf(parameters: readonly Parameter[]): string {
  const given = parameters.flatMap(([name, value]) => (
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]
  ));
  return given.length === 0 ? '' : `?${given.join('&')}`;
}

function json(value: object): { contentType: string; body: string } {
  return { contentType: 'application/json', body: JSON.stringify(value) };
}

// Custom resources are refused without them; callers may leave them out.
function named(resource: Resource, body: KubeObject): KubeObject {
  return { apiVersion: apiVersion(resource), kind: resource.kind, ...body };
}
