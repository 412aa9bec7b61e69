import test from 'ava';
import { resources } from '../../kube/resource.ts';
import { barePod, Cluster, exact, s, service, workload } from './cluster.ts';

const leaseOf = (cluster: Cluster, name: string): any =>
  cluster.api.get(resources.leases, 'kube-node-lease', name);

test('each kubelet renews its Lease every 10 s and reports its node Ready at once', (t) => {
  const cluster = new Cluster();
  cluster.actors.start();
  t.deepEqual(['n1', 'n2', 'n3'].map((name) => cluster.ready(name)), ['True', 'True', 'True']);
  cluster.run(10);
  const before = leaseOf(cluster, 'n1');
  t.is(before.spec.holderIdentity, 'n1');
  t.is(before.spec.leaseDurationSeconds, 40);
  cluster.run(10);
  const after = leaseOf(cluster, 'n1');
  t.is(Date.parse(after.spec.renewTime) - Date.parse(before.spec.renewTime), 10_000);
});

test('an idle node writes its status every 5 min and its Lease 6 times a minute, nothing else', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.actors.start();
  cluster.run(100);
  const nodes: unknown[] = [];
  const leases: unknown[] = [];
  cluster.api.subscribe(resources.nodes, (event) => nodes.push(event));
  cluster.api.subscribe(resources.leases, (event) => leases.push(event));
  cluster.run(900);
  t.is(nodes.length, 3);
  t.is(leases.length, 90);
});

const detects = test.macro({
  exec(t, nodeGrace: number, timings: object) {
    const cluster = new Cluster({ timings: { ...exact, ...timings } });
    cluster.actors.start();
    cluster.run(60);
    cluster.machine('n2').off();
    const renewed = Date.parse(
      leaseOf(cluster, 'n2').spec.renewTime,
    ) - Date.parse('2026-01-01T00:00:00Z');
    while (cluster.ready('n2') === 'True') cluster.run(1);
    const silent = cluster.world.now / s - renewed / 1000;
    t.true(silent >= nodeGrace && silent <= nodeGrace + 6, `noticed after ${silent} s`);
    t.is(cluster.ready('n1'), 'True');
    t.is(cluster.taints('n2'),
      'node.kubernetes.io/unreachable:NoExecute node.kubernetes.io/unreachable:NoSchedule');
  },
  title: (_, nodeGrace) =>
    `a node without power is Unknown and tainted ${nodeGrace} s after its last Lease, to the look`,
});

test(detects, 50, {});
test(detects, 40, { nodeGrace: 40 * s });

test('power loss of a single replica: unready at the look after 50 s, evicted 300 s later', (t) => {
  const cluster = new Cluster();
  cluster.apply(workload('Deployment', { replicas: 1 }), service());
  cluster.actors.start();
  cluster.settle();
  const home = cluster.pods()[0].spec.nodeName;
  cluster.run(30);
  const renewed = Date.parse(
    leaseOf(cluster, home).spec.renewTime,
  ) - Date.parse('2026-01-01T00:00:00Z');
  cluster.machine(home).off();
  const states = (): string => cluster.endpoints().split(', ').map(
    (line) => line.slice(-3),
  ).sort().join(' ');
  const seen: string[] = [];
  let before = states();
  for (let step = 0; step < 4_000; step += 1) {
    cluster.run(0.1);
    if (states() !== before) seen.push(`${Math.floor(cluster.world.now / s)}: ${states()}`);
    before = states();
  }
  const unknownAt = Math.ceil((renewed / 1000 + 50) / 5) * 5;
  t.deepEqual(seen, [
    `${unknownAt}: ---`,
    `${unknownAt + 300}: --t`,
    `${unknownAt + 302}: --- --t`,
    `${unknownAt + 303}: --t rs-`,
  ]);
});

test('a power loss 1 s after a renewal that a look sees at 50 s costs a single replica 352 s', (t) => {
  const cluster = new Cluster({ nodes: 'n1 n2', timings: { ...exact, lookPeriod: 100_000 } });
  cluster.apply(workload('Deployment', { replicas: 1 }), service());
  cluster.actors.start();
  cluster.settle();
  const home = cluster.pods()[0].spec.nodeName;
  const lease = (): string => leaseOf(cluster, home).spec.renewTime;
  const present = lease();
  while (lease() === present) cluster.run(0.1);
  cluster.run(0.9);
  cluster.machine(home).off();
  const offAt = cluster.world.now;
  cluster.run(1);
  while (cluster.endpoints().includes('rs-')) cluster.run(0.1);
  while (!cluster.endpoints().includes('rs-')) cluster.run(0.1);
  t.is(Math.round((cluster.world.now - offAt) / s), 352);
});

const tolerates = test.macro({
  exec(t, _: string, tolerations: object[], goneAfter: number | undefined) {
    const cluster = new Cluster({ nodes: 'n1', timings: { ...exact, lookPeriod: 100_000 } });
    cluster.apply(barePod('solo', { tolerations }));
    cluster.actors.start();
    cluster.settle();
    cluster.machine('n1').off();
    while (cluster.ready('n1') === 'True') cluster.run(0.1);
    const since = cluster.world.now;
    for (let step = 0; step < 4_000; step += 1) {
      if (cluster.roster().startsWith('~')) break;
      cluster.run(0.1);
    }
    const after = cluster.roster().startsWith('~') ? Math.round(
      (cluster.world.now - since) / s,
    ) : undefined;
    t.is(after, goneAfter);
  },
  title: (_, what, __, goneAfter) =>
    `a pod that tolerates ${what} is evicted after ${goneAfter ?? 'no time'} s`,
});

const unreachable = {
  key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute',
};

test(tolerates, 'nothing', [], 300);
test(tolerates, 'unreachable for 30 s', [{ ...unreachable, tolerationSeconds: 30 }], 30);
test(tolerates, 'unreachable for 0 s', [{ ...unreachable, tolerationSeconds: 0 }], 0);
test(tolerates, 'unreachable for ever', [unreachable], undefined);
test(tolerates, 'everything', [{ operator: 'Exists' }], undefined);

test(
  tolerates, 'unreachable for 60 s and for 20 s',
  [60, 20].map((tolerationSeconds) => ({ ...unreachable, tolerationSeconds })), 20,
);

test('a node that comes back clears its taints, keeps pods not yet evicted and restarts them', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('solo', {}, { app: 'app' }), service());
  cluster.actors.start();
  cluster.settle();
  cluster.machine('n1').off();
  cluster.run(70);
  t.is(cluster.endpoints(), '10.244.0.2 ---');
  cluster.machine('n1').on();
  cluster.actors.wake('n1');
  cluster.run(0.001);
  t.is(cluster.taints('n1'), '');
  t.is(cluster.endpoints(), '10.244.0.2 ---');
  cluster.run(3.1);
  t.is(cluster.endpoints(), '10.244.0.2 rs-');
  t.is(cluster.pod('solo').status.containerStatuses[0].restartCount, 1);
  cluster.run(400);
  t.is(cluster.roster(), 'solo@n1');
});

test('a node that was off for less than its grace still restarts its pods, unready meanwhile', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('solo', {}, { app: 'app' }), service());
  cluster.actors.start();
  cluster.settle();
  cluster.machine('n1').off();
  cluster.run(5);
  t.is(cluster.endpoints(), '10.244.0.2 rs-', 'nobody knows yet');
  cluster.machine('n1').on();
  cluster.actors.wake('n1');
  cluster.run(0.001);
  t.is(cluster.endpoints(), '10.244.0.2 ---');
  cluster.run(4);
  t.is(cluster.endpoints(), '10.244.0.2 rs-');
});

test('a frozen node keeps its pods and goes on where it stood', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('solo'));
  cluster.actors.start();
  cluster.run(2.5);
  cluster.machine('n1').running = false;
  cluster.run(20);
  t.is(cluster.roster(), '-solo@n1');
  cluster.machine('n1').running = true;
  cluster.actors.wake('n1');
  cluster.run(0.001);
  t.is(cluster.roster(), 'solo@n1');
  t.is(cluster.pod('solo').status.containerStatuses[0].restartCount, 0);
});

test('what happened while a node was frozen is looked at when it thaws', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('old'));
  cluster.actors.start();
  cluster.settle();
  cluster.machine('n1').running = false;
  cluster.apply(barePod('late'));
  cluster.remove(resources.pods, 'old', 0);
  cluster.run(5);
  t.is(cluster.machine('n1').names(), 'old');
  cluster.machine('n1').running = true;
  cluster.actors.wake('n1');
  cluster.settle();
  t.is(cluster.machine('n1').names(), 'late');
});

test('a kubelet cut from the API keeps its pods running, and tells everything when it is back', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('stays', {}, { app: 'app' }), barePod('goes'), service());
  cluster.actors.start();
  cluster.settle();
  cluster.cut.add('n1');
  cluster.run(1);
  cluster.remove(resources.pods, 'goes');
  cluster.run(99);
  t.is(cluster.machine('n1').names(), 'goes stays');
  t.is(
    cluster.endpoints(), '10.244.0.3 ---'.replace('.3', cluster.pod('stays').status.podIP.slice(8)),
  );
  cluster.cut.delete('n1');
  cluster.run(2);
  t.is(cluster.ready('n1'), 'True');
  t.true(cluster.endpoints().endsWith('rs-'));
  cluster.run(31);
  t.is(cluster.roster(), 'stays@n1');
});

test('when the control plane loses the API server for 10 min, no node is judged by that time', (t) => {
  const cluster = new Cluster();
  cluster.actors.start();
  cluster.run(20);
  cluster.controlReach = false;
  for (const name of ['n1', 'n2', 'n3']) cluster.cut.add(name);
  cluster.run(600);
  cluster.controlReach = true;
  cluster.cut.clear();
  cluster.run(60);
  t.deepEqual(cluster.world.notes.filter((note) => note.code === 'kube.nodeUnknown'), []);
  t.deepEqual(['n1', 'n2', 'n3'].map((name) => cluster.ready(name)), ['True', 'True', 'True']);
});

test('a drain cordons, evicts all but daemon pods, and says when the last one is gone', (t) => {
  const cluster = new Cluster();
  cluster.apply(workload('Deployment', { replicas: 6 }), {
    ...workload('DaemonSet'), metadata: { namespace: 'web', name: 'daemon' },
  });
  cluster.actors.start();
  cluster.settle();
  let doneAt = 0;
  const since = cluster.world.now;
  cluster.actors.drain('n2', () => { doneAt = cluster.world.now; });
  t.true(cluster.actors.pending().includes('drain of n2'));
  cluster.settle();
  t.is(doneAt - since, 30 * s);
  t.regex(
    cluster.roster(),
    /^app-\S+@n[13] (app-\S+@n[13] ){5}daemon-\S+@n\d daemon-\S+@n\d daemon-\S+@n\d$/u,
  );
  cluster.actors.uncordon('n2');
  cluster.edit(resources.deployments, 'app', { replicas: 9 });
  cluster.settle();
  t.is(cluster.roster().match(/app-\S+@n2/gu)?.length, 3);
});

test('pods of a deleted Node are removed after the quarantine, and its Lease goes with it', (t) => {
  const cluster = new Cluster({ nodes: 'n1 n2' });
  cluster.apply(barePod('solo', { nodeName: 'n2' }));
  cluster.actors.start();
  cluster.settle();
  cluster.machine('n2').off();
  cluster.remove(resources.nodes, 'n2');
  cluster.run(39);
  t.is(cluster.roster(), 'solo@n2');
  t.is(leaseOf(cluster, 'n2'), undefined);
  cluster.run(2);
  t.is(cluster.roster(), '');
});

test('nothing is pending in a settled cluster, and an eviction that waits is no work', (t) => {
  const cluster = new Cluster();
  cluster.apply(workload('Deployment', { replicas: 3 }), service());
  cluster.actors.start();
  t.not(cluster.actors.pending().length, 0);
  cluster.settle();
  t.deepEqual(cluster.actors.pending(), []);
  cluster.machine('n1').off();
  cluster.run(70);
  t.deepEqual(cluster.actors.pending(), []);
  t.regex(
    cluster.actors.waiting().join(), /^pod web\/app-\S+ is evicted when its toleration ends$/u,
  );
});

test('Nodes without pod ranges get the lowest free ones of each cluster range at the start', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply({
    apiVersion: 'v1', kind: 'Node', metadata: { name: 'n0' }, spec: { podCIDRs: ['10.244.0.0/24'] },
  });
  cluster.actors.start();
  t.deepEqual(cluster.object(resources.nodes, 'n0').spec.podCIDRs, ['10.244.0.0/24']);
  t.deepEqual(
    cluster.object(resources.nodes, 'n1').spec.podCIDRs, ['10.244.1.0/24', 'fd00:10::/64'],
  );
});
