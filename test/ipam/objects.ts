import type {
  Condition, EndpointSlice, IngressEntry, Meta, Node, Pool, PoolBlock, Service, ServiceKey,
  ServicePort,
} from '../../lb/model.ts';
import type { Family } from '../../lb/ip.ts';
import type { LabelSelector } from '../../lb/selector.ts';

export interface ServiceOptions {
  ns?: string; at?: number | undefined; uid?: string; labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ips?: string; key?: string; cross?: string; permit?: string;
  type?: Service['type']; class?: string; lbip?: string; families?: Family[];
  policy?: Service['ipFamilyPolicy']; etp?: 'Cluster' | 'Local'; ports?: string;
  selector?: Record<string, string>; deleting?: boolean; faults?: Service['faults'];
}

export interface PoolOptions {
  at?: number; uid?: string; disabled?: boolean; first?: string; deleting?: boolean;
  selector?: LabelSelector; faults?: Pool['faults'];
}

export const equals = (labels: Record<string, string>): LabelSelector => {
  return { matchLabels: labels, matchExpressions: [] };
};

/** Blocks from text: prefixes and `start-stop` ranges, single addresses being ranges of one. */
export function blocks(text: string): PoolBlock[] {
  return text.split(/[ ,]+/u).filter((part) => part !== '').map((part) => {
    if (part.includes('/')) return { cidr: part, start: undefined, stop: undefined };
    const [start, stop] = part.split('-');
    return { cidr: undefined, start, stop };
  });
}

export function entryOf(text: string): IngressEntry {
  const address = /^[0-9a-f.:]+$/u.test(text);
  return {
    ip: address ? text : undefined,
    hostname: address ? undefined : text,
    ipMode: undefined,
    ports: undefined,
  };
}

export function condition(type: string, verdict: string, message = ''): Condition {
  const [status, reason = ''] = verdict.split('/');
  return {
    type,
    status: status as Condition['status'],
    reason,
    message,
    observedGeneration: 0,
    lastTransitionTime: '2025-01-01T00:00:00Z',
  };
}

/** A decoded Service from short options. */
export function serviceObject(meta: Meta, options: ServiceOptions): Service {
  const annotations: Record<string, string> = { ...options.annotations };
  if (options.ips !== undefined) annotations['lbipam.cilium.io/ips'] = options.ips;
  if (options.key !== undefined) annotations['lbipam.cilium.io/sharing-key'] = options.key;
  const { cross, permit } = options;
  for (const [name, value] of [['cross-namespace', cross], ['permit-different-pods', permit]]) {
    if (value !== undefined) annotations[`lbipam.cilium.io/sharing-${name}`] = value;
  }
  const ports = (options.ports ?? 'TCP/80').split(',').map((text): ServicePort => {
    const [protocol, port] = text.split('/');
    return {
      name: text, protocol: protocol as ServicePort['protocol'], port: Number(port), nodePort: 0,
    };
  });
  return {
    kind: 'Service',
    meta: {
      ...meta, labels: options.labels ?? {}, annotations, deleting: options.deleting ?? false,
    },
    key: `${meta.namespace}/${meta.name}` as ServiceKey,
    type: options.type ?? 'LoadBalancer', clusterIps: [], ports,
    selector: options.selector ?? { app: 'web' }, externalIps: [],
    loadBalancerIp: options.lbip, loadBalancerClass: options.class,
    ipFamilies: options.families ?? [], ipFamilyPolicy: options.policy,
    externalTrafficPolicy: options.etp ?? 'Cluster', internalTrafficPolicy: 'Cluster',
    affinitySeconds: undefined, sourceRanges: [], healthCheckNodePort: 0,
    ingress: [], conditions: [], faults: options.faults ?? [],
  };
}

export interface NodeOptions {
  labels?: Record<string, string>;
  taints?: string[];
  deleting?: boolean;
}

/** Addresses as `InternalIP=10.0.0.1 ExternalIP=192.0.2.1`. */
export function nodeObject(bare: Meta, addresses: string, options: NodeOptions): Node {
  const list = addresses.split(' ').filter((text) => text !== '').map((text) => {
    const [type = '', address = ''] = text.split('=');
    return { type, address };
  });
  const taints = (options.taints ?? []).map((key) => ({ key, value: '', effect: 'NoSchedule' }));
  const { labels = {}, deleting = false } = options;
  const meta = { ...bare, labels, deleting };
  const empty = { podCidrs: [], conditions: [], faults: [] };
  return { kind: 'Node', meta, unschedulable: false, taints, addresses: list, ...empty };
}

/** A slice of one endpoint per node name, with its readiness. */
export function sliceObject(
  meta: Meta,
  service: string,
  ready: Record<string, boolean | undefined>,
): EndpointSlice {
  const endpoints = Object.entries(ready).map(([nodeName, state]) => ({
    addresses: ['10.1.0.1'], ready: state, serving: undefined, terminating: undefined,
    nodeName, zone: undefined, hintZones: [], hintNodes: [],
  }));
  return {
    kind: 'EndpointSlice', meta, service: `${meta.namespace}/${service}` as ServiceKey,
    addressType: 'IPv4', endpoints, ports: [], faults: [],
  };
}

export function poolObject(meta: Meta, text: string | PoolBlock[], options: PoolOptions): Pool {
  return {
    kind: 'CiliumLoadBalancerIPPool',
    meta,
    blocks: typeof text === 'string' ? blocks(text) : text,
    allowFirstLastIps: options.first,
    disabled: options.disabled ?? false,
    serviceSelector: options.selector,
    conditions: [],
    faults: options.faults ?? [],
  };
}
