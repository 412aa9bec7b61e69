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
