import type {
  BgpAdvertisement, BgpAttributes, BgpEntry, BgpInstance, BgpInstanceOverride, BgpPeer,
  BgpPeeringPolicy, BgpPeerSettings, LegacyNeighbour, LegacyRouter,
} from '../lb/bgpmodel.ts';
import { familyOf, parseIp } from '../lb/ip.ts';
import type { Labels } from '../lb/model.ts';
import type { LabelSelector } from '../lb/selector.ts';

/** A CiliumBGPPeeringPolicy in the terms of the present model (bgp.md 2.5). */
export interface ConvertedPolicy {
  readonly instances: readonly BgpInstance[];
  /** By the names that the peers of `instances` refer to. */
  readonly peerSettings: ReadonlyMap<string, BgpPeerSettings>;
  readonly advertisements: readonly BgpAdvertisement[];
  /** What could not be taken, with the path of its field. */
  readonly reports: readonly string[];
}

const noAttributes: BgpAttributes = { communities: [], large: [], localPref: undefined };
/** Joins a neighbour's sessions to its advertisement. */
const neighbourLabel = 'fairlead.dev/bgp-neighbour';

/** Pure; the first of two routers with one ASN is kept. */
export function convertPolicy(policy: BgpPeeringPolicy): ConvertedPolicy {
  const instances: BgpInstance[] = [];
  const peerSettings = new Map<string, BgpPeerSettings>();
  const advertisements: BgpAdvertisement[] = [];
  const reports: string[] = [];
  const seen = new Set<number>();
  for (const [index, router] of policy.routers.entries()) {
    const path = `spec.virtualRouters[${index}]`;
    const { localAsn } = router;
    if (localAsn === 0 || seen.has(localAsn)) {
      const why = localAsn === 0 ? '0 is no AS number' : `${localAsn} stands twice`;
      reports.push(`${path}.localASN: ${why}`);
      continue;
    }
    seen.add(localAsn);
    const peers: BgpPeer[] = [];
    for (const [at, neighbour] of router.neighbours.entries()) {
      const converted = convertNeighbour(policy, router, neighbour);
      if (converted === undefined) {
        reports.push(`${path}.neighbors[${at}].peerAddress: '${neighbour.text}' is no single host`);
        continue;
      }
      if (peerSettings.has(converted.advertisement.meta.name)) {
        reports.push(`${path}.neighbors[${at}].peerAddress: '${neighbour.text}' stands twice`);
        continue;
      }
      peers.push(converted.peer);
      peerSettings.set(converted.advertisement.meta.name, converted.settings);
      advertisements.push(converted.advertisement);
    }
    instances.push({ name: `asn-${localAsn}`, localAsn, localPort: undefined, peers });
  }
  return { instances, peerSettings, advertisements, reports };
}

interface ConvertedNeighbour {
  readonly peer: BgpPeer;
  readonly settings: BgpPeerSettings;
  readonly advertisement: BgpAdvertisement;
}

function convertNeighbour(
  policy: BgpPeeringPolicy, router: LegacyRouter, neighbour: LegacyNeighbour,
): ConvertedNeighbour | undefined {
  const { address, asn, settings } = neighbour;
  if (address === undefined) return undefined;
  const name = `legacy:${policy.meta.name}:${router.localAsn}:${address}`;
  // An address may end with a colon, a label value may not end with what stands for it.
  const value = `${router.localAsn}.${address.replaceAll(':', '-')}.n`;
  const labels: Labels = { [neighbourLabel]: value };
  const advertisements: LabelSelector = { matchLabels: labels, matchExpressions: [] };
  return {
    peer: {
      name: address, address: { ip: address }, asn, discovery: undefined,
      config: { name, group: '', kind: '' },
    },
    settings: {
      ...settings,
      families: settings.families.map((family) => ({ ...family, advertisements })),
    },
    advertisement: {
      kind: 'CiliumBGPAdvertisement', meta: { ...policy.meta, name, labels },
      entries: entriesOf(router, neighbour), faults: [],
    },
  };
}

function entriesOf(router: LegacyRouter, { pathAttributes }: LegacyNeighbour): BgpEntry[] {
  const { exportPodCidr, podIpPoolSelector, serviceSelector, serviceAddresses } = router;
  const entries: BgpEntry[] = [];
  if (exportPodCidr) entries.push({ type: 'PodCIDR', attributes: noAttributes });
  if (podIpPoolSelector !== undefined) {
    entries.push({
      type: 'CiliumPodIPPool', selector: podIpPoolSelector, attributes: noAttributes,
    });
  }
  if (serviceSelector !== undefined) {
    entries.push({
      type: 'Service', addresses: serviceAddresses, aggregation: {}, selector: serviceSelector,
      attributes: noAttributes,
    });
  }
  for (const { type, selector, attributes } of pathAttributes) {
    if (type === 'PodCIDR' && exportPodCidr) {
      entries.push({ type, attributes, only: { of: 'node', selector } });
    } else if (type === 'CiliumPodIPPool' && podIpPoolSelector !== undefined) {
      entries.push({
        type, attributes, selector: podIpPoolSelector, only: { of: 'podPool', selector },
      });
    } else if (type === 'CiliumLoadBalancerIPPool' && serviceSelector !== undefined) {
      entries.push({
        type: 'Service', addresses: ['LoadBalancerIP'], aggregation: {}, attributes,
        selector: serviceSelector, only: { of: 'loadBalancerPool', selector },
      });
    }
  }
  return entries;
}

const annotationPrefix = 'cilium.io/bgp-virtual-router.';

/**
 * Overrides that a Node's annotations `cilium.io/bgp-virtual-router.<ASN>` make, each
 * `router-id=a.b.c.d,local-port=n`; other keys are ignored, as Cilium does.
 */
export function annotatedOverrides(
  annotations: Labels,
): { readonly overrides: readonly BgpInstanceOverride[]; readonly reports: readonly string[] } {
  const reports: string[] = [];
  const overrides = Object.entries(annotations).flatMap(([key, text]) => {
    if (!key.startsWith(annotationPrefix)) return [];
    const fields = new Map(text.split(',').map((field) => {
      const equals = field.indexOf('=');
      return [field.slice(0, equals).trim(), field.slice(equals + 1).trim()] as const;
    }));
    const id = fields.get('router-id');
    const port = fields.get('local-port');
    const parsed = id === undefined ? undefined : parseIp(id);
    const routerId = parsed?.ok === true && familyOf(parsed.value) === 'IPv4'
      ? parsed.value : undefined;
    const localPort = port !== undefined && /^[0-9]{1,5}$/u.test(port) ? Number(port) : undefined;
    const listens = localPort !== undefined && localPort >= 1 && localPort <= 65_535;
    if (id !== undefined && routerId === undefined) reports.push(`${key}: router-id '${id}'`);
    if (port !== undefined && !listens) reports.push(`${key}: local-port '${port}'`);
    return [{
      name: `asn-${key.slice(annotationPrefix.length)}`, routerId, localAsn: undefined, peers: [],
      localPort: listens ? localPort : undefined,
    }];
  });
  return { overrides, reports };
}
