import test from 'ava';
import { ControlPlane, type ControlPlaneOptions } from '../../sim/live/controlplane.ts';
import { serveControlPlane } from '../../sim/live/controlplane.real.ts';
import type { KubeObject } from '../../kube/port.ts';
import { compareText } from '../../lb/table.ts';
import { resources, type Resource } from '../../kube/resource.ts';

const second = 1_000_000;
const labels = { app: 'web' };
const deployment: KubeObject = {
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 2, selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web' }] } },
  },
};
const service: KubeObject = {
  apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' },
  spec: { selector: labels, ports: [{ port: 80 }] },
};
const node = (name: string): KubeObject => ({
  apiVersion: 'v1', kind: 'Node', metadata: { name },
  status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
});

function started(options: ControlPlaneOptions) {
  const plane = new ControlPlane({ objects: [deployment, service], ...options });
  plane.start();
  const { api, world } = plane;
  return {
    plane,
    pass: (seconds: number) => { world.run(world.now + seconds * second); },
    list: (resource: Resource) => api.list(resource) as (KubeObject & Record<string, any>)[],
    // What a kubelet of the lab does: a Lease, a ready Node, pods that run.
    join(name: string) {
      const ref = { resource: resources.nodes, namespace: '', name };
      const create = (resource: Resource, namespace: string, body: KubeObject): void => {
        api.handle({ verb: 'create', resource, namespace, body }, name);
      };
      create(resources.nodes, '', node(name));
      const lease = { metadata: { name }, spec: { renewTime: '2026-01-01T00:00:00.000000Z' } };
      create(resources.leases, 'kube-node-lease', lease);
      const status = { conditions: [{ type: 'Ready', status: 'True' }] };
      api.handle({ verb: 'patch', ref, subresource: 'status', body: { status } }, name);
    },
  };
}

test('nodes that join later get pod ranges, pods and endpoints', (t) => {
  const at = started({});
  at.pass(5);
  t.deepEqual(at.list(resources.pods).map((pod) => pod['spec'].nodeName), [undefined, undefined]);
  at.join('n1');
  at.join('n2');
  at.pass(2);
  const ranges = at.list(resources.nodes).map((each) => each['spec'].podCIDRs);
  t.deepEqual(ranges, [['10.244.0.0/24', 'fd00:244::/64'], ['10.244.1.0/24', 'fd00:244:0:1::/64']]);
  const pods = at.list(resources.pods);
  const places = pods.map((pod) => String(pod['spec'].nodeName));
  t.deepEqual(places.toSorted(compareText), ['n1', 'n2']);
  for (const [index, pod] of pods.entries()) {
    const podIP = `10.244.0.${index + 2}`;
    const status = {
      phase: 'Running', podIP, podIPs: [{ ip: podIP }],
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    const ref = { resource: resources.pods, namespace: 'default', name: pod.metadata!.name! };
    at.plane.api.handle({ verb: 'patch', ref, subresource: 'status', body: { status } }, 'kubelet');
  }
  at.pass(3);
  const ips = at.list(resources.endpointSlices).flatMap(({ endpoints }) =>
    (endpoints as { addresses: string[] }[]).flatMap(({ addresses }) => addresses));
  t.deepEqual(ips.toSorted(compareText), ['10.244.0.2', '10.244.0.3']);
});

test('a node whose kubelet falls silent becomes unknown', (t) => {
  const at = started({});
  at.join('n1');
  at.pass(70);
  const [only] = at.list(resources.nodes);
  t.is(only!['status'].conditions.find((each: any) => each.type === 'Ready').status, 'Unknown');
});

test('only the controllers that were asked for run', (t) => {
  const at = started({ controllers: ['slices'] });
  at.join('n1');
  at.pass(70);
  t.deepEqual(at.list(resources.pods), []);
  t.is(at.list(resources.endpointSlices).length, 1);
  t.is(at.list(resources.nodes)[0]!['spec']?.podCIDRs, undefined);
});

test('a served control plane answers at the host’s time', async (t) => {
  const before = Date.now();
  const served = await serveControlPlane({ objects: [deployment] });
  t.teardown(() => served.close());
  const answer = await fetch(`${served.url}/apis/apps/v1/namespaces/default/deployments/web`);
  const { metadata } = await answer.json() as { metadata: { creationTimestamp: string } };
  // Seconds are cut off.
  t.true(Date.parse(metadata.creationTimestamp) >= before - 1000);
});
