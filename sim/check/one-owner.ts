import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import { compareText } from '../../lb/table.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Report } from './oracles.ts';

/**
 * On one segment at most one node would answer for a Service address, judged by the responder of
 * each node at its own present time, after every write to a responder (simulator.md 9, oracle 1).
 * Time passing alone only silences, so writes are the only inputs. `grace` admits the overlaps
 * that `availability` mode names (l2.md 13): a breach counts once it has lasted longer.
 */
export function watchOneOwner(cluster: Cluster, grace: Micros, report: Report): void {
  const touched = new Set<Ip>();
  cluster.onResponder((ip) => {
    touched.add(ip);
  });
  const judge = (ip: Ip): void => {
    const owners = cluster.ownersOf(ip);
    if (owners.length < 2) return;
    report({
      oracle: 'one-owner',
      object: ip,
      text: `${owners.join(' and ')} would both answer for ${ip}`,
    });
  };
  cluster.world.afterTouched(() => {
    const doubled = [...touched].filter((ip) => cluster.ownersOf(ip).length > 1);
    touched.clear();
    for (const ip of doubled.sort(compareText)) {
      if (grace === 0) judge(ip);
      else
        cluster.world.schedule(grace, { kind: 'oracle', entity: 'one-owner' }, () => judge(ip), {
          band: 2,
        });
    }
  });
}
