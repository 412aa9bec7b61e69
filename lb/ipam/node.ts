import { compareIp, familyOf, parseIp, type Family, type Ip } from '../ip.ts';
import type { EndpointSlice, Node, Service } from '../model.ts';
import { err, type Result } from '../result.ts';
import { compileSelector, type Matcher } from '../selector.ts';
import { parseSelectorText } from '../selector-text.ts';
import { sameLabels } from './inputs.ts';
import { enabledFamilies } from './request.ts';
import type { IpamSettings } from './settings.ts';
import type { NodeOutcome } from './entry.ts';

export const nodeSelectorAnnotation = 'io.cilium.nodeipam/match-node-labels';
const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
const autoscalerTaint = 'ToBeDeletedByClusterAutoscaler';

/** What node IPAM computes from: the present nodes in name order, and who has a ready endpoint. */
export interface NodeFacts {
  readonly nodes: readonly Node[];
  /** Names of the nodes with a ready endpoint of the Service. */
  readonly readyNodes: ReadonlySet<string>;
}

interface Dropped {
  label: number;
  taint: number;
  selector: number;
  endpoints: number;
  family: number;
}

/** The node addresses of a Service, or why there are none (lb-ipam.md 11). */
export function nodeAddresses(
  service: Service,
  facts: NodeFacts,
  settings: IpamSettings,
): NodeOutcome {
  const selector = nodeSelector(service);
  if (!selector.ok) {
    const message = `${nodeSelectorAnnotation}: ${selector.error}`;
    return { kind: 'unchanged', reason: 'invalid_node_selector', message };
  }
  const dropped = { label: 0, taint: 0, selector: 0, endpoints: 0, family: 0 };
  const candidates = facts.nodes.filter((node) => {
    const why = exclusion(node, selector.value);
    if (why === undefined) return true;
    if (why !== 'deleting') dropped[why] += 1;
    return false;
  });
  if (candidates.length === 0) return none('no_matching_node', dropped);
  const local = service.externalTrafficPolicy === 'Local';
  const serving = local
    ? candidates.filter((node) => facts.readyNodes.has(node.meta.name))
    : candidates;
  dropped.endpoints = candidates.length - serving.length;
  if (serving.length === 0) return none('no_ready_endpoint', dropped);
  const wanted = service.ipFamilies.length > 0 ? service.ipFamilies : enabledFamilies(settings);
  const ips = addressesOf(serving, wanted);
  if (ips.length > 0) return { kind: 'satisfied', ips };
  dropped.family = serving.length;
  return none('no_node_address', dropped);
}

function none(reason: string, dropped: Dropped): NodeOutcome {
  const { label, taint, selector, endpoints, family } = dropped;
  const message = `nodes dropped: ${label} by label, ${taint} by taint, ${selector} by selector, `
    + `${endpoints} by endpoints, ${family} by family`;
  return { kind: 'none', reason, message };
}

function nodeSelector(service: Service): Result<Matcher, string> {
  const parsed = parseSelectorText(service.meta.annotations[nodeSelectorAnnotation] ?? '');
  if (!parsed.ok) return err(parsed.error.message);
  const compiled = compileSelector(parsed.value);
  return compiled.ok ? compiled : err(compiled.error.message);
}

function exclusion(node: Node, selects: Matcher): 'deleting' | keyof Dropped | undefined {
  if (node.meta.deleting) return 'deleting';
  if (excludeLabel in node.meta.labels) return 'label';
  if (node.taints.some((taint) => taint.key === autoscalerTaint)) return 'taint';
  return selects(node.meta.labels) ? undefined : 'selector';
}

// One ExternalIP of a wanted family anywhere makes all nodes and families use ExternalIPs only.
function addressesOf(nodes: readonly Node[], wanted: readonly Family[]): readonly Ip[] {
  const external = nodes.flatMap((node) => typed(node, 'ExternalIP', wanted));
  const chosen = external.length > 0
    ? external
    : nodes.flatMap((node) => typed(node, 'InternalIP', wanted));
  return [...new Set(chosen)].sort(compareIp);
}

function typed(node: Node, type: string, wanted: readonly Family[]): readonly Ip[] {
  return allAddresses(node, type).filter((ip) => wanted.includes(familyOf(ip)));
}

/** The parsable addresses of a node, of one type or of all. */
export function allAddresses(node: Node, type?: string): readonly Ip[] {
  const ips: Ip[] = [];
  for (const address of node.addresses) {
    if (type !== undefined && address.type !== type) continue;
    const ip = parseIp(address.address);
    if (ip.ok) ips.push(ip.value);
  }
  return ips;
}

/** Names of the nodes with a ready endpoint in these slices; unset counts as ready. */
export function readyNodesOf(slices: Iterable<EndpointSlice>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const slice of slices) {
    for (const { nodeName, ready } of slice.endpoints) {
      if (nodeName !== undefined && ready !== false) names.add(nodeName);
    }
  }
  return names;
}

/** True when node IPAM reads the same from both: heartbeats start no plan. */
export function sameNode(left: Node, right: Node): boolean {
  return left.meta.deleting === right.meta.deleting
    && sameLabels(left.meta.labels, right.meta.labels)
    && left.taints.length === right.taints.length
    && left.taints.every((taint, index) => taint.key === right.taints[index]?.key)
    && left.addresses.length === right.addresses.length
    && left.addresses.every((address, index) => {
      const other = right.addresses[index];
      return address.type === other?.type && address.address === other.address;
    });
}
