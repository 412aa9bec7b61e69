import { networkInterfaces } from 'node:os';
import { definitionOf } from '../../kube/schema/crd.ts';
import { kindSchemas } from '../../kube/schema/kinds.ts';
import type { KubeError, KubeObject, KubePort } from '../../kube/port.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import { parseIp } from '../../lb/ip.ts';
import type { Result } from '../../lb/result.ts';
import { parseTimeMs } from '../../lb/time.ts';
import { equalJson } from '../../sim/api/json.ts';
import { asked, askedList } from '../asked.ts';
import { buildKustomization } from '../manifests/kustomize.ts';
import { profileFolder } from '../manifests/profile.ts';
import { fail, ok, skip, warn, type Check, type Finding, type Surroundings } from './check.ts';

const definitions: Resource = {
  group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition', namespaced: false,
};
const accessReviews: Resource = {
  group: 'authorization.k8s.io', version: 'v1', plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview', namespaced: false,
};

type Fields = Readonly<Record<string, unknown>>;

/** Looks only where an API server is known. */
function onCluster(
  look: (kube: KubePort, around: Surroundings) => Promise<Finding>,
): Check['look'] {
  return (around) => (around.kube === undefined
    ? skip(around.kubeMissing) : look(around.kube, around));
}

function unanswered({ kind, message }: KubeError): Finding {
  if (kind === 'denied') return skip(message);
  return fail(message, 'kubernetes.endpoints names the API servers');
}

async function endpoints(kube: KubePort, around: Surroundings): Promise<Finding> {
  const ref = { resource: resources.namespaces, namespace: '', name: 'kube-system' };
  const answer = await asked(kube, { verb: 'get', ref, timeout: 5_000_000 });
  if (!answer.ok && answer.error.kind !== 'denied') return unanswered(answer.error);
  const named = around.configuration.values['kubernetes.endpoints'];
  if (Array.isArray(named) && named.length > 0) return ok(named.join(', '));
  return warn(
    'answers by its Service address, which is itself a Service',
    'fairlead install --print --set kubernetes.endpoints=HOST:6443',
  );
}

/** Installed definitions against those that the schemas give. */
export function definitionFinding(installed: readonly KubeObject[]): Finding {
  const byName = new Map(installed.map((object) => [object.metadata?.name, object]));
  const pairs = kindSchemas.map((schema) => {
    const wanted = plain(definitionOf(schema));
    return { schema, wanted, found: byName.get(wanted.metadata?.name) };
  });
  const missing = pairs.filter(({ found }) => found === undefined);
  if (missing.length > 0) {
    const names = missing.map(({ schema }) => schema.kind).join(', ');
    return fail(`missing: ${names}`, 'fairlead install --print | kubectl apply --server-side -f -');
  }
  const others = pairs.filter(({ found }) => !isOurs(found));
  const unserved = others.filter(({ schema, found }) => !servesAll(schema.versions, found));
  if (unserved.length > 0) {
    const names = unserved.map(({ schema }) => schema.kind).join(', ');
    return warn(`of somebody else, without our versions: ${names}`, 'upgrade them where they are');
  }
  const stale = pairs.filter(({ found, wanted }) => (
    isOurs(found) && !equalJson(versionsOf(found), versionsOf(wanted))
  ));
  if (stale.length > 0) {
    const names = stale.map(({ schema }) => schema.kind).join(', ');
    return warn(
      `of another release: ${names}`, 'fairlead install --print | kubectl apply --server-side -f -',
    );
  }
  return ok(`${pairs.length} kinds${others.length > 0 ? `, ${others.length} of others` : ''}`);
}

function plain(object: KubeObject): KubeObject {
  return JSON.parse(JSON.stringify(object)) as KubeObject;
}

function isOurs(object: KubeObject | undefined): boolean {
  const labels = object?.metadata?.['labels'] as Fields | undefined;
  return labels?.['app.kubernetes.io/managed-by'] === 'fairlead';
}

/** Name, service and schema of each version: the rest a server fills in. */
function versionsOf(object: KubeObject | undefined): unknown {
  const spec = object?.['spec'] as { versions?: readonly Fields[] } | undefined;
  return (spec?.versions ?? []).map(({ name, served, storage, schema }) => (
    { name, served, storage, schema }
  ));
}

function servesAll(
  versions: readonly { readonly name: string }[], found: KubeObject | undefined,
): boolean {
  const spec = found?.['spec'] as { versions?: readonly Fields[] } | undefined;
  const served = (spec?.versions ?? []).filter((version) => version['served'] === true)
    .map((version) => version['name']);
  return versions.some(({ name }) => served.includes(name));
}

async function crds(kube: KubePort): Promise<Finding> {
  const listed = await askedList(kube, definitions);
  return listed.ok ? definitionFinding(listed.value) : unanswered(listed.error);
}

interface Permission {
  readonly account: string;
  readonly namespace: string;
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly name: string | undefined;
}

/** What the manifests give to agent and controller, one row for each verb of a resource. */
function permissions(): Permission[] {
  const objects = buildKustomization(profileFolder('base'));
  return objects.filter(({ kind, metadata }) => (
    (kind === 'Role' || kind === 'ClusterRole') && metadata?.name !== 'fairlead-viewer'
  )).flatMap(({ metadata, ...role }) => (
    (role['rules'] as readonly Readonly<Record<string, readonly string[]>>[]).flatMap((rule) => {
      const { apiGroups = [], resources: names = [], verbs = [], resourceNames } = rule;
      return names.flatMap((resource) => verbs.map((verb) => ({
        account: metadata?.name ?? '', namespace: metadata?.namespace ?? '',
        group: apiGroups[0] ?? '', resource, verb, name: resourceNames?.[0],
      })));
    })
  ));
}

async function rbac(kube: KubePort, { configuration }: Surroundings): Promise<Finding> {
  const refused: string[] = [];
  const wanted = permissions();
  for (const permission of wanted) {
    const allowed = await mayIt(kube, permission, configuration.settings.namespace);
    if (!allowed.ok) return unanswered(allowed.error);
    const { account, verb, group, resource } = permission;
    if (!allowed.value) refused.push(`${account} ${verb} ${resource}${group && `.${group}`}`);
  }
  if (refused.length === 0) return ok(`${wanted.length} permissions of agent and controller`);
  const shown = refused.slice(0, 3).join(', ');
  const rest = refused.length > 3 ? ` and ${refused.length - 3} more` : '';
  return fail(
    `refused: ${shown}${rest}`, 'fairlead install --print | kubectl apply --server-side -f -',
  );
}

async function mayIt(
  kube: KubePort, { account, namespace, group, resource: named, verb, name }: Permission,
  home: string,
): Promise<Result<boolean, KubeError>> {
  const [resource = '', subresource] = named.split('/');
  const answer = await asked(kube, {
    verb: 'create', resource: accessReviews, namespace: '', timeout: 5_000_000,
    body: {
      apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview',
      metadata: {},
      spec: {
        user: `system:serviceaccount:${home}:${account}`,
        resourceAttributes: {
          namespace: namespace === '' ? '' : home, verb, group, resource,
          ...(subresource !== undefined && { subresource }), ...(name !== undefined && { name }),
        },
      },
    },
  });
  if (!answer.ok) return answer;
  const object = answer.value.kind === 'object' ? answer.value.object : {};
  return { ok: true, value: (object['status'] as Fields | undefined)?.['allowed'] === true };
}

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** Nodes that carry the label, where it counts. */
export function labelFinding(nodes: readonly KubeObject[], ignored: boolean): Finding {
  const excluded = nodes.filter(({ metadata }) => (
    excludeLabel in ((metadata?.['labels'] as Fields | undefined) ?? {})
  )).map(({ metadata }) => metadata?.name ?? '');
  const [first] = excluded;
  if (first === undefined) return ok('no node is excluded');
  const names = excluded.length > 3 ? `${excluded.length} nodes are` : `${excluded.join(', ')} `
    + (excluded.length === 1 ? 'is' : 'are');
  const detail = `${names} excluded from external load balancers`;
  if (ignored) return ok(`${detail}; l2.ignoreExcludeLabel is set`);
  const next = `kubectl label node ${first} ${excludeLabel}-`;
  return excluded.length === nodes.length ? fail(`${detail}: nobody announces`, next)
    : warn(detail, next);
}

async function label(kube: KubePort, { configuration }: Surroundings): Promise<Finding> {
  const listed = await askedList(kube, resources.nodes);
  if (!listed.ok) return unanswered(listed.error);
  return labelFinding(listed.value, configuration.settings.l2.ignoreExcludeLabel);
}

/** The newest renewal of a kubelet is seconds old, by a clock that agrees with theirs. */
export function clockFinding(leases: readonly KubeObject[], nowMs: number): Finding {
  const times = leases.flatMap((lease) => {
    const text = (lease['spec'] as Fields | undefined)?.['renewTime'];
    return typeof text === 'string' ? parseTimeMs(text) ?? [] : [];
  });
  if (times.length === 0) return skip('no kubelet has renewed a Lease');
  const age = Math.round((nowMs - Math.max(...times)) / 1_000);
  if (age < -5) return warn(`${-age}s behind the kubelets`, 'synchronise clocks by NTP');
  if (age > 60) return warn(`${age}s ahead of the kubelets, or none renews`, 'synchronise clocks');
  return ok(`newest renewal of a kubelet ${Math.max(age, 0)}s ago`);
}

async function clock(kube: KubePort): Promise<Finding> {
  const listed = await askedList(kube, resources.leases, 'kube-node-lease');
  return listed.ok ? clockFinding(listed.value, Date.now()) : unanswered(listed.error);
}

const allocators = /^(?:metallb-controller|controller\.metallb|kube-vip|cilium-operator|svclb-)/u;

async function otherAllocator(kube: KubePort): Promise<Finding> {
  const found: string[] = [];
  for (const resource of [resources.deployments, resources.daemonSets]) {
    const listed = await askedList(kube, resource);
    if (!listed.ok) return unanswered(listed.error);
    for (const { metadata } of listed.value) {
      const labels = (metadata?.['labels'] as Fields | undefined) ?? {};
      const named = allocators.test(metadata?.name ?? '') || labels['app'] === 'metallb';
      if (named) found.push(`${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`);
    }
  }
  if (found.length === 0) return ok('none found');
  return warn(
    `${found.join(', ')} may give addresses to the same Services`,
    'remove it, or default-lb-service-ipam: none and a class for each Service',
  );
}

/** Addresses of Services that this machine has on an interface of its own. */
export function interfaceFinding(
  services: readonly KubeObject[], local: ReadonlyMap<string, string>,
): Finding {
  for (const { metadata, ...service } of services) {
    const status = service['status'] as { loadBalancer?: { ingress?: readonly Fields[] } };
    for (const { ip } of status?.loadBalancer?.ingress ?? []) {
      const device = typeof ip === 'string' ? local.get(ip) : undefined;
      if (device === undefined) continue;
      return fail(
        `${String(ip)} of ${metadata?.namespace ?? ''}/${metadata?.name ?? ''} is on ${device}`,
        `ip address del ${String(ip)} dev ${device}`,
      );
    }
  }
  return ok('no address of a Service is on an interface of this node');
}

async function interfaceAddress(kube: KubePort): Promise<Finding> {
  const listed = await askedList(kube, resources.services);
  if (!listed.ok) return unanswered(listed.error);
  const local = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) => (
    addresses.flatMap(({ address }): [string, string][] => {
      const parsed = parseIp(address);
      return parsed.ok ? [[parsed.value, name]] : [];
    })
  ));
  return interfaceFinding(listed.value, new Map(local));
}

/** What an API server knows. */
export const clusterChecks: readonly Check[] = [
  {
    name: 'interface-address', asks: 'Does an interface hold the address of a Service?',
    page: 'An announced address sits on no interface: the kernel of a node that has it would '
      + 'answer for it besides the elected one, and deliver its packets locally.',
    look: onCluster(interfaceAddress),
  },
  {
    name: 'other-allocator', asks: 'Does another controller give addresses?',
    page: 'Two controllers that serve Services without a class write over one another. MetalLB, '
      + 'kube-vip, Cilium\'s operator and K3s\' servicelb are known by name.',
    look: onCluster(otherAllocator),
  },
  {
    name: 'api-endpoints', asks: 'Is the API server reached without a Service?',
    page: 'Without kube-proxy the ClusterIP of the API server is served by the agent itself, which '
      + 'cannot start by it.',
    look: onCluster(endpoints),
  },
  {
    name: 'rbac', asks: 'May agent and controller do what they do?',
    page: 'Every permission of the manifests is asked for by a SubjectAccessReview, which needs '
      + 'the right to create those.',
    look: onCluster(rbac),
  },
  {
    name: 'crds', asks: 'Are the eight kinds defined, as this release wants them?',
    page: 'Definitions without the label app.kubernetes.io/managed-by: fairlead are used as they '
      + 'are: a field that an older schema lacks counts as absent.',
    look: onCluster(crds),
  },
  {
    name: 'lb-label', asks: 'Are nodes excluded from announcing?',
    page: `kubeadm puts ${excludeLabel} on control planes. On a cluster of one node, or where all `
      + 'nodes are control planes, nobody would announce: remove it or set l2.ignoreExcludeLabel.',
    look: onCluster(label),
  },
  {
    name: 'clock', asks: 'Does the clock agree with the cluster?',
    page: 'No decision compares clocks of two machines; logs, Events and certificates do.',
    look: onCluster(clock),
  },
];
