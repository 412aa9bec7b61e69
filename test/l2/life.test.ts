import test from 'ava';
import { createAgent, createAgentCaches, type Agent } from '../../agent.ts';
import { ip } from '../../lb/ip.ts';
import { createSimKube } from '../../sim/api/client.ts';
import { watchOracles } from '../../sim/check/oracles.ts';
import type { Cluster } from '../../sim/cluster/cluster.ts';
import { openNode } from '../../sim/node/succession.ts';
import { Process, processClock, processJournal, processRandom } from '../../sim/process.ts';
import { convergedCluster, manifestsOf } from '../sim/fixture.ts';

const vip = ip('192.168.10.40');
const second = 1_000_000;

interface Site {
  readonly cluster: Cluster;
  readonly owner: string;
  /** Calls the agent of a node as its own process would. */
  on(node: string, act: (agent: Agent) => void): void;
  run(seconds: number): void;
  /** Breaches of the oracles until now. */
  breaches(): readonly unknown[];
}

/** The simulated cluster, converged, with the oracle that no address has two owners. */
function site(): Site {
  const cluster = convergedCluster(manifestsOf('test/scenario/manifests/base.yaml'));
  const oracles = watchOracles(cluster, {
    always: ['one-owner', 'no-crash'], oracles: {}, grace: 0,
  });
  const [owner = ''] = cluster.ownersOf(vip);
  return {
    cluster, owner,
    on: (node, act) => {
      const { agent } = cluster.machines.get(node);
      agent.process!.enter(() => act(agent.agent!));
    },
    run: (seconds) => { cluster.world.run(cluster.world.now + seconds * second); },
    breaches: () => oracles.close([]).findings,
  };
}

function stateOf({ cluster }: Site, node: string): string | undefined {
  return cluster.machines.get(node).agent.agent?.state;
}

test('an agent of a converged cluster runs', (t) => {
  const at = site();
  t.is(stateOf(at, at.owner), 'running');
});

test('a drained node announces nothing and serves on, undrained it may announce again', (t) => {
  const at = site();
  at.on(at.owner, (agent) => agent.drain());
  at.run(1);
  t.is(stateOf(at, at.owner), 'drained');
  const [next] = at.cluster.ownersOf(vip);
  t.not(next, at.owner);
  t.is(at.cluster.ownersOf(vip).length, 1);
  t.true(at.cluster.machines.get(at.owner).agent.agent?.datapath.ready());
  at.on(at.owner, (agent) => agent.undrain());
  at.run(2);
  t.is(stateOf(at, at.owner), 'running');
  t.deepEqual(at.cluster.ownersOf(vip), [next!], 'what is held stays where it is');
  at.on(next!, (agent) => agent.drain());
  at.run(1);
  t.is(at.cluster.ownersOf(vip).length, 1);
  t.not(at.cluster.ownersOf(vip)[0], next);
  t.deepEqual(at.breaches(), []);
});

test('an agent that is undrained while it still hands over announces again', (t) => {
  const at = site();
  at.on(at.owner, (agent) => {
    agent.drain();
    agent.undrain();
  });
  t.is(stateOf(at, at.owner), 'renewing');
  at.run(2);
  t.is(stateOf(at, at.owner), 'running');
  t.is(at.cluster.ownersOf(vip).length, 1);
  t.deepEqual(at.breaches(), []);
});

test('other settings are announced by under a new session, and nobody answers twice', (t) => {
  const at = site();
  const { l2 } = at.cluster.settings;
  at.on(at.owner, (agent) => agent.announceBy({ ...l2, duration: second, renew: second / 5 }));
  at.run(10);
  t.is(stateOf(at, at.owner), 'running');
  const leases = at.cluster.machines.get(at.owner).agent.agent?.announcer?.pending();
  t.deepEqual(leases, []);
  t.is(at.cluster.ownersOf(vip).length, 1);
  t.deepEqual(at.cluster.unconverged(), []);
  t.deepEqual(at.breaches(), []);
});

test('an agent whose announcing is switched off holds nothing', (t) => {
  const at = site();
  const { l2 } = at.cluster.settings;
  at.on(at.owner, (agent) => agent.announceBy({ ...l2, enabled: false }));
  at.run(2);
  t.is(stateOf(at, at.owner), 'running');
  t.is(at.cluster.machines.get(at.owner).agent.agent?.announcer, undefined);
  t.not(at.cluster.ownersOf(vip)[0], at.owner);
  t.deepEqual(at.breaches(), []);
});

test('an agent that is stopped while it drains ends once, and is told so', (t) => {
  const at = site();
  let ended = 0;
  at.on(at.owner, (agent) => {
    agent.drain();
    agent.stop(() => { ended += 1; });
    agent.stop(() => { ended += 1; });
  });
  at.run(6);
  t.is(ended, 2);
  t.is(stateOf(at, at.owner), 'ended');
  t.is(at.cluster.ownersOf(vip).length, 1);
  t.deepEqual(at.breaches(), []);
});

test('an agent beside another proxy announces what that one serves, and programs nothing', (t) => {
  const at = site();
  const { cluster, owner } = at;
  const { node } = cluster.machines.get(owner);
  cluster.machines.crashProcess(`agent/${owner}`);
  const process = new Process(cluster.world, 'agent/announcing', node.clock);
  const { hooks } = openNode(node.kernel, process, cluster.builds.current);
  const agent = createAgent({
    clock: processClock(process), random: processRandom(process, 'agent/announcing'),
    journal: processJournal(process), kernel: node.kernelPort(process),
    link: node.linkPort(process), devices: node.devicesPort(process), hooks,
    kube: createSimKube(
      process, { server: cluster.api, path: cluster.path }, { user: 'announcing', node: owner },
    ),
    caches: createAgentCaches(),
  }, {
    nodeName: owner, namespace: 'fairlead-system', datapathEnabled: false,
    l2: cluster.settings.l2, datapath: cluster.settings.datapath,
  });
  process.enter(() => agent.start());
  at.run(20);
  t.is(process.fault, undefined);
  t.is(agent.state, 'running');
  t.false(agent.datapath.hasFront(vip));
  t.deepEqual(node.kernel.dump('fl_front'), [], 'what an earlier agent served is gone');
  t.deepEqual(cluster.ownersOf(vip), [owner]);
  t.deepEqual(at.breaches(), []);
});
