import test from 'ava';
import { resources, type Resource } from '../../kube/resource.ts';
import {
  create, leases, manifest, objectIn, ref, rig, service, services, verdict, type Rig,
} from './fixture.ts';
import type { KubeObject } from '../../kube/port.ts';

const pools = resources.pools;
const holder = (name: string) => ({ spec: { holderIdentity: name } });

function put(at: Rig, resource: Resource, body: KubeObject, subresource?: 'status') {
  const name = body.metadata?.name ?? '';
  return at.ask({
    verb: 'update',
    ref: ref(resource, name),
    body,
    ...(subresource !== undefined && { subresource }),
  });
}

function merge(at: Rig, resource: Resource, name: string, body: unknown, subresource?: 'status') {
  return at.ask({
    verb: 'patch', ref: ref(resource, name), body: body as never,
    ...(subresource !== undefined && { subresource }),
  });
}

test('A1: each write takes the next version; one that changes nothing takes none and sends nothing', (t) => {
  const at = rig();
  const events: string[] = [];
  at.server.subscribe(leases, (event) => { events.push(event.type); });
  const made = objectIn(create(at, leases, 'a', holder('x')));
  const { version } = at.server;
  t.is(made.metadata?.resourceVersion, String(version));
  t.is(
    objectIn(put(at, leases, { ...made, ...holder('x') })), at.server.get(leases, 'default', 'a')!,
  );
  t.is(objectIn(merge(at, leases, 'a', {})), at.server.get(leases, 'default', 'a')!);
  t.is(
    objectIn(merge(at, leases, 'a', { metadata: { labels: {} } })),
    at.server.get(leases, 'default', 'a')!,
  );
  t.is(at.server.version, version);
  t.is(
    objectIn(put(at, leases, { ...made, ...holder('y') })).metadata?.resourceVersion,
    String(version + 1),
  );
  t.deepEqual(events, ['ADDED', 'MODIFIED']);
});

test('A1: a write that only defaulting differs from takes no version', (t) => {
  const at = rig();
  service(at, 'web', { type: 'LoadBalancer' });
  create(at, pools, 'lan', { spec: { blocks: [{ cidr: '192.0.2.0/24' }] } });
  const { version } = at.server;
  const bare = {
    ...manifest(services, 'web'), spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  };
  t.is(verdict(put(at, services, bare)), 'ok');
  t.is(verdict(merge(at, pools, 'lan', { spec: { disabled: null } })), 'ok');
  t.is(at.server.version, version);
});

test('A1: versions may leave gaps, and never go back', (t) => {
  const at = rig({ gappyVersions: true });
  const versions = ['a', 'b', 'c'].map(
    (name) => Number(objectIn(create(at, leases, name)).metadata?.resourceVersion),
  );
  t.deepEqual(versions, versions.toSorted((left, right) => left - right));
  t.true((versions[2] ?? 0) - (versions[0] ?? 0) > 2);
});

const meets = test.macro({
  exec: (
    t, _: string, act: (at: Rig, made: KubeObject) => ReturnType<Rig['ask']>, expected: RegExp,
  ) => {
    const at = rig();
    const made = objectIn(create(at, leases, 'a', holder('x')));
    t.regex(verdict(act(at, made)), expected);
  },
  title: (_, claim: string) => `A6: ${claim}`,
});

test(meets, 'PUT with an old version is a conflict', (at, made) => {
  put(at, leases, { ...made, ...holder('y') });
  return put(at, leases, { ...made, ...holder('z') });
}, /^conflict: .* on leases\.coordination\.k8s\.io "a": the object has been modified/);
test(meets, 'PUT of a Lease without version is invalid', (at) => put(at, leases, manifest(leases, 'a', holder('y'))), /^invalid: .*must be specified for an update/);
test(meets, 'PATCH with an old version is a conflict', (at) => merge(at, leases, 'a', { metadata: { resourceVersion: '1' }, ...holder('y') }), /^conflict/);
test(meets, 'PATCH without version succeeds', (at) => merge(at, leases, 'a', holder('y')), /^ok$/);
test(meets, 'PUT with another uid is a conflict', (at, made) => put(at, leases, { ...made, metadata: { ...made.metadata, uid: 'other' } }), /^conflict: .*UID in precondition/);
test(meets, 'PUT of a Lease that is gone and names its uid is a conflict', (at, made) => {
  at.ask({ verb: 'delete', ref: ref(leases, 'a') });
  return put(at, leases, made);
}, /^conflict: .*Code: 4/);
test(meets, 'DELETE with another uid is a conflict', (at) => at.ask({ verb: 'delete', ref: ref(leases, 'a'), preconditions: { uid: 'x' } }), /^conflict/);
test(meets, 'DELETE with an old version is a conflict', (at) => at.ask({ verb: 'delete', ref: ref(leases, 'a'), preconditions: { resourceVersion: '1' } }), /^conflict/);
test(meets, 'DELETE with the right ones succeeds', (at, made) => {
  const { uid = '', resourceVersion = '' } = made.metadata ?? {};
  return at.ask({ verb: 'delete', ref: ref(leases, 'a'), preconditions: { uid, resourceVersion } });
}, /^ok$/);
test(meets, 'a second create meets AlreadyExists', (at) => create(at, leases, 'a'), /^exists: leases\.coordination\.k8s\.io "a" already exists/);
test(meets, 'GET of the absent is gone', (at) => at.ask({ verb: 'get', ref: ref(leases, 'b') }), /^gone: leases\.coordination\.k8s\.io "b" not found/);
test(meets, 'PATCH of the absent is gone', (at) => merge(at, leases, 'b', {}), /^gone/);
test(meets, 'status of a kind without status is gone', (at) => merge(at, leases, 'a', {}, 'status'), /^gone/);
test(meets, 'PUT of a Node without version is allowed', (at) => {
  create(at, resources.nodes, 'n1');
  return put(
    at, resources.nodes, manifest(resources.nodes, 'n1', { spec: { unschedulable: true } }),
  );
}, /^ok$/);
test(meets, 'PUT of a custom resource without version is invalid', (at) => {
  create(at, pools, 'lan', { spec: {} });
  return put(at, pools, manifest(pools, 'lan', { spec: {} }));
}, /^invalid: .*metadata\.resourceVersion/);
test(meets, 'PUT under another name is a bad request', (at, made) => at.ask({ verb: 'update', ref: ref(leases, 'a'), body: { ...made, metadata: { ...made.metadata, name: 'b' } } }), /^invalid: the name of the object/);

const generation = (object: KubeObject): unknown => object.metadata?.['generation'];

test('A7: generation of a custom resource counts spec changes and the begin of deletion', (t) => {
  const at = rig();
  const spec = { blocks: [{ cidr: '192.0.2.0/24' }] };
  t.is(
    generation(
      objectIn(create(at, pools, 'lan', { spec, metadata: { finalizers: ['example.org/hold'] } })),
    ),
    1,
  );
  t.is(generation(objectIn(merge(at, pools, 'lan', { metadata: { labels: { a: 'b' } } }))), 1);
  t.is(generation(objectIn(merge(at, pools, 'lan', { status: { conditions: [] } }))), 1);
  t.is(generation(objectIn(merge(at, pools, 'lan', { spec: { disabled: true } }))), 2);
  t.is(generation(objectIn(at.ask({ verb: 'delete', ref: ref(pools, 'lan') }))), 3);
});

test('A7: Services, Nodes and Leases have no generation, Deployments and EndpointSlices count', (t) => {
  const at = rig();
  t.is(generation(objectIn(service(at, 'web'))), undefined);
  t.is(generation(objectIn(create(at, leases, 'a'))), undefined);
  t.is(generation(objectIn(create(at, resources.nodes, 'n'))), undefined);
  const template = { metadata: { labels: { a: 'b' } } };
  const selector = { matchLabels: { a: 'b' } };
  create(at, resources.deployments, 'd', { spec: { selector, template } });
  t.is(generation(objectIn(merge(at, resources.deployments, 'd', { spec: { replicas: 3 } }))), 2);
  create(at, resources.endpointSlices, 's', { addressType: 'IPv4', endpoints: [] });
  t.is(
    generation(
      objectIn(
        merge(at, resources.endpointSlices, 's', { endpoints: [{ addresses: ['10.0.0.1'] }] }),
      ),
    ),
    2,
  );
});

test('A7: create drops status, the main endpoint ignores it, the status endpoint ignores the rest', (t) => {
  const at = rig();
  const condition = {
    type: 'a/b',
    status: 'True',
    reason: 'r',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const status = { conditions: [condition] };
  const made = objectIn(create(at, pools, 'lan', { spec: {}, status }));
  t.is(made['status'], undefined);
  t.is(objectIn(merge(at, pools, 'lan', { status }))['status'], undefined);
  const written = objectIn(
    merge(
      at,
      pools,
      'lan',
      { status, spec: { disabled: true }, metadata: { labels: { a: 'b' } } },
      'status',
    ),
  );
  t.deepEqual(written['status'], status);
  t.is(written['spec'].disabled, false);
  t.is(written.metadata?.['labels'], undefined);
});

test('A8: a merge patch deletes by null and replaces lists whole', (t) => {
  const at = rig();
  create(at, resources.configMaps, 'c', { data: { a: '1', b: '2' }, list: [1, 2] });
  const after = objectIn(
    merge(at, resources.configMaps, 'c', { data: { a: null, c: '3' }, list: [3] }),
  );
  t.deepEqual(after['data'], { b: '2', c: '3' });
  t.deepEqual(after['list'], [3]);
});

const patches = test.macro({
  exec: (t, operations: unknown, expected: unknown) => {
    const at = rig();
    create(at, resources.configMaps, 'c', { data: { 'a/b': '1', list: ['x', 'y'] } });
    const answer = at.ask({
      verb: 'json-patch', ref: ref(resources.configMaps, 'c'), body: operations as never,
    });
    if (expected === undefined) t.regex(verdict(answer), /^invalid/);
    else t.deepEqual(objectIn(answer)['data'], expected);
  },
  title: (_, operations: unknown, expected: unknown) => {
    const outcome = expected === undefined ? 'is refused' : 'applies';
    return `A8: JSON patch ${JSON.stringify(operations)} ${outcome}`;
  },
});

test(patches, [{ op: 'add', path: '/data/c', value: '3' }], { 'a/b': '1', list: ['x', 'y'], c: '3' });
test(patches, [{ op: 'replace', path: '/data/a~1b', value: '2' }], { 'a/b': '2', list: ['x', 'y'] });
test(patches, [{ op: 'remove', path: '/data/list/0' }], { 'a/b': '1', list: ['y'] });
test(patches, [{ op: 'add', path: '/data/list/-', value: 'z' }], { 'a/b': '1', list: ['x', 'y', 'z'] });
test(patches, [{ op: 'move', from: '/data/a~1b', path: '/data/n' }], { list: ['x', 'y'], n: '1' });
test(patches, [{ op: 'copy', from: '/data/list/1', path: '/data/list/0' }], { 'a/b': '1', list: ['y', 'x', 'y'] });
test(patches, [{ op: 'test', path: '/data/list', value: ['x', 'y'] }, { op: 'remove', path: '/data/list' }], { 'a/b': '1' });
test(patches, [{ op: 'test', path: '/data/list', value: ['x'] }], undefined);
test(patches, [{ op: 'replace', path: '/data/none', value: 1 }], undefined);
test(patches, [{ op: 'remove', path: '/data/list/2' }], undefined);
test(patches, [{ op: 'add', path: '/data/list/4', value: 1 }], undefined);
test(patches, [{ op: 'add', path: 'data', value: 1 }], undefined);
test(patches, [{ op: 'glue', path: '/data' }], undefined);
test(patches, {}, undefined);

const refuses = test.macro({
  exec: (t, resource: Resource, name: string, content: Record<string, unknown>, path: string) => {
    const answer = create(rig(), resource, name, content);
    t.regex(verdict(answer), new RegExp(`^invalid: .*${path.replaceAll(/[[\]]/g, '\\$&')}:`));
  },
  title: (
    _, resource: Resource, name: string, content: unknown, path: string,
  ) => `A10: ${resource.kind} ${name} ${JSON.stringify(content)} is refused at ${path}`,
});

test(refuses, leases, 'Upper', {}, 'metadata.name');
test(refuses, leases, '', {}, 'metadata.name');
test(refuses, leases, `a${'b'.repeat(253)}`, {}, 'metadata.name');
test(refuses, services, '1st', { spec: { ports: [{ port: 1 }] } }, 'metadata.name');
test(refuses, services, 'a.b', { spec: { ports: [{ port: 1 }] } }, 'metadata.name');
test(refuses, resources.namespaces, 'a.b', {}, 'metadata.name');
test(refuses, leases, 'a', { metadata: { labels: { 'a b': 'c' } } }, 'metadata.labels');
test(refuses, leases, 'a', { metadata: { labels: { a: 'b c' } } }, 'metadata.labels');
test(refuses, leases, 'a', { metadata: { labels: { a: 1 } } }, 'metadata.labels.a');
test(refuses, leases, 'a', { metadata: { annotations: { 'a//b': 'c' } } }, 'metadata.annotations');
test(refuses, leases, 'a', { metadata: { finalizers: ['not a name'] } }, 'metadata.finalizers');
test(refuses, leases, 'a', { spec: { leaseDurationSeconds: 0 } }, 'spec.leaseDurationSeconds');
test(refuses, leases, 'a', { spec: { leaseDurationSeconds: 1.5 } }, 'spec.leaseDurationSeconds');
test(refuses, leases, 'a', { spec: { leaseTransitions: -1 } }, 'spec.leaseTransitions');
test(refuses, leases, 'a', { spec: { renewTime: '2026-01-01T00:00:00' } }, 'spec.renewTime');
test(refuses, leases, 'a', { spec: { holderIdentity: 7 } }, 'spec.holderIdentity');
test(refuses, resources.endpointSlices, 'a', { addressType: 'IP' }, 'addressType');
test(refuses, resources.endpointSlices, 'a', { addressType: 'IPv4', endpoints: [{ addresses: [] }] }, 'endpoints[0].addresses');
test(refuses, resources.deployments, 'a', { spec: {} }, 'spec.selector');

test('A10: what is immutable stays', (t) => {
  const at = rig();
  create(at, resources.endpointSlices, 's', { addressType: 'IPv4' });
  t.regex(
    verdict(merge(at, resources.endpointSlices, 's', { addressType: 'IPv6' })),
    /addressType: .*immutable/,
  );
  create(at, resources.nodes, 'n', { spec: { podCIDRs: ['10.1.0.0/24'] } });
  t.regex(
    verdict(merge(at, resources.nodes, 'n', { spec: { podCIDRs: ['10.2.0.0/24'] } })),
    /spec\.podCIDRs/,
  );
});

