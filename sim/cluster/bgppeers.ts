import { convertPolicy } from '../../bgp/legacy.ts';
import { readPassword } from '../../bgp/secrets.ts';
import type { Decode, Decoder } from '../../kube/decode.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { BgpPeer, BgpPeerSettings } from '../../lb/bgpmodel.ts';
import type { ExpectedPeer } from './bgpnetwork.ts';

export interface StoredObjects {
  list(resource: Resource): readonly KubeObject[];
}

/** The kinds that make a cluster speak BGP. */
export const bgpResources: readonly Resource[] = [
  resources.bgpClusterConfigs, resources.bgpNodeConfigs, resources.bgpPeeringPolicies,
];

/** Neighbours that the stored BGP objects want, in either dialect. */
export function expectedPeers(
  store: StoredObjects, decoder: Decoder, secretsNamespace: string,
): ExpectedPeer[] {
  const all = <T>(resource: Resource, decode: Decode<T>): T[] =>
    store.list(resource).flatMap((object) => {
      const decoded = decode(object);
      return decoded.ok ? [decoded.value] : [];
    });
  const settings = new Map(all(resources.bgpPeerConfigs, decoder.bgpPeerConfig)
    .map((config): [string, BgpPeerSettings] => [config.meta.name, config]));
  const passwordOf = (secret: string | undefined): string | undefined => {
    const object = store.list(resources.secrets).find(({ metadata }) =>
      metadata?.namespace === secretsNamespace && metadata.name === secret);
    return object === undefined ? undefined : readPassword(object)?.text;
  };
  const expect = (
    { name, address, asn, discovery, config }: BgpPeer,
    known: ReadonlyMap<string, BgpPeerSettings>,
  ): ExpectedPeer[] => {
    if (address === undefined && discovery?.mode !== 'DefaultGateway') return [];
    const password = passwordOf(known.get(config?.name ?? '')?.authSecret);
    return [{ name, address: address?.ip, asn, password }];
  };
  const configured = [
    ...all(resources.bgpClusterConfigs, decoder.bgpClusterConfig),
    ...all(resources.bgpNodeConfigs, decoder.bgpNodeConfig),
  ].flatMap(({ instances }) => instances.flatMap(({ peers }) => peers))
    .flatMap((peer) => expect(peer, settings));
  const legacy = all(resources.bgpPeeringPolicies, decoder.bgpPeeringPolicy).flatMap((policy) => {
    const { instances, peerSettings } = convertPolicy(policy);
    return instances.flatMap(({ peers }) => peers).flatMap((peer) => expect(peer, peerSettings));
  });
  return [...configured, ...legacy];
}
