import test from 'ava';
import { resources, type Resource } from '../../kube/resource.ts';
import { create, manifest, objectIn, ref, rig, verdict, type Rig } from './fixture.ts';

const { pods, nodes, services, events, secrets, pools, leases } = resources;

const pod = (node: string, phase: string, more = {}) => ({
  spec: { nodeName: node, containers: [], ...more }, status: { phase },
});

function filled(): Rig {
  const at = rig();
  at.server.load([
    manifest(pods, 'a', pod('n1', 'Running')),
    manifest(pods, 'b', pod('n2', 'Running', { hostNetwork: true })),
    manifest(pods, 'c', pod('n2', 'Failed')),
    manifest(nodes, 'n1', { spec: { unschedulable: true } }),
    manifest(nodes, 'n2'),
    manifest(secrets, 's', { type: 'kubernetes.io/tls' }),
    manifest(
      events,
      'e',
      {
        involvedObject: { kind: 'Pod', namespace: 'default', name: 'a', uid: 'u' },
        reason: 'Killing',
        type: 'Warning',
        source: { component: 'kubelet' },
      },
    ),
    manifest(
      events,
      'f',
      {
        involvedObject: { kind: 'Pod', namespace: 'default', name: 'b' },
        reason: 'Started',
        type: 'Normal',
      },
    ),
    manifest(
      services,
      'web',
      { spec: { type: 'LoadBalancer', clusterIP: '10.96.0.7', ports: [{ port: 80 }] } },
    ),
    manifest(services, 'odd', { spec: { ports: [{ port: 80 }] } }),
  ]);
  return at;
}

function listed(at: Rig, resource: Resource, fieldSelector: string): string {
  const answer = at.ask({ verb: 'list', resource, namespace: '', fieldSelector, options: {} });
  if (!answer.ok) return verdict(answer);
  if (answer.value.kind !== 'list') return 'no list';
  return answer.value.items.map((item) => item.metadata?.name).join(' ');
}

const selects = test.macro({
  exec: (t, resource: Resource, selector: string, names: string) => {
    t.is(listed(filled(), resource, selector), names);
  },
  title: (_, resource: Resource, selector: string) => `A15: ${resource.plural} where '${selector}'`,
});

test(selects, pods, 'spec.nodeName=n2', 'b c');
test(selects, pods, 'spec.nodeName=n2,status.phase!=Failed', 'b');
test(selects, pods, 'spec.nodeName==n1', 'a');
test(selects, pods, 'metadata.name=c', 'c');
test(selects, pods, 'metadata.namespace=other', '');
test(selects, pods, 'spec.hostNetwork=false', 'a c');
test(selects, pods, '', 'a b c');
test(selects, nodes, 'spec.unschedulable=true', 'n1');
test(selects, nodes, 'spec.unschedulable=false', 'n2');
test(selects, nodes, 'metadata.name=n2', 'n2');
test(selects, secrets, 'type=kubernetes.io/tls', 's');
test(selects, services, 'spec.type=LoadBalancer', 'web');
test(selects, services, 'spec.clusterIP=10.96.0.7', 'web');
test(selects, events, 'involvedObject.kind=Pod,involvedObject.name=a,involvedObject.namespace=default,involvedObject.uid=u', 'e');
test(selects, events, 'reason=Started', 'f');
test(selects, events, 'source=kubelet', 'e');
test(selects, events, 'type!=Normal', 'e');
// A backslash takes the meaning from a sign.
test(selects, pods, 'metadata.name=a\\,b', '');

const refuses = test.macro({
  exec: (t, resource: Resource, selector: string, expected: string) => {
    t.is(listed(filled(), resource, selector), `invalid: ${expected}`);
  },
  title: (_, resource: Resource, selector: string) =>
    `A15: ${resource.plural} where '${selector}' is refused`,
});

test(refuses, pods, 'spec.image=x', 'field label not supported: spec.image');
test(refuses, nodes, 'metadata.namespace=x', 'field label not supported: metadata.namespace');
test(refuses, leases, 'spec.holderIdentity=x', '"spec.holderIdentity" is not a known field selector: only "metadata.name", "metadata.namespace"');
test(refuses, pools, 'spec.disabled=true', 'field label not supported: spec.disabled');
test(refuses, pods, 'spec.nodeName', 'invalid selector: \'spec.nodeName\'; can\'t understand \'spec.nodeName\'');
test(refuses, pods, '=n1', 'invalid selector: \'=n1\'; can\'t understand \'=n1\'');

test('A15: a watch by fields hears an object that begins and ends to match', (t) => {
  const at = filled();
  const heard: string[] = [];
  at.server.open(
    { resource: pods, namespace: '', resourceVersion: '', fieldSelector: 'status.phase=Running' },
    (event) => {
      if (event.type !== 'BOOKMARK') heard.push(`${event.type} ${event.object.metadata?.name}`);
    },
  );
  const phase = (name: string, now: string) => objectIn(at.ask({
    verb: 'patch', ref: ref(pods, name), subresource: 'status', body: { status: { phase: now } },
  }));
  phase('c', 'Running');
  phase('a', 'Succeeded');
  phase('a', 'Failed');
  t.deepEqual(heard, ['ADDED a', 'ADDED b', 'ADDED c', 'DELETED a']);
});

test('A2: Exact answers from that version, and 410 when it is forgotten', (t) => {
  const at = rig();
  create(at, leases, 'a');
  const version = String(at.server.version);
  create(at, leases, 'b');
  at.ask({ verb: 'delete', ref: ref(leases, 'a') });
  const exact = () => at.ask({
    verb: 'list', resource: leases, namespace: '', resourceVersionMatch: 'Exact',
    options: { resourceVersion: version },
  });
  const then = exact();
  t.true(then.ok && then.value.kind === 'list' && then.value.resourceVersion === version);
  t.is(then.ok && then.value.kind === 'list' ? then.value.items.length : 0, 1);
  at.server.compact();
  t.regex(verdict(exact()), /^expired/);
});
