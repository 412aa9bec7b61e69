import {
  peerSettingsDefault, unicastFamilies, type BgpPeeringPolicy, type CiliumNode,
  type CiliumPodIpPool, type LegacyNeighbour, type LegacyPathAttributes, type LegacyRouter,
} from '../lb/bgpmodel.ts';
import { bitsOf, ipFromNumber, parsePrefix, type Ip } from '../lb/ip.ts';
import { ok } from '../lb/result.ts';
import {
  anyAsnBounds, bgpPortBounds, readAttributes, readFamily, readRestart, readTimers, wholeSpec,
} from './decode-bgp-parts.ts';
import { readConditions, readObject, readSelector, required, type Decoded } from './decode-meta.ts';
import type { KubeObject } from './port.ts';
import type { Reader } from './reader.ts';

/** A CiliumBGPPeeringPolicy (bgp.md 2.5). A zero or repeated ASN is for the conversion to judge. */
export function decodeBgpPeeringPolicy(object: KubeObject): Decoded<BgpPeeringPolicy> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = root.child('spec');
  return wholeSpec(parts.value, {
    kind: 'CiliumBGPPeeringPolicy', meta,
    nodeSelector: readSelector(spec, 'nodeSelector'),
    routers: spec?.items('virtualRouters', readRouter) ?? [],
    conditions: readConditions(root.child('status')), faults,
  });
}

const addressKinds = ['LoadBalancerIP', 'ClusterIP', 'ExternalIP'] as const;

function readRouter(item: Reader): LegacyRouter | undefined {
  const localAsn = required(item, 'localASN', item.integer('localASN', anyAsnBounds));
  const texts = item.texts('serviceAdvertisements');
  const router = {
    exportPodCidr: item.flag('exportPodCIDR') ?? false,
    podIpPoolSelector: readSelector(item, 'podIPPoolSelector'),
    serviceSelector: readSelector(item, 'serviceSelector'),
    serviceAddresses: texts.length === 0
      ? ['LoadBalancerIP' as const] : addressKinds.filter((kind) => texts.includes(kind)),
    neighbours: item.items('neighbors', readNeighbour),
  };
  return localAsn === undefined ? undefined : { localAsn, ...router };
}

function readNeighbour(item: Reader): LegacyNeighbour | undefined {
  const text = required(item, 'peerAddress', item.text('peerAddress'));
  const asn = required(item, 'peerASN', item.integer('peerASN', anyAsnBounds));
  const families = item.items('families', readFamily);
  const usual = peerSettingsDefault;
  const secret = item.text('authSecretRef');
  const settings = {
    port: item.integer('peerPort', bgpPortBounds) ?? usual.port,
    sourceInterface: undefined,
    timers: readTimers(item),
    authSecret: secret === '' ? undefined : secret,
    restart: readRestart(item),
    ebgpMultihop: item.integer('eBGPMultihopTTL', { min: 1, max: 255 }) ?? usual.ebgpMultihop,
    families: families.length === 0
      ? unicastFamilies : families.map((family) => ({ ...family, advertisements: undefined })),
  };
  const pathAttributes = item.items('advertisedPathAttributes', readPathAttributes);
  if (text === undefined || asn === undefined) return undefined;
  return { text, address: hostOf(text), asn, settings, pathAttributes };
}

/** The address of a prefix that has one; undefined for wider ones, which are reported. */
function hostOf(text: string): Ip | undefined {
  const parsed = parsePrefix(text);
  if (!parsed.ok || parsed.value.prefixBits !== bitsOf(parsed.value.family)) return undefined;
  return ipFromNumber(parsed.value.first, parsed.value.family);
}

const attributeTypes = ['PodCIDR', 'CiliumLoadBalancerIPPool', 'CiliumPodIPPool'] as const;

function readPathAttributes(item: Reader): LegacyPathAttributes | undefined {
  const type = required(item, 'selectorType', item.choice('selectorType', attributeTypes));
  const [selector, attributes] = [readSelector(item, 'selector'), readAttributes(item)];
  return type === undefined ? undefined : { type, selector, attributes };
}

/** What BGP reads of a CiliumNode: pod CIDRs by either way of address management. */
export function decodeCiliumNode(object: KubeObject): Decoded<CiliumNode> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const ipam = root.child('spec')?.child('ipam');
  const allocated = ipam?.child('pools')?.items('allocated', (item) => {
    const pool = required(item, 'pool', item.text('pool'));
    const cidrs = item.texts('cidrs');
    return pool === undefined ? undefined : { pool, cidrs };
  });
  return ok({
    kind: 'CiliumNode', meta, podCidrs: ipam?.texts('podCIDRs') ?? [], poolCidrs: allocated ?? [],
    faults,
  });
}

/** A CiliumPodIPPool, of which only the labels are read. */
export function decodeCiliumPodIpPool(object: KubeObject): Decoded<CiliumPodIpPool> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, faults } = parts.value;
  return ok({ kind: 'CiliumPodIPPool', meta, faults });
}
