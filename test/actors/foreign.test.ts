import test from 'ava';
import { resources } from '../../kube/resource.ts';
import type { KubeObject } from '../../kube/port.ts';
import { Cluster, booted, service } from './cluster.ts';

function balanced(name: string, loadBalancerClass?: string): KubeObject {
  const named = loadBalancerClass !== undefined && { loadBalancerClass };
  return service({ type: 'LoadBalancer', ...named }, { name });
}

function shown(cluster: Cluster, name: string): unknown {
  const ingress = cluster.object(resources.services, name).status?.loadBalancer?.ingress;
  return ingress?.map((entry: any) => entry.ip);
}

test('a foreign load balancer serves its own class only, one address each', (t) => {
  const cluster = booted([
    balanced('a', 'example.com/other'), balanced('b', 'example.com/other'),
    balanced('c', 'example.com/third'), balanced('d'), service({}, { name: 'e' }),
  ]);
  t.deepEqual(['a', 'b', 'c', 'd', 'e'].map((name) => shown(cluster, name)),
    [['203.0.113.0'], ['203.0.113.1'], undefined, undefined, undefined]);
});

test('its address is free again when the Service goes, and kept when the status is wiped', (t) => {
  const cluster = booted([balanced('a', 'example.com/other'), balanced('b', 'example.com/other')]);
  cluster.remove(resources.services, 'a');
  cluster.apply(balanced('f', 'example.com/other'));
  cluster.settle();
  t.deepEqual(shown(cluster, 'f'), ['203.0.113.0']);
  const ref = { resource: resources.services, namespace: 'web', name: 'b' };
  cluster.api.handle(
    { verb: 'patch', ref, subresource: 'status', body: { status: { loadBalancer: null } } }, 'test',
  );
  cluster.settle();
  t.deepEqual(shown(cluster, 'b'), ['203.0.113.1']);
});
