import { resources } from '../../kube/resource.ts';
import { parseIpUnmapped } from '../../lb/ip.ts';
import type { Service } from '../../lb/model.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Report } from './oracles.ts';

const lookEvery: Micros = 5_000_000;
const patience: Micros = 30_000_000;

/**
 * Conditions agree with what a client would meet within 30 s (simulator.md 9, oracle 24): a
 * satisfied Service shows an address, an unsatisfied one says why, and `Announced` is True exactly
 * while one node answers. While nobody can reach the API server nothing can be told, and the clock
 * of each lie starts again.
 */
export function watchTruthfulStatus(cluster: Cluster, report: Report): void {
  const since = new Map<string, Micros>();
  const look = (): void => {
    const lies = cluster.path.faults.some(
      (fault) => fault.kind === 'outage' || fault.kind === 'block',
    )
      ? new Map<string, string>()
      : untruths(cluster);
    for (const key of [...since.keys()]) if (!lies.has(key)) since.delete(key);
    for (const [key, text] of lies) {
      const first = since.get(key) ?? cluster.world.now;
      since.set(key, first);
      if (cluster.world.now - first <= patience) continue;
      report({ oracle: 'truthful-status', object: `service ${key}`, text });
      since.delete(key);
    }
    cluster.world.schedule(lookEvery, { kind: 'oracle', entity: 'truthful-status' }, look, {
      band: 2,
    });
  };
  cluster.world.schedule(lookEvery, { kind: 'oracle', entity: 'truthful-status' }, look, {
    band: 2,
  });
}

function untruths(cluster: Cluster): Map<string, string> {
  const lies = new Map<string, string>();
  for (const object of cluster.store.list(resources.services)) {
    const decoded = cluster.decoder.service(object);
    if (!decoded.ok || decoded.value.type !== 'LoadBalancer') continue;
    const text = allocationLie(decoded.value) ?? announcementLie(cluster, decoded.value);
    if (text !== undefined) lies.set(decoded.value.key, text);
  }
  return lies;
}

function allocationLie(service: Service): string | undefined {
  const satisfied = service.conditions.find(
    (condition) => condition.type === 'cilium.io/IPAMRequestSatisfied',
  );
  if (satisfied === undefined) return undefined;
  const shown = service.ingress.some((entry) => entry.ip !== undefined && entry.ip !== '');
  if (satisfied.status === 'True' && !shown) return 'is said to be satisfied and shows no address';
  if (satisfied.status === 'False' && (satisfied.reason === '' || satisfied.message === ''))
    return 'is unsatisfied without a reason';
  return undefined;
}

function announcementLie(cluster: Cluster, service: Service): string | undefined {
  const announced = service.conditions.find(
    (condition) => condition.type === 'fairlead.dev/Announced',
  );
  if (announced === undefined) return undefined;
  const answered = service.ingress.some((entry) => {
    const parsed = parseIpUnmapped(entry.ip ?? '');
    return parsed.ok && cluster.ownersOf(parsed.value).length === 1;
  });
  if (announced.status === 'True' && !answered)
    return `is said to be announced (${announced.message}) and nobody answers`;
  if (announced.status === 'False' && answered)
    return `is said not to be announced (${announced.reason}) and a node answers`;
  return undefined;
}
