import type { DesiredPeer } from '../../bgp/desired.ts';
import { familyOf, type Ip, type Prefix } from '../../lb/ip.ts';
import { compareText } from '../../lb/table.ts';
import type { BgpRouter } from '../bgp/bgprouter.ts';
import type { Cluster } from './cluster.ts';

/** One session that a node wants with a router of this world. */
export interface WantedSession {
  readonly node: string;
  readonly instance: string;
  readonly wanted: DesiredPeer;
  readonly router: BgpRouter;
}

/**
 * What the agents that run want of the routers of this world, by node. A session with somebody who
 * is not in it is left out.
 */
export function wantedSessions(cluster: Cluster): WantedSession[] {
  const routers = [...cluster.network.bgpRouters.values()];
  return cluster.machines.all().flatMap(({ node, agent }) =>
    (agent.agent?.advertiser?.instances ?? []).flatMap((session) =>
      (session.desired?.peers ?? []).flatMap((wanted): WantedSession[] => {
        const { ip } = wanted.peer.address;
        const router = routers.find((one) => one.router.stack.isLocal(ip));
        if (router === undefined) return [];
        return [{ node: node.name, instance: session.name, wanted, router }];
      })));
}

/** Nodes that routers send an address to, sorted. */
export function announcingNodes(cluster: Cluster, ip: Ip): string[] {
  const prefix = `${ip}/${familyOf(ip) === 'IPv4' ? 32 : 128}` as Prefix;
  const peers = [...cluster.network.bgpRouters.values()].flatMap(({ bgp }) =>
    bgp.rib.paths(prefix).map(({ peer }) => peer));
  return cluster.machines.all()
    .filter(({ node }) => peers.some((peer) => node.stack.isLocal(peer)))
    .map(({ node }) => node.name);
}

/** Routers whose tables are not what the nodes want of them, one sentence each. */
export function routeDifferences(cluster: Cluster): string[] {
  if (cluster.network.bgpRouters.size === 0) return [];
  return wantedSessions(cluster).flatMap(({ node, wanted, router }) => {
    const { stack } = cluster.machines.get(node).node;
    const own = stack.interfaces.flatMap(({ addresses }) => addresses);
    const session = router.bgp.peers().find(({ address, session: up }) =>
      up !== undefined && own.includes(address.ip));
    const name = `${node} and ${router.name}`;
    if (session === undefined) return [`${name} have no session`];
    const heard = router.bgp.rib.heardFrom(session.address.ip).toSorted(compareText);
    const stale = router.bgp.rib.stale(session.address.ip);
    const routes = wanted.routes.map(({ prefix }) => prefix).toSorted(compareText);
    if (stale.length > 0) return [`${router.name} has stale routes of ${node}`];
    if (heard.join() === routes.join()) return [];
    return [`${router.name} has ${heard.join() || 'nothing'} of ${node} instead of ` +
      (routes.join() || 'nothing')];
  });
}
