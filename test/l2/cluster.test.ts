import test from 'ava';
import { createAgent, createAgentCaches } from '../../agent.ts';
import type { Json, KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { encodeArp } from '../../l2/frames.ts';
import { createRank } from '../../l2/rank.ts';
import { ip } from '../../lb/ip.ts';
import { createSimKube } from '../../sim/api/client.ts';
import { watchOracles, type OracleWatch } from '../../sim/check/oracles.ts';
import type { Cluster } from '../../sim/cluster/cluster.ts';
import { openNode } from '../../sim/node/succession.ts';
import { Process, processClock, processJournal, processRandom } from '../../sim/process.ts';
import { convergedCluster, manifestsOf } from '../sim/fixture.ts';

const vip = ip('192.168.10.40');
const lock = 'fairlead-l2-192-168-10-40';
const namespace = 'fairlead-system';
const second = 1_000_000;

/** Among the nodes that the policy selects, all of which are candidates. */
const [firstInRank] = ['node-1', 'node-2', 'node-3'].sort(
  (left, right) => createRank().compare(vip, left, right),
);

/** The simulated cluster, converged, with the oracle that no address has two owners. */
function site(): { cluster: Cluster; oracles: OracleWatch } {
  const cluster = convergedCluster(manifestsOf('test/scenario/manifests/base.yaml'));
  const oracles = watchOracles(cluster, {
    always: ['one-owner', 'no-crash'], oracles: {}, grace: 0,
  });
  return { cluster, oracles };
}

interface StoredLease extends KubeObject {
  readonly spec: { readonly holderIdentity: string; readonly leaseTransitions: number };
}

// Every Lease of a converged cluster has these fields: our own daemons wrote them.
const lease = (cluster: Cluster, name: string): StoredLease => (
  cluster.api.get(resources.leases, namespace, name) as StoredLease
);
const holder = (cluster: Cluster, name = lock): string => lease(cluster, name).spec.holderIdentity;
const epoch = (cluster: Cluster): number => lease(cluster, lock).spec.leaseTransitions;
const sessionOf = (identity: string): string => `fairlead-session-${identity.replace('_', '-')}`;

/** A change by hand, as `kubectl` makes one. */
function byHand(cluster: Cluster, name: string, body: Json): void {
  const ref = { resource: resources.leases, namespace, name };
  const result = cluster.api.handle({ verb: 'patch', ref, body }, 'somebody');
  if (!result.ok) throw new Error(result.error.message);
}

function remove(cluster: Cluster, name: string): void {
  const ref = { resource: resources.leases, namespace, name };
  const result = cluster.api.handle({ verb: 'delete', ref }, 'somebody');
  if (!result.ok) throw new Error(result.error.message);
}

/** Microseconds until the address has so many owners; fails after 10 s. */
function until(cluster: Cluster, owners: 0 | 1): number {
  const { world } = cluster;
  const from = world.now;
  world.run(from + 10 * second, () => cluster.ownersOf(vip).length === owners);
  if (cluster.ownersOf(vip).length !== owners) throw new Error(`never ${owners} owners`);
  return world.now - from;
}

function run(cluster: Cluster, duration: number): void {
  cluster.world.run(cluster.world.now + duration);
}

const edited = test.macro({
  exec(t, change: (cluster: Cluster) => void) {
    const { cluster, oracles } = site();
    change(cluster);
    t.true(until(cluster, 0) < second / 10, 'silent when seen');
    const dark = until(cluster, 1);
    t.true(dark > 5.05 * second && dark < 5.4 * second, `${dark} µs`);
    t.deepEqual(cluster.ownersOf(vip), [firstInRank]);
    t.true(holder(cluster).startsWith(`${firstInRank}_`));
    run(cluster, 5 * second);
    t.deepEqual(cluster.unconverged(), []);
    t.deepEqual(oracles.close([]).findings, []);
  },
  title: (name) => `l2 ${name}: silent when seen, nobody for W, then taken by rank`,
});
test('46: a lock given by hand to another live session', edited, (cluster) => {
  const owner = holder(cluster);
  const sessions = cluster.api.list(resources.leases).map(({ metadata }) => metadata?.name ?? '')
    .filter((name) => name.startsWith('fairlead-session-') && name !== sessionOf(owner));
  byHand(cluster, lock, { spec: { holderIdentity: holder(cluster, sessions[0]) } });
});
test('46: a lock emptied by hand', edited, (cluster) => {
  byHand(cluster, lock, { spec: { holderIdentity: '' } });
});
test('5.3: an epoch edited downwards', edited, (cluster) => {
  byHand(cluster, lock, { spec: { leaseTransitions: 0 } });
});
test('T5: a deleted lock', edited, (cluster) => remove(cluster, lock));

test('l2 46: an unrelated annotation on a lock changes nothing', (t) => {
  const { cluster, oracles } = site();
  const [owner, before] = [holder(cluster), epoch(cluster)];
  byHand(cluster, lock, { metadata: { annotations: { 'example.com/note': 'x' } } });
  cluster.world.run(
    cluster.world.now + 7 * second, () => cluster.ownersOf(vip).length !== 1,
  );
  t.is(cluster.ownersOf(vip).length, 1, 'at no instant');
  t.deepEqual([holder(cluster), epoch(cluster)], [owner, before]);
  t.deepEqual(oracles.close([]).findings, []);
});

const dispossessed = test.macro({
  exec(t, change: (cluster: Cluster, session: string) => void) {
    const { cluster, oracles } = site();
    const owner = holder(cluster);
    const [node] = cluster.ownersOf(vip);
    change(cluster, sessionOf(owner));
    t.true(until(cluster, 0) < second / 10, 'silent when seen');
    t.true(until(cluster, 1) < second, 'and back under a session of another identity');
    t.deepEqual(cluster.ownersOf(vip), [node]);
    t.not(holder(cluster), owner);
    run(cluster, 10 * second);
    t.deepEqual(cluster.unconverged(), []);
    t.deepEqual(oracles.close([]).findings, []);
  },
  title: (name) => `l2 S7, T4: ${name} ends it, and its node takes its past locks again`,
});
test('a stolen session Lease', dispossessed, (cluster, session) => {
  byHand(cluster, session, { spec: { holderIdentity: 'somebody_00000000' } });
});
test('an emptied session Lease', dispossessed, (cluster, session) => {
  byHand(cluster, session, { spec: { holderIdentity: '' } });
});
test('a deleted session Lease', dispossessed, (cluster, session) => remove(cluster, session));

/** One more agent on that node, as a container runtime that lost count would start it. */
function startSecond(
  cluster: Cluster, name: string,
): { process: Process; pending: () => string[] } {
  const { node } = cluster.machines.get(name);
  const process = new Process(cluster.world, 'agent/second', node.clock);
  const way = { server: cluster.api, path: cluster.path };
  const { l2, datapath } = cluster.settings;
  const { hooks } = openNode(node.kernel, process, cluster.builds.current);
  const agent = createAgent({
    clock: processClock(process), random: processRandom(process, 'agent/second'),
    journal: processJournal(process), kernel: node.kernelPort(process),
    link: node.linkPort(process), devices: node.devicesPort(process),
    hooks,
    kube: createSimKube(process, way, { user: 'second', node: name }),
    caches: createAgentCaches('one'),
  }, { nodeName: name, namespace, l2, datapath });
  process.enter(() => agent.start());
  return { process, pending: () => [...agent.announcer?.pending() ?? []] };
}

test('l2 43: of two agents on a node the second owns nothing until the first is gone', (t) => {
  const { cluster, oracles } = site();
  const owner = holder(cluster);
  const [node] = cluster.ownersOf(vip);
  const other = startSecond(cluster, node!);
  cluster.world.run(
    cluster.world.now + 10 * second, () => cluster.ownersOf(vip).length !== 1,
  );
  t.is(cluster.ownersOf(vip).length, 1, 'at no instant silent');
  t.deepEqual(other.pending(), ['waits for the host lock @fairlead-l2']);
  t.is(holder(cluster), owner);
  cluster.machines.crashProcess(`agent/${node}`);
  run(cluster, second / 2);
  t.deepEqual(cluster.ownersOf(vip), [node]);
  t.not(holder(cluster), owner);
  t.deepEqual(other.pending(), []);
  run(cluster, 10 * second);
  t.is(other.process.fault, undefined);
  t.deepEqual(oracles.close([]).findings, []);
});

test('l2 63: what an owner meant to send before it was overtaken is dropped at egress', (t) => {
  const { cluster, oracles } = site();
  const [name] = cluster.ownersOf(vip);
  const { node, agent } = cluster.machines.get(name!);
  const [nic] = node.nics;
  const { mac } = nic!;
  agent.process!.pause();
  until(cluster, 0);
  until(cluster, 1);
  t.not(cluster.ownersOf(vip)[0], name);
  // The process was stopped between its check and its send: the frame leaves only now.
  const sender = node.linkPort(new Process(cluster.world, 'agent/late', node.clock));
  const fenced = node.hooks.drops.get('l2Fence') ?? 0;
  sender.send(nic!.ifindex, encodeArp({
    kind: 'arp', ethSource: mac, ethTarget: 'ff:ff:ff:ff:ff:ff', opcode: 1, senderMac: mac,
    senderIp: vip, targetMac: '00:00:00:00:00:00', targetIp: vip,
  }));
  t.is(node.hooks.drops.get('l2Fence') ?? 0, fenced + 1);
  agent.process!.resume();
  run(cluster, 10 * second);
  t.deepEqual(cluster.unconverged(), []);
  t.deepEqual(oracles.close([]).findings, []);
});
