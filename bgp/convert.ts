import type { Json } from '../kube/port.ts';
import { apiVersion, resources, type Resource } from '../kube/resource.ts';
import type {
  BgpAttributes, BgpEntry, BgpInstanceOverride, BgpPeeringPolicy, BgpPeerSettings,
} from '../lb/bgpmodel.ts';
import type { Labels, Node } from '../lb/model.ts';
import type { LabelSelector } from '../lb/selector.ts';
import { compareText } from '../lb/table.ts';
import { annotatedOverrides, convertPolicy } from './legacy.ts';

/** A manifest, in the order in which people read its fields. */
export type Manifest = { readonly [key: string]: Json };

export interface ConvertedManifests {
  readonly manifests: readonly Manifest[];
  /** What has no equivalent, or could not be taken; with the name of its policy. */
  readonly warnings: readonly string[];
}

/**
 * A legacy policy as `v2` manifests (bgp.md 2.5): a cluster configuration, a peer configuration and
 * an advertisement for each neighbour, and overrides for the annotations of the Nodes. Pure.
 */
export function convertedManifests(
  policy: BgpPeeringPolicy, nodes: readonly Node[],
): ConvertedManifests {
  const converted = convertPolicy(policy);
  const { name } = policy.meta;
  const warnings = converted.reports.map((text) => `${name}: ${text}`);
  const names = new Map<string, string>();
  const manifests: Manifest[] = [];
  for (const [index, reference] of [...converted.peerSettings.keys()].entries()) {
    names.set(reference, `${name}-${index + 1}`);
  }
  manifests.push(manifestOf(resources.bgpClusterConfigs, { name }, {
    ...(policy.nodeSelector !== undefined && { nodeSelector: selectorJson(policy.nodeSelector) }),
    bgpInstances: converted.instances.map((instance) => ({
      name: instance.name, localASN: instance.localAsn ?? 0,
      peers: instance.peers.map((peer) => ({
        name: peer.name, peerAddress: peer.address?.ip ?? '', peerASN: peer.asn,
        peerConfigRef: { name: names.get(peer.config?.name ?? '') ?? '' },
      })),
    })),
  }));
  for (const advertisement of converted.advertisements) {
    const reference = advertisement.meta.name;
    const short = names.get(reference) ?? '';
    const settings = converted.peerSettings.get(reference);
    if (settings === undefined) continue;
    // A label value has at most 63 characters, an object name more.
    const label = { 'fairlead.dev/bgp-neighbour': short.slice(-63).replace(/^[^a-z0-9]+/u, '') };
    manifests.push(manifestOf(
      resources.bgpPeerConfigs, { name: short }, settingsJson(settings, label),
    ));
    const { entries, lost } = foldAttributes(advertisement.entries);
    warnings.push(...lost.map((text) => `${name}: ${short}: ${text}`));
    const spec = { advertisements: entries.map(entryJson) };
    manifests.push(manifestOf(resources.bgpAdvertisements, { name: short, labels: label }, spec));
  }
  return { manifests: [...manifests, ...overrides(nodes, converted.instances)], warnings };
}

function overrides(
  nodes: readonly Node[], instances: readonly { readonly name: string }[],
): Manifest[] {
  return [...nodes].sort((a, b) => compareText(a.meta.name, b.meta.name)).flatMap(({ meta }) => {
    const known = annotatedOverrides(meta.annotations).overrides
      .filter(({ name }) => instances.some((instance) => instance.name === name));
    if (known.length === 0) return [];
    const spec = { bgpInstances: known.map(overrideJson) };
    return [manifestOf(resources.bgpNodeConfigOverrides, { name: meta.name }, spec)];
  });
}

function overrideJson({ name, routerId, localPort }: BgpInstanceOverride): Json {
  return {
    name, ...(routerId !== undefined && { routerID: routerId }),
    ...(localPort !== undefined && { localPort }),
  };
}

function manifestOf(
  resource: Resource, { name, labels }: { readonly name: string; readonly labels?: Labels },
  spec: Json,
): Manifest {
  return {
    apiVersion: apiVersion(resource), kind: resource.kind,
    metadata: { name, ...(labels !== undefined && { labels }) }, spec,
  };
}

function settingsJson(settings: BgpPeerSettings, label: Labels): Json {
  const { port, timers, authSecret, restart, ebgpMultihop, families } = settings;
  return {
    transport: { peerPort: port },
    timers: {
      connectRetryTimeSeconds: timers.connectRetry, holdTimeSeconds: timers.hold,
      keepAliveTimeSeconds: timers.keepalive,
    },
    ...(authSecret !== undefined && { authSecretRef: authSecret }),
    ...(restart !== undefined && {
      gracefulRestart: { enabled: true, restartTimeSeconds: restart },
    }),
    ebgpMultihop,
    families: families.map(({ afi, safi }) => ({
      afi, safi, advertisements: { matchLabels: label },
    })),
  };
}

/**
 * Attributes that apply to every route of an entry are moved onto it; those of some nodes or pools
 * alone have no place in an advertisement, and are lost with a word.
 */
function foldAttributes(
  entries: readonly BgpEntry[],
): { readonly entries: readonly BgpEntry[]; readonly lost: readonly string[] } {
  const lost: string[] = [];
  const folded = entries.filter(({ only }) => only === undefined).map((entry) => {
    const adding = entries.filter((one) => one.only !== undefined && one.type === entry.type);
    let { attributes } = entry;
    for (const { only, attributes: more } of adding) {
      const everywhere = only?.selector === undefined && only?.of !== 'loadBalancerPool';
      if (everywhere) attributes = joined(attributes, more);
      else lost.push(`attributes of ${entry.type} routes hold for selected ${
        only?.of === 'node' ? 'nodes' : 'pools'} only, which an advertisement cannot say`);
    }
    return { ...entry, attributes };
  });
  return { entries: folded, lost };
}

function joined(left: BgpAttributes, right: BgpAttributes): BgpAttributes {
  return {
    communities: [...left.communities, ...right.communities],
    large: [...left.large, ...right.large],
    localPref: left.localPref === undefined || right.localPref === undefined
      ? left.localPref ?? right.localPref : Math.max(left.localPref, right.localPref),
  };
}

function entryJson(entry: BgpEntry): Json {
  const common = { advertisementType: entry.type, ...attributesJson(entry.attributes) };
  if (entry.type === 'Service') {
    return {
      ...common, service: { addresses: entry.addresses },
      ...(entry.selector !== undefined && { selector: selectorJson(entry.selector) }),
    };
  }
  if (entry.type === 'CiliumPodIPPool' && entry.selector !== undefined) {
    return { ...common, selector: selectorJson(entry.selector) };
  }
  return common;
}

function attributesJson({ communities, large, localPref }: BgpAttributes): {
  readonly attributes?: Json;
} {
  if (communities.length === 0 && large.length === 0 && localPref === undefined) return {};
  return {
    attributes: {
      communities: {
        ...(communities.length > 0 && {
          standard: communities.map((value) =>
            `${Math.floor(value / 0x1_0000)}:${value % 0x1_0000}`),
        }),
        ...(large.length > 0 && { large: large.map((value) => value.join(':')) }),
      },
      ...(localPref !== undefined && { localPreference: localPref }),
    },
  };
}

function selectorJson({ matchLabels, matchExpressions }: LabelSelector): Json {
  return {
    ...(Object.keys(matchLabels).length > 0 && { matchLabels }),
    ...(matchExpressions.length > 0 && {
      matchExpressions: matchExpressions.map(({ key, operator, values }) => ({
        key, operator, ...(values.length > 0 && { values }),
      })),
    }),
  };
}
