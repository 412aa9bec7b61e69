import type {
  BgpInstance, BgpInstanceOverride, BgpNodeInstance, BgpNodePeer, PeerAddress,
} from '../lb/bgpmodel.ts';
import type { Ip } from '../lb/ip.ts';
import type { Json } from '../kube/port.ts';

/** Instances with the override of their node, and what of it names nothing. */
export interface RenderedInstances {
  readonly instances: readonly BgpNodeInstance[];
  /** `bgpInstances[2].peers[0].name: …`, in the order of the override. */
  readonly unknown: readonly string[];
}

/** Merges by name (bgp.md 2.4). `routerId` is asked for where the override has none. Pure. */
export function renderInstances(
  instances: readonly BgpInstance[], overrides: readonly BgpInstanceOverride[],
  routerId: (instance: string) => Ip | undefined,
): RenderedInstances {
  const unknown = overrides.flatMap((override, index) => {
    const instance = instances.find(({ name }) => name === override.name);
    if (instance === undefined) {
      return [`bgpInstances[${index}].name: the node has no instance ${override.name}`];
    }
    return override.peers.flatMap(({ name }, at) => (
      instance.peers.some((peer) => peer.name === name) ? [] : [
        `bgpInstances[${index}].peers[${at}].name: instance ${override.name} has no peer ${name}`,
      ]
    ));
  });
  return {
    unknown,
    instances: instances.map((instance) => {
      const override = overrides.find(({ name }) => name === instance.name);
      return {
        name: instance.name,
        localAsn: override?.localAsn ?? instance.localAsn,
        localPort: override?.localPort ?? instance.localPort,
        routerId: override?.routerId ?? routerId(instance.name),
        peers: instance.peers.map((peer): BgpNodePeer => ({
          ...peer,
          localAddress: override?.peers.find(({ name }) => name === peer.name)?.localAddress,
        })),
      };
    }),
  };
}

/** `spec.bgpInstances` of a NodeConfig, always in the same order of fields. */
export function instancesJson(instances: readonly BgpNodeInstance[]): readonly Json[] {
  return instances.map(({ name, localAsn, routerId, localPort, peers }) => ({
    name,
    ...(localAsn !== undefined && { localASN: localAsn }),
    ...(routerId !== undefined && { routerID: routerId }),
    ...(localPort !== undefined && { localPort }),
    peers: peers.map(peerJson),
  }));
}

/** One peer of a NodeConfig. */
function peerJson(peer: BgpNodePeer): Json {
  const { name, address, asn, discovery, localAddress, config } = peer;
  return {
    name,
    ...(address !== undefined && { peerAddress: addressText(address) }),
    peerASN: asn,
    ...(discovery !== undefined && {
      autoDiscovery: discovery.mode === 'Unnumbered' ? { mode: discovery.mode } : {
        mode: discovery.mode,
        defaultGateway: { addressFamily: discovery.family === 'IPv4' ? 'ipv4' : 'ipv6' },
      },
    }),
    ...(localAddress !== undefined && { localAddress }),
    ...(config !== undefined && {
      peerConfigRef: {
        name: config.name,
        ...(config.group !== '' && { group: config.group }),
        ...(config.kind !== '' && { kind: config.kind }),
      },
    }),
  };
}

/** `fe80::1%eth0`, or the address alone. */
export function addressText({ ip, zone }: PeerAddress): string {
  return zone === undefined ? ip : `${ip}%${zone}`;
}
