import test from 'ava';
import { resources } from '../../kube/resource.ts';
import { booted, Cluster, service, workload } from './cluster.ts';

test('a namespace that goes is emptied, pods with their grace, then gone', (t) => {
  const cluster = booted([workload('Deployment', { replicas: 2 }), service()]);
  cluster.api.handle(
    { verb: 'delete', ref: { resource: resources.namespaces, namespace: '', name: 'web' } }, 'test',
  );
  cluster.run(10);
  t.regex(cluster.roster(), /^~\S+ ~\S+$/u);
  t.is(cluster.object(resources.namespaces, 'web').status.phase, 'Terminating');
  cluster.settle();
  t.is(cluster.object(resources.namespaces, 'web'), undefined);
  t.deepEqual(cluster.pods(), []);
  t.deepEqual(cluster.actors.pending(), []);
});

test('a living namespace has the default ServiceAccount and the root CA map', (t) => {
  const cluster = booted([]);
  t.truthy(cluster.object(resources.serviceAccounts, 'default'));
  t.truthy(cluster.object(resources.configMaps, 'kube-root-ca.crt'));
});

test('an object whose owner never was in this cluster stays, one that loses its owner goes', (t) => {
  const owned = (name: string, uid: string): any => ({
    apiVersion: 'v1', kind: 'ConfigMap',
    metadata: {
      namespace: 'web', name,
      ownerReferences: [{ apiVersion: 'v1', kind: 'Secret', name: 'x', uid }],
    },
  });
  const cluster = new Cluster();
  cluster.apply(owned('imported', 'uid-of-another-cluster'));
  cluster.actors.start();
  cluster.apply(owned('late', 'uid-of-nobody'));
  cluster.settle();
  t.truthy(cluster.object(resources.configMaps, 'imported'));
  t.is(cluster.object(resources.configMaps, 'late'), undefined);
});

const widgets = {
  apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.org' },
  spec: {
    group: 'example.org', scope: 'Namespaced', names: { plural: 'widgets', kind: 'Widget' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: {} } }],
  },
};

test('a namespace that goes takes objects along whose kind was defined later', (t) => {
  const cluster = booted([service()]);
  cluster.api.load([widgets, {
    apiVersion: 'example.org/v1', kind: 'Widget', metadata: { name: 'a', namespace: 'web' },
  }]);
  const [kind] = cluster.api.definitions.all();
  t.is(cluster.api.list(kind!.resource).length, 1);
  cluster.api.handle(
    { verb: 'delete', ref: { resource: resources.namespaces, namespace: '', name: 'web' } }, 'test',
  );
  cluster.settle();
  t.deepEqual(cluster.api.list(kind!.resource), []);
  t.is(cluster.object(resources.namespaces, 'web'), undefined);
});

test('a foreground deletion waits for what is owned; an orphaning one leaves it', (t) => {
  for (const propagation of ['Foreground', 'Orphan'] as const) {
    const cluster = booted([workload('Deployment', { replicas: 2 })]);
    const [deployment] = cluster.api.list(resources.deployments);
    const { namespace = '', name = '' } = deployment?.metadata ?? {};
    cluster.api.handle(
      { verb: 'delete', ref: { resource: resources.deployments, namespace, name } }, 'test',
      { propagation },
    );
    t.is(cluster.api.list(resources.deployments).length, 1);
    cluster.settle();
    t.is(cluster.api.list(resources.deployments).length, 0);
    t.is(cluster.api.list(resources.replicaSets).length, propagation === 'Orphan' ? 1 : 0);
    t.is(cluster.pods().length, propagation === 'Orphan' ? 2 : 0);
  }
});

test('the status of a disruption budget follows its pods', (t) => {
  const cluster = booted([workload('Deployment', { replicas: 3 })]);
  const labels = cluster.api.list(resources.pods)[0]?.metadata?.['labels'];
  const { app } = labels as unknown as { app: string };
  cluster.apply({
    apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'b', namespace: 'web' },
    spec: { minAvailable: 2, selector: { matchLabels: { app } } },
  });
  cluster.settle();
  const shown = () => cluster.object(resources.disruptionBudgets, 'b').status;
  t.deepEqual(shown(), {
    currentHealthy: 3, desiredHealthy: 2, disruptionsAllowed: 1, expectedPods: 3,
    observedGeneration: 1,
  });
  const [pod] = cluster.api.list(resources.pods);
  const ref = { resource: resources.pods, namespace: 'web', name: pod?.metadata?.name ?? '' };
  t.true(cluster.api.handle({ verb: 'evict', ref, body: {} }, 'test').ok);
  cluster.run(1);
  t.is(shown().disruptionsAllowed, 0);
  cluster.settle();
  t.is(shown().disruptionsAllowed, 1);
});
