import type { Ip, Family, Prefix } from './ip.ts';
import type { Brand } from './result.ts';
import type { LabelSelector } from './selector.ts';

/** `namespace/name`; a cluster-scoped object's key is its name. */
export type ServiceKey = Brand<string, 'ServiceKey'>;

export type Labels = Readonly<Record<string, string>>;

/**
 * Text fields of a bad object, with the JSON path from the object's root: `spec.blocks[0].cidr`.
 */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

export interface Meta {
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** 0 where the API server sets none. */
  readonly generation: number;
  /** Milliseconds since the Unix epoch; undefined sorts last. */
  readonly createdAtMs: number | undefined;
  readonly deleting: boolean;
  readonly labels: Labels;
  readonly annotations: Labels;
}

export type ConditionStatus = 'True' | 'False' | 'Unknown';

export interface Condition {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number | undefined;
  /** RFC 3339, as stored. */
  readonly lastTransitionTime: string | undefined;
}

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

export interface ServicePort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** 0 where none is allocated. */
  readonly nodePort: number;
}

/**
 * One entry of `status.loadBalancer.ingress`, kept whole so that foreign fields survive a write.
 */
export interface IngressEntry {
  /** The text as stored; undefined for a hostname entry. */
  readonly ip: string | undefined;
  readonly hostname: string | undefined;
  readonly ipMode: 'VIP' | 'Proxy' | undefined;
  /** The stored `ports` list, opaque. */
  readonly ports: unknown;
}

export type TrafficPolicy = 'Cluster' | 'Local';

export interface Service {
  readonly kind: 'Service';
  readonly meta: Meta;
  readonly key: ServiceKey;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** Texts as stored; `None` marks a headless Service. */
  readonly clusterIps: readonly string[];
  readonly ports: readonly ServicePort[];
  readonly selector: Labels;
  readonly externalIps: readonly string[];
  readonly loadBalancerIp: string | undefined;
  readonly loadBalancerClass: string | undefined;
  readonly ipFamilies: readonly Family[];
  readonly ipFamilyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack' | undefined;
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly internalTrafficPolicy: TrafficPolicy;
  /** Undefined: no ClientIP affinity. */
  readonly affinitySeconds: number | undefined;
  /** Texts as stored, untrimmed. */
  readonly sourceRanges: readonly string[];
  readonly healthCheckNodePort: number;
  readonly ingress: readonly IngressEntry[];
  readonly conditions: readonly Condition[];
  /** Fields that could not be read; they count as unset. */
  readonly faults: readonly Fault[];
}

export interface Endpoint {
  /** All texts of `addresses`; only the first counts (datapath.md C14). */
  readonly addresses: readonly string[];
  readonly ready: boolean | undefined;
  readonly serving: boolean | undefined;
  readonly terminating: boolean | undefined;
  readonly nodeName: string | undefined;
  readonly zone: string | undefined;
  readonly hintZones: readonly string[];
  readonly hintNodes: readonly string[];
}

export interface EndpointPort {
  readonly name: string;
  readonly protocol: Protocol;
  /** Undefined: every port, which no Service port can use. */
  readonly port: number | undefined;
}

export interface EndpointSlice {
  readonly kind: 'EndpointSlice';
  readonly meta: Meta;
  /** From label `kubernetes.io/service-name`; undefined: belongs to no Service. */
  readonly service: ServiceKey | undefined;
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly EndpointPort[];
  readonly faults: readonly Fault[];
}

export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: string;
}

export interface NodeAddress {
  readonly type: string;
  /** The text as stored. */
  readonly address: string;
}

export interface Node {
  readonly kind: 'Node';
  readonly meta: Meta;
  readonly podCidrs: readonly string[];
  readonly unschedulable: boolean;
  readonly taints: readonly Taint[];
  readonly addresses: readonly NodeAddress[];
  readonly conditions: readonly Condition[];
  readonly faults: readonly Fault[];
}

/** A networking.k8s.io/v1 ServiceCIDR (KEP-1880): where ClusterIPs come from. */
export interface ServiceCidr {
  readonly kind: 'ServiceCIDR';
  readonly meta: Meta;
  /** At most one of each family; unreadable ones are left out. */
  readonly cidrs: readonly Prefix[];
  readonly faults: readonly Fault[];
}

export interface PoolBlock {
  readonly cidr: string | undefined;
  readonly start: string | undefined;
  readonly stop: string | undefined;
}

/** CiliumLoadBalancerIPPool as stored, not yet judged. `cidrs` of v2alpha1 stand after `blocks`. */
export interface Pool {
  readonly kind: 'CiliumLoadBalancerIPPool';
  readonly meta: Meta;
  readonly blocks: readonly PoolBlock[];
  /** The text as stored; anything but Yes and No is the pool's fault to report. */
  readonly allowFirstLastIps: string | undefined;
  readonly disabled: boolean;
  /** Undefined selects every Service. */
  readonly serviceSelector: LabelSelector | undefined;
  readonly conditions: readonly Condition[];
  readonly faults: readonly Fault[];
}

/** CiliumL2AnnouncementPolicy as stored, not yet compiled. */
export interface L2Policy {
  readonly kind: 'CiliumL2AnnouncementPolicy';
  readonly meta: Meta;
  readonly nodeSelector: LabelSelector | undefined;
  readonly serviceSelector: LabelSelector | undefined;
  readonly interfaces: readonly string[];
  readonly externalIps: boolean;
  readonly loadBalancerIps: boolean;
  readonly conditions: readonly Condition[];
  readonly faults: readonly Fault[];
}

export interface Lease {
  readonly kind: 'Lease';
  readonly meta: Meta;
  /** Empty when unset. */
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number | undefined;
  readonly leaseTransitions: number;
  readonly acquireTime: string | undefined;
  readonly renewTime: string | undefined;
  readonly faults: readonly Fault[];
}

/** A validated address with the Service that shows it. */
export interface HeldAddress {
  readonly ip: Ip;
  readonly service: ServiceKey;
}

/** `namespace/name`, or the name alone where there is no namespace: the key of a row in a table. */
export function objectKey(meta: Meta): string {
  return meta.namespace === '' ? meta.name : `${meta.namespace}/${meta.name}`;
}

export function serviceKey(namespace: string, name: string): ServiceKey {
  return `${namespace}/${name}` as ServiceKey;
}
