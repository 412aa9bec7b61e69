import test from 'ava';
import type { KubeObject } from '../../kube/port.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import type { HandleOptions } from '../../sim/api/server.ts';
import { create, manifest, objectIn, ref, rig, services, verdict, type Rig } from './fixture.ts';

const { deployments, configMaps, nodes } = resources;

type Fields = Record<string, any>;

const template = (image: string, more: Fields = {}) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image, ...more }] },
});
const deployment = (spec: Fields): KubeObject => manifest(
  deployments, 'web', { spec: { selector: { matchLabels: { app: 'web' } }, ...spec } },
);

function apply(
  at: Rig, resource: Resource, body: KubeObject, manager: string, options: HandleOptions = {},
) {
  const name = body.metadata?.name ?? '';
  return at.server.handle(
    { verb: 'apply', ref: ref(resource, name), manager, body }, 'tester', options,
  );
}

/** Who owns what: `manager/operation: paths`. */
function owners(object: KubeObject): Fields {
  const entries = (object.metadata?.['managedFields'] ?? []) as unknown as Fields[];
  return Object.fromEntries(entries.map((entry) => {
    const sub = entry['subresource'] === undefined ? '' : `/${entry['subresource']}`;
    return [`${entry['manager']}/${entry['operation']}${sub}`, leaves(entry['fieldsV1'])];
  }));
}

function leaves(tree: Fields, path = ''): string {
  const keys = Object.keys(tree).filter((key) => key !== '.');
  if (keys.length === 0) return path;
  return keys.map((key) => {
    const dot = key.startsWith('f:') ? '.' : '';
    return leaves(tree[key], `${path}${dot}${key.slice(2)}`);
  }).join(' ');
}

const conflicts = test.macro({
  exec: (t, _: string, before: KubeObject, after: KubeObject, expected: string) => {
    const at = rig();
    const resource = Object.values(resources).find((of) => of.kind === before.kind)!;
    objectIn(apply(at, resource, before, 'first'));
    const answer = apply(at, resource, after, 'second', { force: false });
    t.is(answer.ok ? 'ok' : answer.error.message, expected);
  },
  title: (_, claim) => `A9: ${claim}`,
});

test(conflicts, 'another value of an owned field is a conflict', deployment({ replicas: 1, template: template('a') }), manifest(deployments, 'web', { spec: { replicas: 2 } }), 'Apply failed with 1 conflict: conflict with "first": .spec.replicas');
test(conflicts, 'the same value is shared', deployment({ replicas: 1, template: template('a') }), manifest(deployments, 'web', { spec: { replicas: 1 } }), 'ok');
test(conflicts, 'a field of a list entry conflicts under the key of the entry', deployment({ template: template('a') }), manifest(deployments, 'web', { spec: { template: template('b') } }), 'Apply failed with 1 conflict: conflict with "first": .spec.template.spec.containers[name="web"].image');
test(conflicts, 'several conflicts are listed', deployment({ replicas: 1, template: template('a') }), deployment({ replicas: 2, template: template('b') }), 'Apply failed with 2 conflicts: conflicts with "first":\n- .spec.replicas\n- .spec.template.spec.containers[name="web"].image');
test(conflicts, 'another entry of a list conflicts with nobody', deployment({ template: template('a', { env: [{ name: 'X', value: '1' }] }) }), manifest(deployments, 'web', { spec: { template: { spec: { containers: [{ name: 'web', env: [{ name: 'Y', value: '2' }] }] } } } }), 'ok');
test(conflicts, 'ports of a Service are told apart by port and protocol', manifest(services, 'web', { spec: { ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] } }), manifest(services, 'web', { spec: { ports: [{ name: 'dns-tcp', port: 53 }] } }), 'ok');
test(conflicts, 'a port without protocol is the TCP one', manifest(services, 'web', { spec: { ports: [{ name: 'a', port: 80, protocol: 'TCP' }] } }), manifest(services, 'web', { spec: { ports: [{ name: 'b', port: 80 }] } }), 'Apply failed with 1 conflict: conflict with "first": .spec.ports[port=80,protocol="TCP"].name');
test(conflicts, 'a selector is owned as a whole', manifest(services, 'web', { spec: { ports: [{ port: 80 }], selector: { app: 'web' } } }), manifest(services, 'web', { spec: { selector: { app: 'web', tier: 'x' } } }), 'Apply failed with 1 conflict: conflict with "first": .spec.selector');
test(conflicts, 'labels are owned one by one', manifest(configMaps, 'c', { metadata: { labels: { a: '1' } } }), manifest(configMaps, 'c', { metadata: { labels: { b: '2' } } }), 'ok');
test(conflicts, 'taints of a Node are owned as a whole', manifest(nodes, 'n1', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }), manifest(nodes, 'n1', { spec: { taints: [{ key: 'b', effect: 'NoSchedule' }] } }), 'Apply failed with 1 conflict: conflict with "first": .spec.taints');

test('A9: a conflict carries one cause per field, and force takes the field over', (t) => {
  const at = rig();
  apply(at, configMaps, manifest(configMaps, 'c', { data: { a: '1', b: '1' } }), 'first');
  const other = manifest(configMaps, 'c', { data: { a: '2' } });
  const refused = apply(at, configMaps, other, 'second', { force: false });
  t.deepEqual(
    refused.ok ? [] : refused.error.causes,
    [{ path: '.data.a', message: 'conflict with "first"', reason: 'FieldManagerConflict' }],
  );
  const taken = objectIn(apply(at, configMaps, other, 'second', { force: true }));
  t.deepEqual(taken['data'], { a: '2', b: '1' });
  t.deepEqual(owners(taken), { 'first/Apply': '.data.b', 'second/Apply': '.data.a' });
});

test('A9: writers that name themselves own what they change; others lose it', (t) => {
  const at = rig();
  const write = (request: Parameters<Rig['ask']>[0], fieldManager: string) =>
    objectIn(at.server.handle(request, 'tester', { fieldManager }));
  const body = manifest(
    configMaps, 'c', { data: { a: '1', b: '1' }, metadata: { labels: { x: '1' } } },
  );
  const made = write(
    { verb: 'create', resource: configMaps, namespace: 'default', body }, 'kubectl-create',
  );
  t.deepEqual(owners(made), { 'kubectl-create/Update': '.metadata.labels.x .data.a .data.b' });
  const patched = write(
    { verb: 'patch', ref: ref(configMaps, 'c'), body: { data: { a: '2', c: '3' } } },
    'kubectl-patch',
  );
  t.deepEqual(
    owners(patched),
    {
      'kubectl-create/Update': '.metadata.labels.x .data.b',
      'kubectl-patch/Update': '.data.a .data.c',
    },
  );
  const gone = write(
    { verb: 'patch', ref: ref(configMaps, 'c'), body: { data: { b: null } } }, 'kubectl-patch',
  );
  t.deepEqual(
    owners(gone),
    { 'kubectl-create/Update': '.metadata.labels.x', 'kubectl-patch/Update': '.data.a .data.c' },
  );
});

test('A9: a conflict with a writer that did not apply names its version', (t) => {
  const at = rig();
  const body = deployment({ replicas: 1, template: template('a') });
  at.server.handle(
    { verb: 'create', resource: deployments, namespace: 'default', body },
    'tester',
    { fieldManager: 'kubectl-client-side-apply' },
  );
  const answer = apply(
    at,
    deployments,
    manifest(deployments, 'web', { spec: { replicas: 2 } }),
    'kubectl',
    { force: false },
  );
  const owner = '"kubectl-client-side-apply" using apps/v1';
  const expected = `Apply failed with 1 conflict: conflict with ${owner}: .spec.replicas`;
  t.is(verdict(answer), `conflict: ${expected}`);
});

test('A9: writes to status are owned apart from those to the object', (t) => {
  const at = rig();
  create(at, nodes, 'n1');
  const body = { status: { conditions: [{ type: 'Ready', status: 'True' }] } };
  const written = at.server.handle(
    { verb: 'patch', ref: ref(nodes, 'n1'), subresource: 'status', body },
    'tester',
    { fieldManager: 'kubelet' },
  );
  const entry = '.status.conditions{"type":"Ready"}';
  const expected = { 'kubelet/Update/status': `${entry}.type ${entry}.status` };
  t.deepEqual(owners(objectIn(written)), expected);
});

test('A9: owners can be written themselves, and an apply that brings some is refused', (t) => {
  const at = rig();
  apply(at, configMaps, manifest(configMaps, 'c', { data: { a: '1' } }), 'first');
  const operations = [{ op: 'replace', path: '/metadata/managedFields', value: [] }];
  const cleared = at.ask({ verb: 'json-patch', ref: ref(configMaps, 'c'), body: operations });
  t.deepEqual(owners(objectIn(cleared)), {});
  const bringing = manifest(configMaps, 'c', { metadata: { managedFields: [{ manager: 'x' }] } });
  t.regex(
    verdict(apply(at, configMaps, bringing, 'first')),
    /^invalid: metadata\.managedFields must be nil/,
  );
});

test('A9: who does not name itself is not recorded, and keeps what is', (t) => {
  const at = rig();
  apply(at, configMaps, manifest(configMaps, 'c', { data: { a: '1' } }), 'first');
  const patched = at.ask({ verb: 'patch', ref: ref(configMaps, 'c'), body: { data: { b: '2' } } });
  t.deepEqual(owners(objectIn(patched)), { 'first/Apply': '.data.a' });
});
