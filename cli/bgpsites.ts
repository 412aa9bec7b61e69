import type { BgpSite } from '../bgp/views.ts';
import { defaultCluster } from '../sim/scenario/parse.ts';
import { bootCluster } from '../sim/report/whatif.ts';
import type { Console } from './console.ts';
import { readObjects } from './scenariofile.ts';

/** The nodes of a folder that speak BGP, as they are once a simulated cluster of it converged. */
export async function simulatedSites(
  console: Console, filename: readonly string[],
): Promise<BgpSite[]> {
  const objects = await readObjects(console, filename);
  const cluster = bootCluster({
    objects, cluster: defaultCluster(), network: undefined, seed: 0n,
  });
  // Counts are told a moment after the routes.
  cluster.world.run(cluster.world.now + 1_000_000);
  return cluster.machines.all().flatMap(({ node, agent }): BgpSite[] => {
    const { advertiser, tables } = agent.agent ?? {};
    if (advertiser === undefined || tables === undefined) return [];
    const services = tables.services.values();
    return [{ node: node.name, advertiser, services, wall: node.clock.wall() }];
  });
}
