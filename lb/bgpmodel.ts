import type { Family, Ip } from './ip.ts';
import type { Condition, Fault, Meta } from './model.ts';
import type { LabelSelector } from './selector.ts';

/** Where a neighbour is: an address, and for a link-local one the interface it is on. */
export interface PeerAddress {
  readonly ip: Ip;
  readonly zone?: string;
}

/** How a neighbour without an address is found (bgp.md 2.1 `autoDiscovery`). */
export type PeerDiscovery =
  | { readonly mode: 'DefaultGateway'; readonly family: Family }
  /** Reserved. */
  | { readonly mode: 'Unnumbered' };

/** A `peerConfigRef`. Group and kind of `v2alpha1` may name something that is no PeerConfig. */
export interface PeerConfigRef {
  readonly name: string;
  /** Empty where unset. */
  readonly group: string;
  readonly kind: string;
}

/** Whether a reference is to a PeerConfig of ours; any other counts as missing (bgp.md 2). */
export function refersToPeerConfig({ group, kind }: PeerConfigRef): boolean {
  return (group === '' || group === 'cilium.io') && (kind === '' || kind === 'CiliumBGPPeerConfig');
}

/** One neighbour of an instance, as a cluster configuration names it. */
export interface BgpPeer {
  readonly name: string;
  readonly address: PeerAddress | undefined;
  /** 0 accepts the number in the peer's OPEN. */
  readonly asn: number;
  readonly discovery: PeerDiscovery | undefined;
  readonly config: PeerConfigRef | undefined;
}

/** One BGP router of each selected node. */
export interface BgpInstance {
  readonly name: string;
  readonly localAsn: number | undefined;
  readonly localPort: number | undefined;
  readonly peers: readonly BgpPeer[];
}

/** CiliumBGPClusterConfig (bgp.md 2.1). */
export interface BgpClusterConfig {
  readonly kind: 'CiliumBGPClusterConfig';
  readonly meta: Meta;
  /** Undefined selects every node. */
  readonly nodeSelector: LabelSelector | undefined;
  readonly instances: readonly BgpInstance[];
  readonly conditions: readonly Condition[];
  readonly faults: readonly Fault[];
}

/** Address and sub-address family as the API spells them. */
export interface AddressFamily {
  readonly afi: string;
  readonly safi: string;
  /** Undefined: one that fairlead does not speak. */
  readonly family: Family | undefined;
}

/** A family of a session with the advertisements that it carries. */
export interface BgpFamily extends AddressFamily {
  /** Undefined announces nothing. */
  readonly advertisements: LabelSelector | undefined;
}

/** Seconds, `keepalive` at most `hold`. */
export interface BgpTimers {
  readonly connectRetry: number;
  readonly hold: number;
  readonly keepalive: number;
}

/** What a session is like, whoever the neighbour is. */
export interface BgpPeerSettings {
  readonly port: number;
  readonly sourceInterface: string | undefined;
  readonly timers: BgpTimers;
  /** Name of a Secret in the namespace of BGP Secrets. */
  readonly authSecret: string | undefined;
  /** Restart time in seconds; undefined: no graceful restart. */
  readonly restart: number | undefined;
  readonly ebgpMultihop: number;
  readonly families: readonly BgpFamily[];
}

/** CiliumBGPPeerConfig (bgp.md 2.2). */
export interface BgpPeerConfig extends BgpPeerSettings {
  readonly kind: 'CiliumBGPPeerConfig';
  readonly meta: Meta;
  readonly conditions: readonly Condition[];
  readonly faults: readonly Fault[];
}

export type ServiceAddressKind = 'LoadBalancerIP' | 'ClusterIP' | 'ExternalIP';

/** `admin:data1:data2` of RFC 8092. */
export type LargeValue = readonly [admin: number, data1: number, data2: number];

/** Path attributes that an entry sets. */
export interface BgpAttributes {
  /** RFC 1997, in the order of the object. */
  readonly communities: readonly number[];
  readonly large: readonly LargeValue[];
  readonly localPref: number | undefined;
}

/**
 * A further condition of entries that legacy policies give, which only add attributes to prefixes
 * that other entries announce: on nodes, or of addresses of pools, that a selector matches.
 */
export interface AttributeScope {
  readonly of: 'node' | 'loadBalancerPool' | 'podPool';
  /** Undefined selects all. */
  readonly selector: LabelSelector | undefined;
}

/** One entry of an advertisement (bgp.md 2.3). */
export type BgpEntry = {
  readonly attributes: BgpAttributes;
  readonly only?: AttributeScope;
} & (
  | {
    readonly type: 'Service';
    readonly addresses: readonly ServiceAddressKind[];
    readonly aggregation: Readonly<Partial<Record<Family, number>>>;
    /** Undefined selects nothing. */
    readonly selector: LabelSelector | undefined;
  }
  | { readonly type: 'PodCIDR' }
  | { readonly type: 'CiliumPodIPPool'; readonly selector: LabelSelector | undefined }
  | { readonly type: 'Interface'; readonly interface: string }
);

/** CiliumBGPAdvertisement. */
export interface BgpAdvertisement {
  readonly kind: 'CiliumBGPAdvertisement';
  readonly meta: Meta;
  readonly entries: readonly BgpEntry[];
  readonly faults: readonly Fault[];
}

/** What an override says of one instance of its node. */
export interface BgpInstanceOverride {
  readonly name: string;
  readonly routerId: Ip | undefined;
  readonly localPort: number | undefined;
  readonly localAsn: number | undefined;
  readonly peers: readonly { readonly name: string; readonly localAddress: Ip | undefined }[];
}

/** CiliumBGPNodeConfigOverride; its name is that of a Node (bgp.md 2.4). */
export interface BgpNodeConfigOverride {
  readonly kind: 'CiliumBGPNodeConfigOverride';
  readonly meta: Meta;
  readonly instances: readonly BgpInstanceOverride[];
  readonly faults: readonly Fault[];
}

/** A neighbour as the node's own configuration has it. */
export interface BgpNodePeer extends BgpPeer {
  readonly localAddress: Ip | undefined;
}

export interface BgpNodeInstance {
  readonly name: string;
  readonly localAsn: number | undefined;
  readonly localPort: number | undefined;
  readonly routerId: Ip | undefined;
  readonly peers: readonly BgpNodePeer[];
}

/** The object that a NodeConfig was rendered from. */
export interface OwnerReference {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** CiliumBGPNodeConfig; its name is that of a Node. */
export interface BgpNodeConfig {
  readonly kind: 'CiliumBGPNodeConfig';
  readonly meta: Meta;
  readonly owner: OwnerReference | undefined;
  readonly instances: readonly BgpNodeInstance[];
  readonly conditions: readonly Condition[];
  /** `status.bgpInstances` as stored. */
  readonly statusInstances: unknown;
  readonly faults: readonly Fault[];
}

/** Attributes of a legacy neighbour for the routes of one kind. */
export interface LegacyPathAttributes {
  readonly type: 'PodCIDR' | 'CiliumLoadBalancerIPPool' | 'CiliumPodIPPool';
  /** Undefined selects all. */
  readonly selector: LabelSelector | undefined;
  readonly attributes: BgpAttributes;
}

export interface LegacyNeighbour {
  /** As written, `10.0.0.1/32`. */
  readonly text: string;
  readonly address: Ip | undefined;
  readonly asn: number;
  readonly settings: BgpPeerSettings;
  readonly pathAttributes: readonly LegacyPathAttributes[];
}

export interface LegacyRouter {
  readonly localAsn: number;
  readonly exportPodCidr: boolean;
  readonly podIpPoolSelector: LabelSelector | undefined;
  readonly serviceSelector: LabelSelector | undefined;
  readonly serviceAddresses: readonly ServiceAddressKind[];
  readonly neighbours: readonly LegacyNeighbour[];
}

/** CiliumBGPPeeringPolicy (bgp.md 2.5). */
export interface BgpPeeringPolicy {
  readonly kind: 'CiliumBGPPeeringPolicy';
  readonly meta: Meta;
  readonly nodeSelector: LabelSelector | undefined;
  readonly routers: readonly LegacyRouter[];
  readonly conditions: readonly Condition[];
  readonly faults: readonly Fault[];
}

/** What BGP reads of a CiliumNode: prefixes as stored. */
export interface CiliumNode {
  readonly kind: 'CiliumNode';
  readonly meta: Meta;
  readonly podCidrs: readonly string[];
  readonly poolCidrs: readonly { readonly pool: string; readonly cidrs: readonly string[] }[];
  readonly faults: readonly Fault[];
}

/** A CiliumPodIPPool: its labels are all that is read. */
export interface CiliumPodIpPool {
  readonly kind: 'CiliumPodIPPool';
  readonly meta: Meta;
  readonly faults: readonly Fault[];
}

/** The families of a peer that names none (bgp.md 2.2). */
export const unicastFamilies: readonly BgpFamily[] = [
  { afi: 'ipv6', safi: 'unicast', family: 'IPv6', advertisements: undefined },
  { afi: 'ipv4', safi: 'unicast', family: 'IPv4', advertisements: undefined },
];

/** The session of a peer without a PeerConfig, which announces nothing (bgp.md 2.1). */
export const peerSettingsDefault: BgpPeerSettings = {
  port: 179, sourceInterface: undefined, timers: { connectRetry: 120, hold: 90, keepalive: 30 },
  authSecret: undefined, restart: undefined, ebgpMultihop: 1, families: unicastFamilies,
};
