import test from 'ava';
import type { Agent } from '../../agent.ts';
import { resources } from '../../kube/resource.ts';
import { ip } from '../../lb/ip.ts';
import type { Cluster } from '../../sim/cluster/cluster.ts';
import { convergedCluster, manifestsOf } from '../sim/fixture.ts';

const rack = 'kind/examples/bgp-rack';
const files = ['nodes', 'services', 'fairlead', 'legacy-peering-policy'];
const address = ip('10.10.1.102');
const name = 'rack-a-2';

class Site {
  readonly cluster: Cluster = convergedCluster(
    manifestsOf(...files.map((file) => `${rack}/${file}.yaml`)),
  );

  /** How many prefixes each router has from the node; routers without any are left out. */
  heard(): number[] {
    return [...this.cluster.network.bgpRouters.values()]
      .map((router) => router.bgp.rib.heardFrom(address).length)
      .filter((count) => count > 0);
  }

  on(act: (agent: Agent) => void): void {
    const { agent } = this.cluster.machines.get(name);
    agent.process!.enter(() => act(agent.agent!));
  }

  run(seconds: number): void {
    this.cluster.world.run(this.cluster.world.now + seconds * 1_000_000);
  }

  get agent(): Agent | undefined {
    return this.cluster.machines.get(name).agent.agent;
  }

  cordon(): void {
    const ref = { resource: resources.nodes, namespace: '', name };
    const patched = this.cluster.api.handle(
      { verb: 'patch', ref, body: { spec: { unschedulable: true } } }, 'user',
    );
    if (!patched.ok) throw new Error(patched.error.message);
    this.run(1);
  }
}

test('a drained node withdraws at once, closes later, and announces again when undrained', (t) => {
  const site = new Site();
  t.deepEqual(site.heard(), [2, 2]);
  site.on((agent) => agent.drain());
  site.run(1);
  t.deepEqual(site.heard(), []);
  t.is(site.agent?.state, 'draining', 'sessions are closed after the drain time');
  site.run(10);
  t.is(site.agent?.state, 'drained');
  t.is(site.agent?.advertiser, undefined);
  site.on((agent) => agent.undrain());
  site.run(20);
  t.is(site.agent?.state, 'running');
  t.deepEqual(site.heard(), [2, 2]);
  t.deepEqual(site.cluster.unconverged(), []);
});

test('other L2 settings touch no BGP session', (t) => {
  const site = new Site();
  const before = site.agent?.advertiser;
  const { l2 } = site.cluster.settings;
  site.on((agent) => agent.announceBy({ ...l2, duration: 2_000_000, renew: 500_000 }));
  site.run(5);
  t.is(site.agent?.advertiser, before);
  t.is(site.agent?.state, 'running');
});

test('an agent that restarts on a node that stays says nothing to routers', (t) => {
  const site = new Site();
  let ended = 0;
  site.on((agent) => agent.stop(() => { ended += 1; }));
  site.run(1);
  t.is(ended, 1);
  t.deepEqual(site.heard(), [2, 2]);
});

test('an agent that leaves with its node withdraws first', (t) => {
  const site = new Site();
  site.cordon();
  let ended = 0;
  site.on((agent) => agent.stop(() => { ended += 1; }));
  site.run(1);
  t.deepEqual(site.heard(), []);
  t.is(ended, 0, 'the data path forwards what is still under way');
  site.run(10);
  t.is(ended, 1);
});

test('bgp 49: an API server that is away for ten minutes changes no route', (t) => {
  const site = new Site();
  const codes = ['bgp.routeWithdrawn', 'bgp.routeReplaced', 'bgp.sessionDown'];
  const changes = (): number[] => codes.map((code) => site.cluster.world.marks.get(code) ?? 0);
  const [before, heard] = [changes(), site.heard()];
  const heal = site.cluster.path.inject({ kind: 'outage', form: 'refuse' });
  site.run(600);
  heal();
  site.run(30);
  t.deepEqual(site.heard(), heard);
  t.deepEqual(changes(), before);
});
