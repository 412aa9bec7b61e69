import { parseIpUnmapped, type Ip } from '../../lb/ip.ts';
import { compareText } from '../../lb/table.ts';
import type { Cluster } from '../cluster/cluster.ts';

const settle = 2_000_000;

/**
 * Notes `router.staleNeighbour` where a router or host still holds another MAC 2 s after a new
 * owner announced an address: whoever keeps it waits for that entry and not for the cluster.
 */
export function watchStaleNeighbours(cluster: Cluster): void {
  cluster.world.onNote((note) => {
    if (note.code !== 'l2.announced') return;
    const address = parseIpUnmapped(note.object ?? '');
    if (!address.ok) return;
    const look = (): void => lookAt(cluster, address.value);
    cluster.world.schedule(settle, { kind: 'mark', entity: 'neighbours' }, look, { band: 2 });
  });
}

function lookAt(cluster: Cluster, ip: Ip): void {
  const [owner] = cluster.ownersOf(ip);
  if (owner === undefined) return;
  const macs = new Set(cluster.machines.get(owner).node.nics.map((nic) => nic.mac));
  const { hosts, routers } = cluster.network;
  for (const name of [...hosts.keys(), ...routers.keys()].sort(compareText)) {
    const entry = cluster.network.neighbour(name, ip);
    if (entry?.mac === undefined || entry.state === 'failed' || macs.has(entry.mac)) continue;
    cluster.world.note(name, {
      level: 'warn', component: 'neighbour', code: 'router.staleNeighbour', object: ip,
      text: `${name} still sends ${ip} to ${entry.mac}, which is not ${owner}`,
    });
  }
}
