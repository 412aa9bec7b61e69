import {
  peerSettingsDefault, unicastFamilies, type BgpAdvertisement, type BgpClusterConfig, type BgpEntry,
  type BgpFamily, type BgpInstance, type BgpInstanceOverride, type BgpNodeConfig,
  type BgpNodeConfigOverride, type BgpNodeInstance, type BgpNodePeer, type BgpPeer,
  type BgpPeerConfig, type OwnerReference,
} from '../lb/bgpmodel.ts';
import {
  anyAsnBounds, asnBounds, bgpPortBounds, readAddress, readAttributes, readDiscovery, readFamily,
  readPeerAddress, readPeerConfigRef, readRestart, readRouterId, readTimers, uniqueName, wholeSpec,
} from './decode-bgp-parts.ts';
import { readConditions, readObject, readSelector, required, type Decoded } from './decode-meta.ts';
import type { KubeObject } from './port.ts';
import type { Reader } from './reader.ts';

/** A CiliumBGPClusterConfig; both versions decode to the same. */
export function decodeBgpClusterConfig(object: KubeObject): Decoded<BgpClusterConfig> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = required(root, 'spec', root.child('spec'));
  const seen = new Set<string>();
  return wholeSpec(parts.value, {
    kind: 'CiliumBGPClusterConfig', meta,
    nodeSelector: readSelector(spec, 'nodeSelector'),
    instances: spec?.items('bgpInstances', (item) => readInstance(item, seen)) ?? [],
    conditions: readConditions(root.child('status')), faults,
  });
}

function readInstance(item: Reader, seen: Set<string>): BgpInstance | undefined {
  const name = uniqueName(item, seen);
  const peers = new Set<string>();
  const instance = {
    localAsn: item.integer('localASN', asnBounds),
    localPort: item.integer('localPort', bgpPortBounds),
    peers: item.items('peers', (peer) => readPeer(peer, peers)),
  };
  return name === undefined ? undefined : { name, ...instance };
}

function readPeer(item: Reader, seen: Set<string>): BgpPeer | undefined {
  const name = uniqueName(item, seen);
  const [address, discovery] = [readPeerAddress(item), readDiscovery(item)];
  const described = item.raw('peerAddress') ?? item.raw('autoDiscovery');
  if (described === undefined) item.refuse('peerAddress', 'required without autoDiscovery');
  const peer = {
    address, discovery, asn: item.integer('peerASN', anyAsnBounds) ?? 0,
    config: readPeerConfigRef(item),
  };
  return name === undefined ? undefined : { name, ...peer };
}

/** A CiliumBGPPeerConfig; what is absent has the defaults of bgp.md 2.2. */
export function decodeBgpPeerConfig(object: KubeObject): Decoded<BgpPeerConfig> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = root.child('spec');
  const transport = spec?.child('transport');
  const families = spec?.items('families', readAdvertisedFamily) ?? [];
  const usual = peerSettingsDefault;
  return wholeSpec(parts.value, {
    kind: 'CiliumBGPPeerConfig', meta,
    port: transport?.integer('peerPort', bgpPortBounds) ?? usual.port,
    sourceInterface: filled(transport?.text('sourceInterface')),
    timers: readTimers(spec?.child('timers')),
    authSecret: filled(spec?.text('authSecretRef')),
    restart: readRestart(spec),
    ebgpMultihop: spec?.integer('ebgpMultihop', { min: 1, max: 255 }) ?? usual.ebgpMultihop,
    families: families.length === 0 ? unicastFamilies : families,
    conditions: readConditions(root.child('status')), faults,
  });
}

function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function readAdvertisedFamily(item: Reader): BgpFamily | undefined {
  const family = readFamily(item);
  const advertisements = readSelector(item, 'advertisements');
  return family === undefined ? undefined : { ...family, advertisements };
}

/** A CiliumBGPAdvertisement. */
export function decodeBgpAdvertisement(object: KubeObject): Decoded<BgpAdvertisement> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = required(root, 'spec', root.child('spec'));
  return wholeSpec(parts.value, {
    kind: 'CiliumBGPAdvertisement', meta,
    entries: spec?.items('advertisements', readEntry) ?? [], faults,
  });
}

const entryTypes = ['Service', 'PodCIDR', 'CiliumPodIPPool', 'Interface'] as const;
const addressKinds = ['LoadBalancerIP', 'ClusterIP', 'ExternalIP'] as const;

function readEntry(item: Reader): BgpEntry | undefined {
  const type = required(item, 'advertisementType', item.choice('advertisementType', entryTypes));
  const attributes = readAttributes(item.child('attributes'));
  const selector = readSelector(item, 'selector');
  switch (type) {
    case undefined: return undefined;
    case 'PodCIDR': return { type, attributes };
    case 'CiliumPodIPPool': return { type, attributes, selector };
    case 'Interface': {
      const named = required(item, 'interface', item.child('interface'));
      const name = filled(named?.text('name'));
      if (named !== undefined && name === undefined) named.refuse('name', 'required');
      return name === undefined ? undefined : { type, attributes, interface: name };
    }
    case 'Service': {
      const service = required(item, 'service', item.child('service'));
      return service && { type, attributes, selector, ...readServiceAddresses(service) };
    }
  }
}

function readServiceAddresses(service: Reader): Pick<
  Extract<BgpEntry, { type: 'Service' }>, 'addresses' | 'aggregation'
> {
  const texts = service.texts('addresses');
  const addresses = addressKinds.filter((kind) => texts.includes(kind));
  for (const [index, text] of texts.entries()) {
    if (addressKinds.some((kind) => kind === text)) continue;
    service.refuse(`addresses[${index}]`, `expected one of ${addressKinds.join(', ')}`);
  }
  if (texts.length === 0) service.refuse('addresses', 'expected at least one');
  const v4 = service.integer('aggregationLengthIPv4', { min: 0, max: 31 });
  const v6 = service.integer('aggregationLengthIPv6', { min: 0, max: 127 });
  const aggregation = {
    ...(v4 !== undefined && { IPv4: v4 }), ...(v6 !== undefined && { IPv6: v6 }),
  };
  return { addresses, aggregation };
}

/** A CiliumBGPNodeConfigOverride. */
export function decodeBgpNodeConfigOverride(object: KubeObject): Decoded<BgpNodeConfigOverride> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = required(root, 'spec', root.child('spec'));
  const seen = new Set<string>();
  return wholeSpec(parts.value, {
    kind: 'CiliumBGPNodeConfigOverride', meta,
    instances: spec?.items('bgpInstances', (item) => readOverride(item, seen)) ?? [], faults,
  });
}

function readOverride(item: Reader, seen: Set<string>): BgpInstanceOverride | undefined {
  const name = uniqueName(item, seen);
  const peers = new Set<string>();
  const override = {
    routerId: readRouterId(item, 'routerID'),
    localPort: item.integer('localPort', bgpPortBounds),
    localAsn: item.integer('localASN', asnBounds),
    peers: item.items('peers', (peer) => {
      const peerName = uniqueName(peer, peers);
      const localAddress = readAddress(peer, 'localAddress');
      return peerName === undefined ? undefined : { name: peerName, localAddress };
    }),
  };
  return name === undefined ? undefined : { name, ...override };
}

/** A CiliumBGPNodeConfig, which the controller writes. */
export function decodeBgpNodeConfig(object: KubeObject): Decoded<BgpNodeConfig> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = root.child('spec');
  const status = root.child('status');
  const seen = new Set<string>();
  const owners = root.child('metadata')?.items('ownerReferences', readOwner) ?? [];
  const row: BgpNodeConfig = {
    kind: 'CiliumBGPNodeConfig', meta,
    owner: owners.find(({ controller }) => controller)?.reference,
    instances: spec?.items('bgpInstances', (item) => readNodeInstance(item, seen)) ?? [],
    conditions: readConditions(status), statusInstances: status?.raw('bgpInstances'), faults,
  };
  return wholeSpec(parts.value, row);
}

function readOwner(item: Reader): { reference: OwnerReference; controller: boolean } {
  const reference = {
    kind: item.text('kind') ?? '', name: item.text('name') ?? '', uid: item.text('uid') ?? '',
  };
  return { reference, controller: item.flag('controller') ?? false };
}

function readNodeInstance(item: Reader, seen: Set<string>): BgpNodeInstance | undefined {
  const name = uniqueName(item, seen);
  const peers = new Set<string>();
  const instance = {
    localAsn: item.integer('localASN', asnBounds),
    localPort: item.integer('localPort', bgpPortBounds),
    routerId: readRouterId(item, 'routerID'),
    peers: item.items('peers', (peer) => readNodePeer(peer, peers)),
  };
  return name === undefined ? undefined : { name, ...instance };
}

function readNodePeer(item: Reader, seen: Set<string>): BgpNodePeer | undefined {
  const peer = readPeer(item, seen);
  const localAddress = readAddress(item, 'localAddress');
  return peer === undefined ? undefined : { ...peer, localAddress };
}

