import { schemaOf } from '../../../kube/schema/kinds.ts';
import { resources, type Resource } from '../../../kube/resource.ts';
import { compareText } from '../../../lb/table.ts';
import type { Definition, DefinitionVersion } from '../definition/definition.ts';
import { reviewKinds, type ReviewKind } from '../review.ts';
import { isScalable } from '../scale.ts';
import { traitsOf } from '../traits.ts';

/** A sub-resource with a kind of its own, as discovery shows it. */
export interface Subresource {
  readonly name: 'eviction' | 'scale' | 'token';
  readonly group: string;
  readonly kind: string;
  readonly verbs: readonly string[];
}

const scale: Subresource = {
  name: 'scale', group: 'autoscaling', kind: 'Scale', verbs: ['get', 'patch', 'update'],
};
const eviction: Subresource = {
  name: 'eviction', group: 'policy', kind: 'Eviction', verbs: ['create'],
};
const token: Subresource = {
  name: 'token', group: 'authentication.k8s.io', kind: 'TokenRequest', verbs: ['create'],
};

// Beside `/status`; each in version v1 of its group.
function subresourcesOf(kind: string): readonly Subresource[] {
  if (isScalable(kind)) return [scale];
  if (kind === 'Pod') return [eviction];
  return kind === 'ServiceAccount' ? [token] : [];
}

/** One kind in one version, as discovery and routes know it. */
export interface ServedKind {
  /** As the store knows it. */
  readonly resource: Resource;
  /** The version under which it is served here. */
  readonly version: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly status: boolean;
  readonly verbs: readonly string[];
  readonly subresources: readonly Subresource[];
  /** Set for questions, which are only created. */
  readonly review?: ReviewKind;
  /** Of a kind that a definition added. */
  readonly defined?: DefinitionVersion;
}

const allVerbs: readonly string[] = [
  'create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch',
];

const shortNames: Readonly<Record<string, readonly string[]>> = {
  Service: ['svc'], Node: ['no'], Pod: ['po'], Namespace: ['ns'], ConfigMap: ['cm'],
  ServiceAccount: ['sa'], Event: ['ev'], Deployment: ['deploy'], ReplicaSet: ['rs'],
  DaemonSet: ['ds'], StatefulSet: ['sts'], PodDisruptionBudget: ['pdb'],
  CustomResourceDefinition: ['crd', 'crds'],
};

const inAll: readonly string[] = [
  'Service', 'Pod', 'Deployment', 'ReplicaSet', 'DaemonSet', 'StatefulSet',
];

/**
 * Every kind in every version that is served, in the order of discovery; `definitions` are those
 * beside the kinds that everybody has.
 */
export function servedKinds(definitions: readonly Definition[] = []): readonly ServedKind[] {
  const kinds = Object.values(resources).flatMap((resource) => {
    const schema = schemaOf(resource.group, resource.kind);
    const common = {
      resource,
      singular: resource.kind.toLowerCase(),
      shortNames: schema?.shortNames ?? shortNames[resource.kind] ?? [],
      categories: schema?.categories ?? (inAll.includes(resource.kind) ? ['all'] : []),
      status: traitsOf(resource).status,
      verbs: allVerbs,
      subresources: subresourcesOf(resource.kind),
    };
    const versions = schema?.versions.filter((version) => version.served) ?? [];
    if (versions.length === 0) return [{ ...common, version: resource.version }];
    return versions.map(({ name }) => ({ ...common, version: name }));
  });
  const defined = definitions.flatMap(definedKinds);
  return [...kinds, ...reviewKinds.map(servedReview), ...defined].sort(
    (left, right) => compareText(idOf(left), idOf(right)),
  );
}

function definedKinds(definition: Definition): readonly ServedKind[] {
  const { resource, singular, shortNames: short, categories, versions } = definition;
  return versions.filter((version) => version.served).map((version) => ({
    resource, version: version.name, singular, shortNames: short, categories,
    status: version.status, verbs: allVerbs, subresources: [], defined: version,
  }));
}

function servedReview(review: ReviewKind): ServedKind {
  return {
    resource: { ...review, version: 'v1' },
    version: 'v1',
    singular: review.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    status: false,
    verbs: ['create'],
    subresources: [],
    review,
  };
}

function idOf({ resource, version }: ServedKind): string {
  return `${resource.group} ${version} ${resource.plural}`;
}

/** `apps/v1`, or `v1` for the core group. */
export function servedVersion({ resource, version }: ServedKind): string {
  return resource.group === '' ? version : `${resource.group}/${version}`;
}

/** Groups with their versions, the preferred one first. */
export function servedGroups(kinds: readonly ServedKind[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { resource, version } of kinds) {
    const versions = groups.get(resource.group) ?? [];
    groups.set(resource.group, versions);
    if (!versions.includes(version)) versions.push(version);
  }
  for (const versions of groups.values()) versions.sort(newestFirst);
  return groups;
}

// Kubernetes prefers stable versions to beta to alpha, and higher numbers within each.
function newestFirst(left: string, right: string): number {
  const parts = (text: string): readonly number[] => {
    const named = /^v(\d+)(alpha|beta)?(\d+)?$/u.exec(text) ?? [];
    const [, major = '0', stage = 'x', minor = '0'] = named;
    return [['alpha', 'beta', 'x'].indexOf(stage), Number(major), Number(minor)];
  };
  const [a, b] = [parts(left), parts(right)];
  for (const [index, number] of b.entries()) {
    const difference = number - (a[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return compareText(left, right);
}
