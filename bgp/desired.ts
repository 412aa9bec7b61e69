import {
  peerSettingsDefault, type BgpAdvertisement, type BgpNodeInstance,
} from '../lb/bgpmodel.ts';
import type { Prefix } from '../lb/ip.ts';
import { compareText } from '../lb/table.ts';
import type { RouteSources } from './contributions.ts';
import { resolvePeers, type PeerSources, type SkippedPeer } from './peers.ts';
import type { Route, SpeakerGlobal, SpeakerPeer } from './port.ts';
import { defaultRouterId } from './routerid.ts';
import { RouteDerivation } from './routes.ts';

/** A peer as it should be, with the whole set of its routes. */
export interface DesiredPeer {
  readonly peer: SpeakerPeer;
  readonly routes: readonly Route[];
}

/** What one instance of this node should be. */
export interface DesiredInstance {
  readonly name: string;
  /** Undefined: it cannot start, for `error`. */
  readonly global: SpeakerGlobal | undefined;
  readonly error: string | undefined;
  /** By name. */
  readonly peers: readonly DesiredPeer[];
  readonly skipped: readonly SkippedPeer[];
  /** `peer: Reason text`, sorted. */
  readonly warnings: readonly string[];
  /** Prefixes whose other addresses must not be forwarded (bgp.md 4, Prefix). */
  readonly aggregates: readonly Prefix[];
}

export interface DesiredInputs {
  readonly instances: readonly BgpNodeInstance[];
  readonly advertisements: Iterable<BgpAdvertisement>;
  readonly peers: PeerSources;
  readonly routes: RouteSources;
}

/**
 * The desired state of every instance of a node from all inputs (bgp.md 3), by name. Pure: the
 * order of inputs never decides.
 */
export function desiredInstances(inputs: DesiredInputs): readonly DesiredInstance[] {
  const derivation = new RouteDerivation(inputs.routes, inputs.advertisements);
  const ports = new Map<number, string>();
  return [...inputs.instances].sort((left, right) => compareText(left.name, right.name))
    .map((instance) => desiredInstance(instance, { inputs, derivation, ports }));
}

interface Deriving {
  readonly inputs: DesiredInputs;
  readonly derivation: RouteDerivation;
  /** Listening ports by instance, so that the second one is told before it fails to bind. */
  readonly ports: Map<number, string>;
}

function desiredInstance(instance: BgpNodeInstance, of: Deriving): DesiredInstance {
  const { inputs: { peers: sources, routes }, derivation, ports } = of;
  const { name, localAsn, localPort } = instance;
  const none = { name, global: undefined, peers: [], skipped: [], warnings: [], aggregates: [] };
  if (localAsn === undefined) return { ...none, error: 'localASN is set nowhere' };
  const holder = localPort === undefined ? undefined : ports.get(localPort);
  if (holder !== undefined) {
    return { ...none, error: `port-in-use: instance ${holder} listens on port ${localPort}` };
  }
  if (localPort !== undefined) ports.set(localPort, name);
  const resolution = resolvePeers({ ...instance, localAsn }, sources, peerSettingsDefault);
  const warnings: string[] = [];
  const aggregates = new Set<Prefix>();
  const peers = resolution.resolved.map(({ peer, settings, warnings: told }): DesiredPeer => {
    // A neighbour of any ASN may turn out to be internal; the speaker strips what it may not send.
    const internal = peer.asn === 0 || peer.asn === localAsn;
    const derived = derivation.routesOf({
      families: settings.families, usable: peer.families, internal,
    });
    for (const prefix of derived.aggregates) aggregates.add(prefix);
    warnings.push(...[...told, ...derived.warnings].map((text) => `${peer.name}: ${text}`));
    return { peer, routes: derived.routes };
  });
  return {
    name, error: undefined, peers, skipped: resolution.skipped,
    global: {
      asn: localAsn, listenPort: localPort,
      routerId: instance.routerId ?? defaultRouterId(routes.nodeName, routes.node),
    },
    warnings: warnings.sort(compareText),
    aggregates: [...aggregates].sort(compareText),
  };
}
