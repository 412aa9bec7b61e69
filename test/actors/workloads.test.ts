import test from 'ava';
import { compareText } from '../../lb/table.ts';
import { resources } from '../../kube/resource.ts';
import {
  booted, Cluster, exact, readyCondition, s, service, template, workload,
} from './cluster.ts';

interface Watched {
  readonly readyMin: number;
  readonly activeMax: number;
}

/**
 * Runs until settled and returns the fewest ready pods at any event, and the most pods that are not
 * terminating at the end of any instant: inside one, a new set may act before the old one.
 */
function watched(cluster: Cluster): Watched {
  let readyMin = Infinity;
  let activeMax = 0;
  const active = (): any[] => cluster.pods().filter(
    (pod) => pod.metadata.deletionTimestamp === undefined,
  );
  cluster.api.subscribe(resources.pods, () => {
    readyMin = Math.min(readyMin, active().filter(readyCondition).length);
  });
  while (cluster.actors.pending().length > 0) {
    cluster.run(0.1);
    activeMax = Math.max(activeMax, active().length);
  }
  return { readyMin, activeMax };
}

const names = (cluster: Cluster): string => cluster.pods().map(
  (pod) => pod.metadata.name,
).sort(compareText).join(' ');

const nodesOf = (cluster: Cluster): string => cluster.pods().map(
  (pod) => pod.spec.nodeName ?? '?',
).sort(compareText).join(' ');

test('a Deployment has a ReplicaSet and pods, and says so in its status', (t) => {
  const cluster = booted([workload('Deployment', { replicas: 3 })]);
  const deployment = cluster.object(resources.deployments, 'app');
  t.like(deployment.status, {
    replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3, unavailableReplicas: 0,
  });
  t.is(deployment.status.conditions[0].status, 'True');
  const [set] = cluster.api.list(resources.replicaSets) as any[];
  t.is(set.metadata.ownerReferences[0].uid, deployment.metadata.uid);
  t.like(set.status, { replicas: 3, readyReplicas: 3 });
  t.is(nodesOf(cluster), 'n1 n2 n3');
  t.is(
    cluster.pods()[0].metadata.labels['pod-template-hash'],
    set.metadata.labels['pod-template-hash'],
  );
});

const rolls = test.macro({
  exec(t, replicas: number, rollingUpdate: object, expected: Watched) {
    const strategy = { type: 'RollingUpdate', rollingUpdate };
    const cluster = booted([workload('Deployment', { replicas, strategy })]);
    cluster.edit(resources.deployments, 'app', { template: template({}, { version: '2' }) });
    t.deepEqual(watched(cluster), expected);
    t.is(cluster.pods().length, replicas);
    t.true(cluster.pods().every((pod) => pod.metadata.labels.version === '2'));
    const sets: any[] = [...cluster.api.list(resources.replicaSets)];
    t.is(sets.filter((set) => set.spec.replicas > 0).length, 1);
  },
  title: (_, replicas: number, bounds: object, expected: Watched) =>
    `a roll of ${replicas} with ${JSON.stringify(bounds)} keeps ${expected.readyMin} ready `
    + `and makes at most ${expected.activeMax}`,
});

test(rolls, 10, {}, { readyMin: 8, activeMax: 13 });
test(rolls, 10, { maxSurge: 1, maxUnavailable: 0 }, { readyMin: 10, activeMax: 11 });
test(rolls, 4, { maxSurge: 0, maxUnavailable: 1 }, { readyMin: 3, activeMax: 4 });
test(rolls, 4, { maxSurge: '100%', maxUnavailable: 0 }, { readyMin: 4, activeMax: 8 });
test(rolls, 1, {}, { readyMin: 1, activeMax: 2 });
test(rolls, 3, { maxSurge: '10%', maxUnavailable: '10%' }, { readyMin: 3, activeMax: 4 });

test('Recreate ends every old pod before the first new one', (t) => {
  const cluster = booted([workload('Deployment', { replicas: 3, strategy: { type: 'Recreate' } })]);
  cluster.edit(resources.deployments, 'app', { template: template({}, { version: '2' }) });
  cluster.run(29.9);
  t.regex(cluster.roster(), /^(~\S+ ?){3}$/u);
  cluster.settle();
  t.true(cluster.pods().every((pod) => pod.metadata.labels.version === '2'));
  t.is(cluster.pods().length, 3);
});

test('a Deployment scales up and down, giving up pods that are not ready first', (t) => {
  const cluster = booted([workload('Deployment', { replicas: 2 })]);
  const kept = names(cluster).split(' ');
  cluster.edit(resources.deployments, 'app', { replicas: 5 });
  cluster.run(1);
  cluster.edit(resources.deployments, 'app', { replicas: 2 });
  cluster.settle();
  t.deepEqual(names(cluster).split(' '), kept);
  cluster.edit(resources.deployments, 'app', { replicas: 0 });
  cluster.settle();
  t.is(names(cluster), '');
});

test('back to an earlier template uses its ReplicaSet again', (t) => {
  const cluster = booted([workload('Deployment', { replicas: 2 })]);
  const first = cluster.pods()[0].metadata.labels['pod-template-hash'];
  cluster.edit(resources.deployments, 'app', { template: template({}, { version: '2' }) });
  cluster.settle();
  cluster.edit(resources.deployments, 'app', { template: template({}, { version: null }) });
  cluster.settle();
  t.is(cluster.pods()[0].metadata.labels['pod-template-hash'], first);
  t.is(cluster.api.list(resources.replicaSets).length, 2);
});

test('a removed pod is replaced at once, while it still terminates', (t) => {
  const cluster = booted([workload('Deployment', { replicas: 1 }), service()]);
  cluster.remove(resources.pods, cluster.pods()[0].metadata.name);
  cluster.run(3.5);
  t.is(
    cluster.endpoints().split(', ').map((line) => line.slice(-3)).sort(compareText).join(),
    '-st,rs-',
  );
  cluster.settle();
  t.is(cluster.pods().length, 1);
});

test('a Deployment that goes takes its ReplicaSets and pods with it', (t) => {
  const cluster = booted([workload('Deployment', { replicas: 3 }), service()]);
  cluster.remove(resources.deployments, 'app');
  cluster.settle();
  t.deepEqual(
    [names(cluster), cluster.api.list(resources.replicaSets).length, cluster.endpoints()],
    ['', 0, ''],
  );
});

const condemned = test.macro({
  exec(t, finalizer: string, after: number[]) {
    const deployment = workload('Deployment', { replicas: 2 });
    const cluster = booted(
      [{ ...deployment, metadata: { ...deployment.metadata, finalizers: [finalizer] } }],
    );
    cluster.remove(resources.deployments, 'app');
    const seen: number[] = [];
    const look = (): void => {
      seen.push(
        cluster.api.list(resources.deployments).length,
        cluster.api.list(resources.replicaSets).length, cluster.pods().length,
      );
    };
    cluster.run(5);
    look();
    cluster.settle();
    look();
    t.deepEqual(seen, after);
  },
  title: (_, finalizer: string, after: number[]) =>
    `${finalizer}: Deployments, sets and pods after 5 s and at the end are ${after.join(' ')}`,
});

test(condemned, 'foregroundDeletion', [0, 0, 2, 0, 0, 0]);
test(condemned, 'orphan', [0, 1, 2, 0, 1, 2]);

test('a DaemonSet runs on every node that it tolerates, also on cordoned and new ones', (t) => {
  const cluster = new Cluster({ nodes: 'n1 n2 n3 n4' });
  cluster.apply(workload('DaemonSet'));
  cluster.edit(resources.nodes, 'n2', { unschedulable: true });
  cluster.edit(
    resources.nodes, 'n3', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] },
  );
  cluster.actors.start();
  cluster.settle();
  t.is(nodesOf(cluster), 'n1 n2 n4');
  t.like(
    cluster.object(resources.daemonSets, 'app').status,
    { desiredNumberScheduled: 3, numberReady: 3 },
  );
  cluster.edit(resources.nodes, 'n3', { taints: null });
  cluster.edit(
    resources.nodes, 'n4', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] },
  );
  cluster.settle();
  t.is(nodesOf(cluster), 'n1 n2 n3');
});

test('a daemon pod of a dead node stays, because it tolerates that for ever', (t) => {
  const cluster = booted([workload('DaemonSet')]);
  const before = names(cluster);
  cluster.machine('n2').off();
  cluster.run(600);
  t.is(names(cluster), before);
  t.is(cluster.roster().split(' ').filter((line) => line.startsWith('-')).length, 1);
});

test('a DaemonSet rolls one node at a time, and not at all with OnDelete', (t) => {
  const cluster = booted([workload('DaemonSet')]);
  cluster.edit(resources.daemonSets, 'app', { template: template({}, { version: '2' }) });
  t.is(watched(cluster).readyMin, 2);
  t.true(cluster.pods().every((pod) => pod.metadata.labels.version === '2'));
  cluster.edit(
    resources.daemonSets, 'app',
    { updateStrategy: { type: 'OnDelete' }, template: template({}, { version: '3' }) },
  );
  cluster.settle();
  t.true(cluster.pods().every((pod) => pod.metadata.labels.version === '2'));
});

test('a StatefulSet makes its pods in order, each after the one before is ready', (t) => {
  const cluster = new Cluster();
  cluster.apply(workload('StatefulSet', { replicas: 3, serviceName: 'app' }));
  cluster.actors.start();
  const made: string[] = [];
  cluster.api.subscribe(resources.pods, (event: any) => {
    if (event.type === 'ADDED') made.push(`${event.object.metadata.name} ${cluster.world.now / s}`);
  });
  cluster.settle();
  t.deepEqual(made, ['app-0 0', 'app-1 3', 'app-2 6']);
  t.is(cluster.pod('app-1').metadata.labels['apps.kubernetes.io/pod-index'], '1');
  t.like(cluster.pod('app-1').spec, { hostname: 'app-1', subdomain: 'app' });
  cluster.edit(resources.statefulSets, 'app', { replicas: 1 });
  cluster.run(1);
  t.regex(cluster.roster(), /^app-0@n\d app-1@n\d ~app-2@n\d$/u);
  cluster.settle();
  t.is(names(cluster), 'app-0');
});

test('a parallel StatefulSet makes all pods at once', (t) => {
  const cluster = booted(
    [
      workload(
        'StatefulSet', { replicas: 3, podManagementPolicy: 'Parallel', ordinals: { start: 5 } },
      ),
    ],
  );
  t.true(cluster.world.now <= 5 * s);
  t.is(names(cluster), 'app-5 app-6 app-7');
});

test('a StatefulSet updates from the highest ordinal down to its partition', (t) => {
  const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 1 } };
  const cluster = booted([workload('StatefulSet', { replicas: 3, updateStrategy })]);
  const removed: string[] = [];
  cluster.api.subscribe(resources.pods, (event: any) => {
    if (event.type === 'DELETED') removed.push(event.object.metadata.name);
  });
  cluster.edit(resources.statefulSets, 'app', { template: template({}, { version: '2' }) });
  cluster.settle();
  t.deepEqual(removed, ['app-2', 'app-1']);
  t.deepEqual(cluster.pods().map((pod) => pod.metadata.labels.version), [undefined, '2', '2']);
});

test('the StatefulSet pod of a dead node is not replaced until it is deleted by force', (t) => {
  const cluster = booted([workload('StatefulSet', { replicas: 1 }), service()]);
  const home = cluster.pod('app-0').spec.nodeName;
  cluster.machine(home).off();
  cluster.run(1200);
  t.is(cluster.roster(), `~app-0@${home}`);
  t.is(cluster.endpoints().slice(-3), '--t');
  cluster.remove(resources.pods, 'app-0', 0);
  cluster.run(4);
  t.regex(cluster.roster(), /^app-0@n\d$/u);
  t.not(cluster.pod('app-0').spec.nodeName, home);
});

test('or until its node is back, which ends it and lets a new one come', (t) => {
  const cluster = booted([workload('StatefulSet', { replicas: 1 })]);
  const home = cluster.pod('app-0').spec.nodeName;
  const uid = cluster.pod('app-0').metadata.uid;
  cluster.machine(home).off();
  cluster.run(500);
  cluster.machine(home).on();
  cluster.actors.wake(home);
  cluster.run(4);
  t.true(readyCondition(cluster.pod('app-0')));
  t.not(cluster.pod('app-0').metadata.uid, uid);
});

test('two runs of a busy cluster with one seed are equal, event by event', (t) => {
  const run = (seed: bigint): string => {
    const cluster = new Cluster({ seed, timings: {}, order: 'uniform' });
    cluster.apply(workload('Deployment', { replicas: 5 }), service(), {
      ...workload('StatefulSet', { replicas: 2 }), metadata: { namespace: 'web', name: 'db' },
    });
    cluster.actors.start();
    cluster.run(20);
    cluster.machine('n2').off();
    cluster.edit(resources.deployments, 'app', { template: template({}, { version: '2' }) });
    cluster.run(400);
    cluster.machine('n2').on();
    cluster.actors.wake('n2');
    cluster.run(60);
    return `${cluster.world.trace.hash} ${cluster.world.unseed()} ${cluster.roster()}`;
  };
  t.is(run(3n), run(3n));
  t.not(run(3n), run(4n));
});

test('the actors keep their reactions: no work is due later than its stated time', (t) => {
  const cluster = new Cluster({ timings: { ...exact, reaction: 50_000, sliceReaction: s } });
  cluster.apply(workload('Deployment', { replicas: 3 }), service());
  cluster.actors.start();
  // Deployment, ReplicaSet, scheduler and kubelet react in turn; then 2 s, 1 s and the slice.
  cluster.run(4 * 0.05 + 3 + 1.05);
  t.is(cluster.endpoints().split(', ').filter((line) => line.endsWith('rs-')).length, 3);
});
