import { servedGroups, servedVersion, type ServedKind } from './kinds.ts';
import { jsonAnswer, type HttpAnswer } from './message.ts';

const subresourceVerbs: readonly string[] = ['get', 'patch', 'update'];

/** Versions of aggregated discovery that are spoken; the client's first choice wins. */
const aggregated: readonly string[] = ['v2', 'v2beta1'];

/** `/api` and `/apis`: aggregated where the client takes it, else the legacy lists (6.4, 1). */
export function rootDiscovery(
  kinds: readonly ServedKind[], at: { readonly core: boolean; readonly host: string },
  accept: string,
): HttpAnswer {
  const version = aggregatedVersion(accept);
  if (version !== undefined) {
    const type = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    return jsonAnswer(200, aggregatedList(kinds, at.core, version), type);
  }
  if (at.core) {
    return jsonAnswer(200, {
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: at.host }],
    });
  }
  const groups = [...servedGroups(kinds)].filter(([group]) => group !== '');
  return jsonAnswer(200, {
    kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(([group]) => groupOf(kinds, group)),
  });
}

function aggregatedVersion(accept: string): string | undefined {
  for (const range of accept.split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim());
    if (type !== 'application/json') continue;
    if (!parameters.includes('as=APIGroupDiscoveryList')) {
      if (parameters.length === 0) return undefined;
      continue;
    }
    const version = aggregated.find((candidate) => parameters.includes(`v=${candidate}`));
    if (version !== undefined && parameters.includes('g=apidiscovery.k8s.io')) return version;
  }
  return undefined;
}

function aggregatedList(kinds: readonly ServedKind[], core: boolean, version: string): unknown {
  const groups = [...servedGroups(kinds)].filter(([group]) => (group === '') === core);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(([group, versions]) => ({
      metadata: { ...(group !== '' && { name: group }), creationTimestamp: null },
      versions: versions.map((each) => ({
        version: each,
        resources: inVersion(kinds, { group, version: each }).map(aggregatedResource),
        freshness: 'Current',
      })),
    })),
  };
}

function aggregatedResource(served: ServedKind): unknown {
  const { resource, version, singular, shortNames, categories, verbs } = served;
  const responseKind = { group: resource.group, version, kind: resource.kind };
  const status = { subresource: 'status', responseKind, verbs: subresourceVerbs };
  const subresources = [
    ...served.subresources.map(({ name, group, kind, verbs: allowed }) => ({
      subresource: name, responseKind: { group, version: 'v1', kind }, verbs: allowed,
    })),
    ...(served.status ? [status] : []),
  ];
  return {
    resource: resource.plural,
    responseKind,
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
    ...(subresources.length > 0 && { subresources }),
  };
}

/** `/apis/G`. */
export function groupDiscovery(kinds: readonly ServedKind[], group: string): HttpAnswer {
  return jsonAnswer(200, { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(kinds, group) });
}

function groupOf(
  kinds: readonly ServedKind[], group: string,
): { name: string; versions: unknown[]; preferredVersion: unknown } {
  const versions = (servedGroups(kinds).get(group) ?? []).map((version) => ({
    groupVersion: `${group}/${version}`, version,
  }));
  return { name: group, versions, preferredVersion: versions[0] };
}

/** `/api/v1`, `/apis/G/V`. */
export function versionDiscovery(
  kinds: readonly ServedKind[], at: { readonly group: string; readonly version: string },
): HttpAnswer {
  const served = inVersion(kinds, at);
  const groupVersion = at.group === '' ? at.version : `${at.group}/${at.version}`;
  return jsonAnswer(200, {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: served.flatMap(legacyResources),
  });
}

function legacyResources(served: ServedKind): readonly unknown[] {
  const { resource, singular, shortNames, categories, verbs } = served;
  const { namespaced, plural, kind } = resource;
  const main = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
  };
  const more = served.subresources.map((sub) => ({
    name: `${plural}/${sub.name}`, singularName: '', namespaced, group: sub.group, version: 'v1',
    kind: sub.kind, verbs: sub.verbs,
  }));
  if (!served.status) return [main, ...more];
  const name = `${plural}/status`;
  return [main, ...more, { name, singularName: '', namespaced, kind, verbs: subresourceVerbs }];
}

function inVersion(
  kinds: readonly ServedKind[], at: { readonly group: string; readonly version: string },
): readonly ServedKind[] {
  const wanted = at.group === '' ? at.version : `${at.group}/${at.version}`;
  return kinds.filter((kind) => servedVersion(kind) === wanted);
}
