import type { Family, Ip, Prefix } from './ip.ts';

/** How a node tells its own pods' traffic; all but `veth` exist for conformance tables only. */
export type LocalDetector =
  | { readonly kind: 'veth' }
  | { readonly kind: 'none' }
  /** `clusterCIDR` or `nodeCIDR`: a source in one of these prefixes is a pod. */
  | { readonly kind: 'cidr'; readonly prefixes: readonly Prefix[] };

/** Which addresses of a node serve NodePorts. */
export type NodePortAddresses =
  | { readonly kind: 'primary' }
  | { readonly kind: 'all' }
  | { readonly kind: 'cidrs'; readonly prefixes: readonly Prefix[] };

export type Algorithm = 'random' | 'maglev';

/** The datapath's options as they take part in decisions (datapath.md 1). */
export interface DatapathOptions {
  readonly algorithm: Algorithm;
  /** One of `maglevTableSizes`. */
  readonly maglevTableSize: number;
  /** Unsigned 32-bit, one for the cluster. */
  readonly hashSeed: number;
  readonly nodePortAddresses: NodePortAddresses;
  readonly nodePortRange: PortRange;
  readonly snatPorts: PortRange;
  readonly externalClusterIp: boolean;
  readonly externalIps: 'honour' | 'nodeOwned' | 'off';
  readonly vipGuard: boolean;
  readonly vipEcho: boolean;
  readonly noEndpoints: 'reject' | 'drop';
  readonly midstream: 'drop' | 'reset' | 'pass';
  readonly localDetector: LocalDetector;
  readonly masqueradeAll: boolean;
  /** Prefixes of all ServiceCIDRs; an address in them without a Service is dropped. */
  readonly serviceRanges: readonly Prefix[];
}

/** Both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export const datapathDefaults: DatapathOptions = {
  algorithm: 'random',
  maglevTableSize: 16381,
  hashSeed: 0x666c6c64,
  nodePortAddresses: { kind: 'primary' },
  nodePortRange: { first: 30000, last: 32767 },
  snatPorts: { first: 50000, last: 65535 },
  externalClusterIp: true,
  externalIps: 'honour',
  vipGuard: true,
  vipEcho: false,
  noEndpoints: 'reject',
  midstream: 'drop',
  localDetector: { kind: 'veth' },
  masqueradeAll: false,
  serviceRanges: [],
};

/** What a node knows of itself and of the cluster's address plan, beside its service ports. */
export interface NodeFacts {
  readonly nodeName: string;
  /** Addresses of this node, its primary address of each family first. */
  readonly addresses: readonly Ip[];
  /** Those of them that serve NodePorts. */
  readonly nodePortAddresses: readonly Ip[];
  /** Addresses of all nodes, where option `externalIps` is `nodeOwned`; else empty. */
  readonly nodeOwned: readonly Ip[];
  readonly options: DatapathOptions;
}

/** The source of translated flows: the node's primary address of a family. */
export function primaryAddress(facts: NodeFacts, family: Family): Ip | undefined {
  return facts.addresses.find((address) => address.includes(':') === (family === 'IPv6'));
}
