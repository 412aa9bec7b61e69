import { Catalogue, type BgpTables, type NodeSurroundings } from '../../bgp/catalogue.ts';
import { desiredInstances, type DesiredInputs, type DesiredInstance } from '../../bgp/desired.ts';
import type { Route } from '../../bgp/port.ts';
import { bgpDefaults, type BgpSettings } from '../../bgp/settings.ts';
import { createDecoder, type Decode } from '../../kube/decode.ts';
import { objectKey } from '../../kube/objectkey.ts';
import type { KubeObject } from '../../kube/port.ts';
import { Table } from '../../lb/table.ts';

const decoder = createDecoder();

export function emptyTables(): BgpTables {
  return {
    services: new Table('services'), slices: new Table('slices'), nodes: new Table('nodes'),
    nodeConfigs: new Table('nodeConfigs'), peerConfigs: new Table('peerConfigs'),
    advertisements: new Table('advertisements'), peeringPolicies: new Table('policies'),
    pools: new Table('pools'), ciliumNodes: new Table('ciliumNodes'),
    podPools: new Table('podPools'),
  };
}

/** Puts an object where an agent's watches would; one that is refused leaves its last row. */
export function put(tables: BgpTables, object: KubeObject): void {
  const rows: Record<string, readonly [Table<any>, Decode<unknown>]> = {
    Service: [tables.services, decoder.service],
    EndpointSlice: [tables.slices, decoder.slice],
    Node: [tables.nodes, decoder.node],
    CiliumBGPNodeConfig: [tables.nodeConfigs, decoder.bgpNodeConfig],
    CiliumBGPPeerConfig: [tables.peerConfigs, decoder.bgpPeerConfig],
    CiliumBGPAdvertisement: [tables.advertisements, decoder.bgpAdvertisement],
    CiliumBGPPeeringPolicy: [tables.peeringPolicies, decoder.bgpPeeringPolicy],
    CiliumLoadBalancerIPPool: [tables.pools, decoder.pool],
    CiliumNode: [tables.ciliumNodes, decoder.ciliumNode],
    CiliumPodIPPool: [tables.podPools, decoder.ciliumPodIpPool],
  };
  const row = rows[object.kind ?? ''];
  if (row === undefined) throw new Error(`no table for ${object.kind}`);
  const decoded = row[1](object);
  if (decoded.ok) row[0].upsert(objectKey(object)!, decoded.value);
}

export interface Surroundings extends Partial<NodeSurroundings> {
  readonly settings?: Partial<BgpSettings>;
  readonly nodeName?: string;
}

const nowhere: NodeSurroundings = {
  links: () => [], routes: () => [], programmed: () => true, password: () => undefined,
};

/** What node n1 should be, from objects alone. */
export function derive(
  objects: readonly KubeObject[], around: Surroundings = {},
): readonly DesiredInstance[] {
  return desiredInstances(inputsOf(objects, around));
}

export function inputsOf(
  objects: readonly KubeObject[], around: Surroundings = {},
): DesiredInputs {
  const tables = emptyTables();
  for (const object of objects) put(tables, object);
  const settings = { ...bgpDefaults, ...around.settings };
  const catalogue = new Catalogue(tables, around.nodeName ?? 'n1', settings);
  catalogue.take();
  return catalogue.inputs({ ...nowhere, ...around });
}

/** A route as one line: prefix, then what is not usual. */
export function routeText(route: Route): string {
  const { prefix, origin, communities, large, localPref } = route;
  return [
    prefix, ...(origin === 'igp' ? [] : [origin]),
    ...communities.map((value) => `${Math.floor(value / 65_536)}:${value % 65_536}`),
    ...large.map((value) => value.join(':')),
    ...(localPref === undefined ? [] : [`lp=${localPref}`]),
  ].join(' ');
}

/** `peer route` of every route of every instance. */
export function routeTexts(instances: readonly DesiredInstance[]): string[] {
  return instances.flatMap(({ peers }) => peers.flatMap(({ peer, routes }) =>
    routes.map((route) => `${peer.name} ${routeText(route)}`)));
}
