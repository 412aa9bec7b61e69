import { resources } from '../../kube/resource.ts';
import { familyOf, parseIpUnmapped, type Ip } from '../../lb/ip.ts';
import type { EndpointSlice, Service } from '../../lb/model.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Report } from './oracles.ts';

/**
 * When a node is looked at after a change of endpoints: what its agent knows then, a router has
 * heard one bound later (bgp.md 1 and 9: 100 ms, and the way).
 */
const looks: readonly Micros[] = [20_000, 200_000, 1_000_000];
const bound: Micros = 110_000;

interface Stray {
  readonly router: string;
  readonly node: string;
  readonly service: string;
  readonly ip: Ip;
}

/**
 * No router has a fresh route of a `Local` address from a live and connected node whose agent knows
 * of no ready endpoint there (simulator.md 9, oracle 7).
 */
export function watchLocalMeansLocal(cluster: Cluster, report: Report): void {
  if (cluster.network.bgpRouters.size === 0) return;
  const what = { kind: 'oracle', entity: 'local-means-local' };
  const look = (): void => {
    const strays = strayRoutes(cluster);
    if (strays.length === 0) return;
    cluster.world.schedule(bound, what, () => {
      const now = new Set(strayRoutes(cluster).map(textOf));
      for (const stray of strays) {
        if (!now.has(textOf(stray))) continue;
        report({
          oracle: 'local-means-local', object: `service ${stray.service}`, text: textOf(stray),
        });
      }
    }, { band: 2 });
  };
  cluster.store.onCommit(resources.endpointSlices, () => {
    for (const wait of looks) cluster.world.schedule(wait, what, look, { band: 2 });
  });
}

function textOf({ router, node, service, ip }: Stray): string {
  return `${router} sends ${ip} of ${service} to ${node}, which has no ready endpoint`;
}

function strayRoutes(cluster: Cluster): Stray[] {
  return cluster.machines.all().flatMap(({ node, agent }) => {
    const tables = agent.agent?.tables;
    if (tables === undefined || !node.running) return [];
    const slices = [...tables.slices.values()];
    return [...tables.services.values()]
      .filter((service) => service.externalTrafficPolicy === 'Local')
      .flatMap((service) => addressesOf(service)
        .filter((ip) => !servesLocally(slices, service, { ip, node: node.name }))
        .flatMap((ip) => routersWith(cluster, ip, node.name)
          .map((router) => ({ router, node: node.name, service: service.key, ip }))));
  });
}

function addressesOf({ ingress }: Service): Ip[] {
  return ingress.flatMap(({ ip }) => {
    const parsed = parseIpUnmapped(ip ?? '');
    return parsed.ok ? [parsed.value] : [];
  });
}

// oxlint-disable-next-line max-params -- the endpoints, whose they are to be, and where
function servesLocally(
  slices: readonly EndpointSlice[], service: Service, place: { ip: Ip; node: string },
): boolean {
  return slices.some((slice) => slice.service === service.key &&
    slice.addressType === familyOf(place.ip) &&
    slice.endpoints.some(({ nodeName, ready }) => nodeName === place.node && ready));
}

/** Routers with a session to the node and a fresh path of it. */
function routersWith(cluster: Cluster, ip: Ip, node: string): string[] {
  const { stack } = cluster.machines.get(node).node;
  const prefix = `${ip}/${familyOf(ip) === 'IPv4' ? 32 : 128}`;
  return [...cluster.network.bgpRouters.values()].flatMap(({ name, bgp }) =>
    bgp.rib.prefixes().filter((one) => one === prefix).flatMap((one) =>
      bgp.rib.paths(one).filter(({ peer }) =>
        stack.isLocal(peer) && bgp.peer(peer)?.session !== undefined &&
        !bgp.rib.stale(peer).includes(one)).map(() => name)));
}
