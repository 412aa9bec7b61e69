import test from 'ava';
import { watchOracles } from '../../sim/check/oracles.ts';
import { Cluster } from '../../sim/cluster/cluster.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { checkedPrograms } from '../vm/checked.ts';
import { manifestsOf } from './fixture.ts';

const folder = 'kind/examples/bgp-rack';
const second = 1_000_000;

function boot(...files: readonly string[]): Cluster {
  const line = { from: 'phone', protocol: 'TCP', every: 100_000, family: 'IPv4' } as const;
  const cluster = new Cluster({
    seed: 1n, cluster: defaultCluster(), network: undefined, freeze: true,
    programs: checkedPrograms,
    objects: manifestsOf(...files.map((file) => `${folder}/${file}.yaml`)),
    traffic: [
      { ...line, name: 'api', to: 'svc/default/api:443', flows: 4 },
      { ...line, name: 'local', to: 'svc/default/api-local:443', flows: 4 },
    ],
  });
  cluster.start();
  cluster.world.run(30 * second);
  return cluster;
}

/** Which node announced what to a router, `NODE PREFIX`. */
function heard(cluster: Cluster, router: string): string[] {
  const { rib } = cluster.network.bgpRouters.get(router)!.bgp;
  return rib.prefixes().flatMap((prefix) => rib.paths(prefix).map(({ peer }) => {
    const node = cluster.machines.all().find((machine) => machine.node.stack.isLocal(peer));
    return node === undefined ? '' : `${node.node.name} ${prefix}`;
  })).filter((text) => text !== '').toSorted();
}

test('the rack’s objects bring the routers that they expect, and traffic takes its way', (t) => {
  const cluster = boot('fairlead', 'legacy-peering-policy', 'nodes', 'services');
  t.deepEqual(cluster.faults, []);
  t.deepEqual(cluster.unconverged(), []);
  t.is(cluster.network.bgpRouters.size, 4);
  // Both routers of rack a, through MD5, hear the same; rack b is told by the legacy policy.
  const first = heard(cluster, 'tor-a1');
  t.deepEqual(heard(cluster, 'tor-a2'), first);
  t.true(first.includes('rack-a-1 203.0.113.0/32') && first.includes('rack-a-2 203.0.113.0/32'));
  t.true(first.includes('rack-a-1 10.50.1.0/24') && first.includes('rack-a-2 10.50.2.0/24'));
  const third = [...cluster.network.bgpRouters.keys()]
    .find((name) => name !== 'router' && !name.startsWith('tor-a'));
  t.true(heard(cluster, third ?? '').includes('rack-b-1 203.0.113.0/32'), third);
  for (const name of ['api', 'local']) {
    const line = cluster.traffic.line(name);
    const before = line.counts.ok;
    const failed = line.failures.length;
    cluster.world.run(cluster.world.now + 5 * second);
    t.true(line.counts.ok > before + 40, name);
    t.is(line.failures.length, failed, name);
    t.is(line.flowsUp, 4, name);
  }
});

test('a route that outlives its last endpoint is found', (t) => {
  const cluster = boot('fairlead', 'nodes', 'services');
  const watch = watchOracles(cluster, { always: ['local-means-local'], oracles: {}, grace: 0 });
  // The daemon stands still and tells nobody.
  for (const { speakers } of cluster.machines.all()) speakers?.pause();
  cluster.store.patch('deployments/default/api', { spec: { replicas: 0 } });
  cluster.world.run(cluster.world.now + 3 * second);
  const { findings } = watch.close([]);
  t.true(findings.some(({ object }) => object === 'service default/api-local'));
  t.false(findings.some(({ object }) => object === 'service default/api'));
});

test('a Local address is announced by the nodes with an endpoint and goes with the last', (t) => {
  const cluster = boot('fairlead', 'nodes', 'services');
  const local = (): string[] => heard(cluster, 'tor-a1').filter((text) => text.endsWith('.1/32'));
  const before = local();
  t.true(before.length > 0);
  cluster.store.patch('deployments/default/api', { spec: { replicas: 0 } });
  cluster.world.run(cluster.world.now + 3 * second);
  t.deepEqual(local(), []);
  // `api` is Cluster and stays announced without endpoints (bgp.noServiceEndpointsRoutable).
  t.true(heard(cluster, 'tor-a1').some((text) => text.endsWith('203.0.113.0/32')));
});
