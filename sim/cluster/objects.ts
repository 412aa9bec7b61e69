import type { Json, KubeError, KubeObject } from '../../kube/port.ts';
import { resourceOf, resources, type Resource } from '../../kube/resource.ts';
import { type Result } from '../../lb/result.ts';
import type { ApiServer } from '../api/server.ts';
import { demand } from '../scenario/error.ts';

const admin = 'admin';

/** What a person does to the API: by `plural/namespace/name`, as in scenario files. */
export class ObjectStore {
  #api: ApiServer;

  constructor(api: ApiServer) {
    this.#api = api;
  }

  /** Creates an object, or merges it over the present one. */
  apply(object: KubeObject): Result<unknown, KubeError> {
    const resource = resourceOf(object.apiVersion ?? '', object.kind ?? '');
    if (resource === undefined) {
      return {
        ok: false,
        error: { kind: 'gone', message: `kind ${object.kind} of ${object.apiVersion} is unknown` },
      };
    }
    const namespace = resource.namespaced ? (object.metadata?.namespace ?? 'default') : '';
    const name = object.metadata?.name ?? '';
    const ref = { resource, namespace, name };
    if (this.#api.get(resource, namespace, name) === undefined) {
      return this.#api.handle({ verb: 'create', resource, namespace, body: object }, admin);
    }
    // An object of a manifest is JSON already.
    return this.#api.handle({ verb: 'patch', ref, body: object as Json }, admin);
  }

  remove(name: string): Result<unknown, KubeError> {
    return this.#api.handle({ verb: 'delete', ref: parseName(name) }, admin);
  }

  patch(name: string, patch: Readonly<Record<string, unknown>>): Result<unknown, KubeError> {
    return this.#api.handle({ verb: 'patch', ref: parseName(name), body: patch as Json }, admin);
  }

  /** One object, all that match where the name has `*`, or undefined. */
  get(name: string): KubeObject | readonly KubeObject[] | undefined {
    const ref = parseName(name);
    if (!ref.name.includes('*') && !ref.namespace.includes('*')) {
      return this.#api.get(ref.resource, ref.namespace, ref.name);
    }
    const matches = (pattern: string, text: string): boolean => {
      const [head = '', ...tails] = pattern.split('*');
      if (tails.length === 0) return head === text;
      return text.startsWith(head) && text.endsWith(tails.at(-1) ?? '');
    };
    return this.#api
      .list(ref.resource)
      .filter(
        (object) =>
          matches(ref.namespace, object.metadata?.namespace ?? '') &&
          matches(ref.name, object.metadata?.name ?? ''),
      );
  }

  list(resource: Resource): readonly KubeObject[] {
    return this.#api.list(resource);
  }

  /** Called for every commit of one resource, inside the commit. */
  onCommit(resource: Resource, listener: (object: KubeObject, deleted: boolean) => void): void {
    this.#api.subscribe(resource, (event) => {
      if (event.type !== 'BOOKMARK') listener(event.object, event.type === 'DELETED');
    });
  }

  /** Called for every commit of any resource, with the object's name as scenario files write it. */
  onObject(listener: (name: string, object: KubeObject | undefined) => void): void {
    for (const resource of Object.values(resources)) {
      this.onCommit(resource, (object, deleted) => {
        const { namespace, name } = object.metadata ?? {};
        const parts = [
          resource.plural,
          ...(resource.namespaced ? [namespace ?? ''] : []),
          name ?? '',
        ];
        listener(parts.join('/'), deleted ? undefined : object);
      });
    }
  }
}

function parseName(text: string): { resource: Resource; namespace: string; name: string } {
  const [plural, ...rest] = text.split('/');
  const wanted = plural === 'svc' ? 'services' : plural;
  const resource = Object.values(resources).find((candidate) => candidate.plural === wanted);
  demand(resource !== undefined, `'${text}' begins with the plural name of a kind`);
  const [first = '', second] = rest;
  return resource.namespaced
    ? { resource, namespace: second === undefined ? 'default' : first, name: second ?? first }
    : { resource, namespace: '', name: first };
}
