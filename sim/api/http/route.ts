import type { ServedKind } from './kinds.ts';

/** What a path of the API means. */
export type Route =
  | { readonly kind: 'collection'; readonly served: ServedKind; readonly namespace: string }
  | {
    readonly kind: 'item'; readonly served: ServedKind; readonly namespace: string;
    readonly name: string; readonly subresource: string;
  }
  /** The resources of one group version. */
  | { readonly kind: 'version'; readonly group: string; readonly version: string }
  | { readonly kind: 'group'; readonly group: string }
  /** `/apis` or, of the core group, `/api`. */
  | { readonly kind: 'root'; readonly core: boolean }
  /** A group version that is served, and a resource that is not. */
  | { readonly kind: 'unknown' }
  /** Nothing of the API. */
  | { readonly kind: 'elsewhere' };

/** Reads a path; `kinds` are all that is served. */
export function routeOf(path: string, kinds: readonly ServedKind[]): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const [root, ...rest] = parts;
  if (root === 'api') {
    if (rest.length === 0) return { kind: 'root', core: true };
    const [version = '', ...inside] = rest;
    return versionRoute({ group: '', version }, inside, kinds);
  }
  if (root !== 'apis') return { kind: 'elsewhere' };
  if (rest.length === 0) return { kind: 'root', core: false };
  const [group = '', version, ...inside] = rest;
  if (version === undefined) {
    const known = kinds.some(({ resource }) => resource.group === group);
    return known ? { kind: 'group', group } : { kind: 'elsewhere' };
  }
  return versionRoute({ group, version }, inside, kinds);
}

function versionRoute(
  at: { readonly group: string; readonly version: string },
  inside: readonly string[], all: readonly ServedKind[],
): Route {
  const kinds = all.filter(
    ({ resource, version }) => resource.group === at.group && version === at.version,
  );
  if (kinds.length === 0) return { kind: 'elsewhere' };
  if (inside.length === 0) return { kind: 'version', ...at };
  const [first = '', second, third, ...more] = inside;
  // `namespaces/NAME/status` is the Namespace; `namespaces/NAME/pods` is inside it.
  const enters = first === 'namespaces' && third !== undefined
    && third !== 'status' && third !== 'finalize';
  const [namespace, words] = enters
    ? [second ?? '', [third, ...more]]
    : ['', inside];
  const [plural = '', name, subresource = '', ...excess] = words;
  const served = kinds.find(({ resource }) => resource.plural === plural);
  if (served === undefined || excess.length > 0) return { kind: 'unknown' };
  if (enters && !served.resource.namespaced) return { kind: 'unknown' };
  if (name === undefined) return { kind: 'collection', served, namespace };
  // Objects of a namespaced kind have no address outside a namespace.
  if (served.resource.namespaced && !enters) return { kind: 'unknown' };
  return { kind: 'item', served, namespace, name, subresource };
}
