import { checkedPrograms } from '../vm/checked.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { Cluster } from '../../sim/cluster/cluster.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import type { OrderMode } from '../../sim/world.ts';
import { good, objectOf, second, type Odd } from './site.ts';

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

// Fewer addresses than Services, so that somebody goes without.
const scarce: KubeObject = objectOf(resources.pools, 'scarce', {
  spec: {
    blocks: [{ start: '192.168.10.100', stop: '192.168.10.104' }],
    serviceSelector: { matchLabels: { tier: 'scarce' } },
  },
});

/**
 * Who has which address in the end, one line a Service, after eight Services were created in one
 * instant, and the whole run's hash. Which is created first is up to the order mode.
 */
export function allocation(seed: number, order: OrderMode): { given: string[]; hash: string } {
  const cluster = new Cluster({
    programs: checkedPrograms,
    seed: BigInt(seed), order, cluster: defaultCluster(), network: undefined,
    objects: [...good, scarce], traffic: [],
  });
  const { world, store, api } = cluster;
  cluster.start();
  for (const name of names) {
    const service = objectOf(resources.services, name, {
      metadata: { labels: { tier: 'scarce' } },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
    });
    world.schedule(20 * second, { kind: 'create', entity: name }, () => {
      const done = store.apply(service);
      if (!done.ok) throw new Error(done.error.message);
    });
  }
  world.run(40 * second);
  while (cluster.unconverged().length > 0 && world.now < 120 * second) {
    world.run(world.now + second);
  }
  const given = api.list(resources.services).map((object) => {
    const status = object['status'] as Odd | undefined;
    const ingress = (status?.['loadBalancer'] as Odd | undefined)?.['ingress'];
    return `${object.metadata?.name} ${JSON.stringify(ingress ?? [])}`;
  });
  const faults = cluster.machines.processes().flatMap(({ name, fault }) => (
    fault === undefined ? [] : [`${name} ended: ${fault instanceof Error ? fault.message : fault}`]
  ));
  return { given: [...given, ...cluster.unconverged(), ...faults], hash: world.trace.hash };
}

/** Every outcome of those seeds, by seed and order; one text each. */
export function outcomes(seeds: number): string[] {
  return Array.from({ length: seeds }).flatMap((_, seed) => (
    (['fifo', 'uniform'] as const).map((order) => allocation(seed, order).given.join('\n'))
  ));
}

// Started alone, as mutants of the core are: what they come to, and whether a run repeats itself.
if (import.meta.main) {
  const twice = [allocation(0, 'fifo').hash, allocation(0, 'fifo').hash];
  const told = { outcomes: [...new Set(outcomes(4))], repeats: twice[0] === twice[1] };
  process.stdout.write(JSON.stringify(told));
}
