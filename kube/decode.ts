import type {
  BgpAdvertisement, BgpClusterConfig, BgpNodeConfig, BgpNodeConfigOverride, BgpPeerConfig,
  BgpPeeringPolicy, CiliumNode, CiliumPodIpPool,
} from '../lb/bgpmodel.ts';
import type {
  EndpointSlice, L2Policy, Lease, Node, Pool, Service, ServiceCidr,
} from '../lb/model.ts';
import {
  decodeBgpAdvertisement, decodeBgpClusterConfig, decodeBgpNodeConfig, decodeBgpNodeConfigOverride,
  decodeBgpPeerConfig,
} from './decode-bgp.ts';
import {
  decodeBgpPeeringPolicy, decodeCiliumNode, decodeCiliumPodIpPool,
} from './decode-bgp-legacy.ts';
import { decodeLease, decodeNode, decodeServiceCidr, decodeSlice } from './decode-cluster.ts';
import type { Decoded } from './decode-meta.ts';
import { decodeL2Policy, decodePool } from './decode-policy.ts';
import { decodeService } from './decode-service.ts';
import type { KubeObject } from './port.ts';

export type { Decoded } from './decode-meta.ts';

/** Reads an object as one kind: a row, whose faults count as unset fields, or why there is none. */
export type Decode<T> = (object: KubeObject) => Decoded<T>;

export interface Decoder {
  readonly service: Decode<Service>;
  readonly slice: Decode<EndpointSlice>;
  readonly node: Decode<Node>;
  readonly pool: Decode<Pool>;
  readonly l2Policy: Decode<L2Policy>;
  readonly lease: Decode<Lease>;
  readonly serviceCidr: Decode<ServiceCidr>;
  readonly bgpClusterConfig: Decode<BgpClusterConfig>;
  readonly bgpPeerConfig: Decode<BgpPeerConfig>;
  readonly bgpAdvertisement: Decode<BgpAdvertisement>;
  readonly bgpNodeConfig: Decode<BgpNodeConfig>;
  readonly bgpNodeConfigOverride: Decode<BgpNodeConfigOverride>;
  readonly bgpPeeringPolicy: Decode<BgpPeeringPolicy>;
  readonly ciliumNode: Decode<CiliumNode>;
  readonly ciliumPodIpPool: Decode<CiliumPodIpPool>;
}

/**
 * Decoders that remember what they made of each object, by identity: objects from a port are shared
 * and never modified, so one decoder may serve every process of a simulated world, and two reads of
 * one object give the same row. Never throws, whatever the JSON.
 */
export function createDecoder(): Decoder {
  return {
    service: memo(decodeService),
    slice: memo(decodeSlice),
    node: memo(decodeNode),
    pool: memo(decodePool),
    l2Policy: memo(decodeL2Policy),
    lease: memo(decodeLease),
    serviceCidr: memo(decodeServiceCidr),
    bgpClusterConfig: memo(decodeBgpClusterConfig),
    bgpPeerConfig: memo(decodeBgpPeerConfig),
    bgpAdvertisement: memo(decodeBgpAdvertisement),
    bgpNodeConfig: memo(decodeBgpNodeConfig),
    bgpNodeConfigOverride: memo(decodeBgpNodeConfigOverride),
    bgpPeeringPolicy: memo(decodeBgpPeeringPolicy),
    ciliumNode: memo(decodeCiliumNode),
    ciliumPodIpPool: memo(decodeCiliumPodIpPool),
  };
}

function memo<T>(decode: Decode<T>): Decode<T> {
  const known = new WeakMap<KubeObject, Decoded<T>>();
  return (object) => {
    const before = known.get(object);
    if (before !== undefined) return before;
    const decoded = decode(object);
    // Junk in the place of an object cannot be a key, and need not be remembered.
    if (typeof object === 'object' && object !== null) known.set(object, decoded);
    return decoded;
  };
}
