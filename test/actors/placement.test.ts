import test from 'ava';
import { compareText } from '../../lb/table.ts';
import { resources } from '../../kube/resource.ts';
import { barePod, booted, Cluster, workload } from './cluster.ts';

const nodesOf = (cluster: Cluster): string => cluster.pods().map(
  (pod) => pod.spec.nodeName ?? '?',
).sort(compareText).join(' ');

const places = test.macro({
  exec(t, _: string, spec: object, expected: string) {
    const cluster = new Cluster({ nodes: 'n1 n2 n3', zones: 'z1 z2 z2' });
    cluster.edit(
      resources.nodes, 'n3', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] },
    );
    cluster.apply(workload('Deployment', { replicas: 6 }, spec));
    cluster.actors.start();
    cluster.settle();
    t.is([...new Set(nodesOf(cluster).split(' '))].join(' '), expected);
    t.deepEqual(cluster.actors.pending(), []);
  },
  title: (_, what, __, expected) => `pods with ${what} are placed on: ${expected}`,
});

const zone = 'topology.kubernetes.io/zone';

const required = (terms: object[]): object => ({
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
  },
});

const expression = (
  key: string, operator: string, values: string[] = [],
): object => ({ matchExpressions: [{ key, operator, values }] });

const apart = (matchLabels: object, topologyKey: string): object => {
  const term = { labelSelector: { matchLabels }, topologyKey };
  const podAntiAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [term] };
  return { affinity: { podAntiAffinity } };
};
const gpu = {
  tolerations: [{ key: 'gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' }],
};

test(places, 'no demand', {}, 'n1 n2');
test(places, 'a toleration', gpu, 'n1 n2 n3');

test(
  places, 'a toleration of another value', { tolerations: [{ key: 'gpu', value: 'no' }] }, 'n1 n2',
);

test(places, 'a toleration of everything', { tolerations: [{ operator: 'Exists' }] }, 'n1 n2 n3');
test(places, 'a node selector', { nodeSelector: { [zone]: 'z2' } }, 'n2');

test(
  places, 'a node selector and a toleration', { ...gpu, nodeSelector: { [zone]: 'z2' } }, 'n2 n3',
);

test(places, 'a selector that no node has', { nodeSelector: { disk: 'fast' } }, '?');
test(places, 'affinity In', required([expression(zone, 'In', ['z1'])]), 'n1');
test(places, 'affinity NotIn', required([expression(zone, 'NotIn', ['z1'])]), 'n2');

test(
  places, 'affinity of two terms',
  required([expression(zone, 'In', ['z1']), expression(zone, 'In', ['z2'])]), 'n1 n2',
);

test(places, 'affinity DoesNotExist', required([expression('disk', 'DoesNotExist')]), 'n1 n2');
test(places, 'affinity Gt of an absent label', required([expression('cores', 'Gt', ['1'])]), '?');

test(
  places, 'affinity to a name',
  required([{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n2'] }] }]), 'n2',
);

test(places, 'an empty term', required([{}]), '?');
test(places, 'no term', required([]), '?');
test(places, 'an unknown operator', required([expression(zone, 'Near', ['z1'])]), '?');
test(places, 'anti-affinity to their own by zone', apart({ app: 'app' }, zone), '? n1 n2');
test(places, 'anti-affinity to others', apart({ app: 'other' }, zone), 'n1 n2');
test(places, 'a node name of its own', { nodeName: 'n3' }, 'n3');

test('a pod that fits nowhere says so, and is placed when a node fits', (t) => {
  const cluster = booted([barePod('picky', { nodeSelector: { disk: 'fast' } })]);
  const [condition] = cluster.pod('picky').status.conditions;
  t.like(condition, { type: 'PodScheduled', status: 'False', reason: 'Unschedulable' });
  const ref = { resource: resources.nodes, namespace: '', name: 'n2' };
  cluster.api.handle(
    { verb: 'patch', ref, body: { metadata: { labels: { disk: 'fast' } } } }, 'test',
  );
  cluster.settle();
  t.is(cluster.roster(), 'picky@n2');
  t.like(cluster.pod('picky').status.conditions[0], { type: 'PodScheduled', status: 'True' });
});

test('replicas that must be apart are one per node, and a freed node takes a waiting one', (t) => {
  const spec = apart({ app: 'app' }, 'kubernetes.io/hostname');
  const cluster = booted([workload('Deployment', { replicas: 4 }, spec)]);
  t.is(nodesOf(cluster), '? n1 n2 n3');
  const victim = cluster.pods().find((pod) => pod.spec.nodeName === 'n2');
  cluster.remove(resources.pods, victim.metadata.name, 0);
  cluster.settle();
  t.is(nodesOf(cluster), '? n1 n2 n3');
  cluster.edit(resources.deployments, 'app', { replicas: 3 });
  cluster.settle();
  t.is(nodesOf(cluster), 'n1 n2 n3');
});

test('a node holds as many pods as it has slots, and a freed slot is used', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  const ref = { resource: resources.nodes, namespace: '', name: 'n1' };
  cluster.api.handle(
    { verb: 'patch', subresource: 'status', ref, body: { status: { allocatable: { pods: '2' } } } },
    'test',
  );
  cluster.apply(workload('Deployment', { replicas: 3 }));
  cluster.actors.start();
  cluster.settle();
  t.is(nodesOf(cluster), '? n1 n1');
  cluster.edit(resources.deployments, 'app', { replicas: 2 });
  cluster.settle();
  t.is(nodesOf(cluster), 'n1 n1');
});

test('pods of one owner spread, equal choices differ by seed and repeat with it', (t) => {
  const placement = (seed: bigint): string => {
    const cluster = booted([workload('Deployment', { replicas: 1 })], { seed });
    return nodesOf(cluster);
  };
  const seeds = Array.from({ length: 20 }, (_, index) => BigInt(index));
  const chosen = seeds.map(placement);
  t.deepEqual([...new Set(chosen)].sort(compareText), ['n1', 'n2', 'n3']);
  t.deepEqual(seeds.slice(0, 5).map(placement), chosen.slice(0, 5));
  for (const seed of seeds.slice(0, 5)) {
    const cluster = booted([workload('Deployment', { replicas: 7 })], { seed });
    const counts = ['n1', 'n2', 'n3'].map(
      (name) => nodesOf(cluster).split(' ').filter((node) => node === name).length,
    );
    t.deepEqual(counts.sort((left, right) => left - right), [2, 2, 3]);
  }
});

test('a pod never lands on a node that has not reported, or that is Unknown', (t) => {
  const cluster = new Cluster();
  cluster.machine('n1').off();
  cluster.apply(workload('Deployment', { replicas: 4 }));
  cluster.actors.start();
  cluster.settle();
  t.is(nodesOf(cluster), 'n2 n2 n3 n3');
  cluster.machine('n2').off();
  cluster.run(400);
  t.is(cluster.roster().split(' ').filter(
    (line) => !line.startsWith('~'),
  ).map((line) => line.slice(-2)).join(), 'n3,n3,n3,n3');
});
