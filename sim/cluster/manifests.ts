import { parse } from 'yaml';
import type { KubeObject } from '../../kube/port.ts';
import { resourceOf } from '../../kube/resource.ts';
import type { Fault } from '../../lb/model.ts';
import { compareText } from '../../lb/table.ts';
import { parsePrefix } from '../../lb/ip.ts';
import { nodeRange } from '../kube/podcidrs.ts';
import type { ClusterSpec, NodeSpec } from '../scenario/spec.ts';

export interface Prepared {
  /** In the order of creation: namespaces, nodes, then the rest as given. */
  readonly objects: readonly KubeObject[];
  /** Settings of the ConfigMap `fairlead-config`, where the manifests have one. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** True when the manifests named no Nodes and some were assumed. */
  readonly assumedNodes: boolean;
  readonly faults: readonly Fault[];
}

/** Namespaces that every API server has. */
const standardNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const;

/**
 * Manifests as a cluster needs them: namespaces that were only mentioned exist, Nodes that nobody
 * wrote are assumed, and every Node has a pod range.
 */
export function prepareManifests(
  manifests: readonly KubeObject[],
  cluster: Pick<ClusterSpec, 'nodes' | 'podCidrs'>,
  namespace: string,
): Prepared {
  const faults: Fault[] = [];
  const placed = manifests.map(inNamespace);
  const named = placed.filter((object) => object.kind === 'Node');
  const assumedNodes = named.length === 0;
  const ranges = cluster.podCidrs ?? ['10.244.0.0/14', 'fd00:244::/48'];
  const machines = (assumedNodes ? cluster.nodes.map(assumeNode) : named).map(
    (node, index) => withPodRange(node, index, ranges),
  );
  const present = new Set([
    ...standardNamespaces,
    ...placed
      .filter((object) => object.kind === 'Namespace')
      .map((object) => object.metadata?.name),
  ]);
  const mentioned = new Set([
    namespace,
    ...placed.flatMap((object) => object.metadata?.namespace ?? []),
  ]);
  const missing = [...mentioned].filter((name) => !present.has(name)).sort(compareText);
  const created = missing.map((name): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
  }));
  const given = placed.filter((object) => object.kind === 'Namespace');
  const rest = placed.filter((object) => object.kind !== 'Namespace' && object.kind !== 'Node');
  return {
    objects: [...created, ...given, ...machines, ...rest],
    settings: readSettings(rest, faults),
    assumedNodes,
    faults,
  };
}

// A fault belongs to a kind that we do not keep: the API server says so when it is loaded.
function inNamespace(object: KubeObject): KubeObject {
  const resource = resourceOf(object.apiVersion ?? '', object.kind ?? '');
  if (resource?.namespaced !== true || object.metadata?.namespace !== undefined) return object;
  return { ...object, metadata: { ...object.metadata, namespace: 'default' } };
}

function assumeNode(spec: NodeSpec, index: number): KubeObject {
  const labels = {
    'kubernetes.io/hostname': spec.name,
    ...(spec.controlPlane ? { 'node-role.kubernetes.io/control-plane': '' } : {}),
    ...spec.labels,
  };
  // From .11 upwards in subnets of 200, so that a hundred nodes fit beside pools and hosts.
  const address = `192.168.${10 + Math.floor(index / 200)}.${11 + (index % 200)}`;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: spec.name, labels },
    status: {
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: spec.name },
      ],
    },
  };
}

function withPodRange(node: KubeObject, index: number, ranges: readonly string[]): KubeObject {
  const spec = typeof node['spec'] === 'object' && node['spec'] !== null ? node['spec'] : {};
  if ('podCIDR' in spec || 'podCIDRs' in spec) return node;
  const podCIDRs = ranges.flatMap((range) => {
    const parsed = parsePrefix(range);
    return parsed.ok ? (nodeRange(parsed.value, index) ?? []) : [];
  });
  if (podCIDRs.length === 0) return node;
  return { ...node, spec: { ...spec, podCIDR: podCIDRs[0], podCIDRs } };
}

/** Settings of the ConfigMap `fairlead-config` among the objects, by name; empty without one. */
export function readSettings(
  objects: readonly KubeObject[],
  faults: Fault[],
): Readonly<Record<string, unknown>> {
  const config = objects.find(
    (object) => object.kind === 'ConfigMap' && object.metadata?.name === 'fairlead-config',
  );
  const values = config?.['data'];
  if (typeof values !== 'object' || values === null) return {};
  const text = (values as Readonly<Record<string, unknown>>)['config.yaml'];
  if (typeof text !== 'string') return {};
  const path = 'ConfigMap fairlead-config: data["config.yaml"]';
  try {
    const read: unknown = parse(text);
    if (typeof read === 'object' && read !== null && !Array.isArray(read))
      return read as Readonly<Record<string, unknown>>;
    if (read !== null) faults.push({ path, message: 'expected a mapping' });
  } catch (thrown) {
    faults.push({ path, message: thrown instanceof Error ? thrown.message : String(thrown) });
  }
  return {};
}
