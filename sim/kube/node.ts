import { familyOf, parseIp, parsePrefix, type Ip, type PrefixParts } from '../../lb/ip.ts';
import type { Labels, Taint } from '../../lb/model.ts';
import type { KubeObject } from '../../kube/port.ts';
import { count, fields, items, labelsOf, text, texts, type Fields } from './fields.ts';
import { notReadyKey, unreachableKey } from './taints.ts';

/** A Node as the built-in controllers see it. */
export interface NodeView {
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  readonly zone: string;
  readonly unschedulable: boolean;
  readonly taints: readonly Taint[];
  readonly podCidrs: readonly PrefixParts[];
  /** First InternalIP of each family, IPv4 first. */
  readonly addresses: readonly Ip[];
  /** Undefined until a kubelet spoke. */
  readonly ready: 'True' | 'False' | 'Unknown' | undefined;
  readonly podsMax: number;
  readonly object: KubeObject;
}

export const zoneLabel = 'topology.kubernetes.io/zone';
const podsMaxDefault = 110;

export function nodeView(object: KubeObject): NodeView {
  const metadata = object.metadata ?? {};
  const spec = fields(object['spec']);
  const status = fields(object['status']);
  const labels = labelsOf(metadata['labels']);
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    labels,
    zone: labels[zoneLabel] ?? '',
    unschedulable: spec['unschedulable'] === true,
    taints: items(spec['taints']).map(taintOf),
    podCidrs: podCidrs(spec),
    addresses: nodeAddresses(status),
    ready: readyOf(status),
    podsMax: podsMaxOf(status),
    object,
  };
}

/**
 * The taints that placement respects. A node whose kubelet never reported counts as not ready,
 * which the NodeRestriction and TaintNodesByCondition plug-ins see to in a real cluster.
 */
export function effectiveTaints(node: NodeView): readonly Taint[] {
  const told = node.taints.some(
    (taint) => taint.key === notReadyKey || taint.key === unreachableKey,
  );
  if (node.ready === 'True' || told) return node.taints;
  return [...node.taints, { key: notReadyKey, value: '', effect: 'NoSchedule' }];
}

function taintOf(entry: Fields): Taint {
  return { key: text(entry['key']), value: text(entry['value']), effect: text(entry['effect']) };
}

function podCidrs(spec: Fields): readonly PrefixParts[] {
  const listed = texts(spec['podCIDRs']);
  const written = listed.length > 0 ? listed : [text(spec['podCIDR'])];
  return written.flatMap((cidr) => {
    const parsed = parsePrefix(cidr);
    return parsed.ok ? [parsed.value] : [];
  });
}

function nodeAddresses(status: Fields): readonly Ip[] {
  const internal = items(status['addresses']).flatMap((entry) => {
    const parsed = parseIp(text(entry['address']));
    return entry['type'] === 'InternalIP' && parsed.ok ? [parsed.value] : [];
  });
  const first = (family: 'IPv4' | 'IPv6'): Ip[] =>
    internal.filter((ip) => familyOf(ip) === family).slice(0, 1);
  return [...first('IPv4'), ...first('IPv6')];
}

function readyOf(status: Fields): NodeView['ready'] {
  const condition = items(status['conditions']).find((entry) => entry['type'] === 'Ready');
  if (condition === undefined) return undefined;
  const stated = condition['status'];
  return stated === 'True' || stated === 'False' ? stated : 'Unknown';
}

function podsMaxOf(status: Fields): number {
  const pods = fields(status['allocatable'])['pods'] ?? fields(status['capacity'])['pods'];
  const number = typeof pods === 'string' ? Number(pods) : pods;
  return count(number, podsMaxDefault);
}
