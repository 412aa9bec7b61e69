import test from 'ava';
import { base64Bytes } from '../../lb/base64.ts';
import { lineTexts, place } from './place.ts';

const pods = '/api/v1/namespaces/default/pods';
const maps = '/api/v1/namespaces/default/configmaps';
const named = (name: string, rest: object = {}) => ({ metadata: { name }, ...rest });

test('an object is created, read, changed and deleted', (t) => {
  const at = place();
  const created = at.ask(`POST ${maps}`, named('a', { data: { x: '1' } }));
  t.is(created.code, 201);
  t.is(created.body.kind, 'ConfigMap');
  const patch = at.ask(`PATCH ${maps}/a`, { data: { y: '2' } }, {
    'content-type': 'application/merge-patch+json',
  });
  t.deepEqual([patch.code, patch.body.data], [200, { x: '1', y: '2' }]);
  const put = at.ask(`PUT ${maps}/a`, { ...patch.body, data: { z: null, y: '3' } });
  t.deepEqual([put.code, put.body.data], [200, { y: '3' }]);
  const stale = at.ask(`PUT ${maps}/a`, patch.body);
  t.deepEqual([stale.code, stale.body.reason], [409, 'Conflict']);
  const gone = at.ask(`DELETE ${maps}/a`);
  t.deepEqual(gone.body.details, { name: 'a', kind: 'configmaps', uid: created.body.metadata.uid });
  t.is(at.ask(`GET ${maps}/a`).body.message, 'configmaps "a" not found');
});

const answers = test.macro({
  exec: (t, line: string, body: unknown, code: number, reason: string | undefined) => {
    const heard = place().ask(line, body);
    t.is(heard.code, code);
    t.is(heard.body.reason, reason);
    if (reason !== undefined) t.is(heard.body.code, code);
  },
  title: (_, line, body, code, reason) =>
    `${line} ${JSON.stringify(body) ?? ''} answers ${code} ${reason ?? ''}`,
});

test(answers, 'GET /api/v1/namespaces/default', undefined, 200, undefined);
test(answers, 'GET /api/v1/namespaces/none', undefined, 404, 'NotFound');
test(answers, 'GET /api/v1/things', undefined, 404, 'NotFound');
test(answers, 'GET /apis/none/v1/things', undefined, 404, undefined);
test(answers, 'GET /api/v1/pods/a', undefined, 404, 'NotFound'); // a pod lives in a namespace
test(answers, 'GET /api/v1/namespaces/default/nodes', undefined, 404, 'NotFound'); // a Node does not
test(answers, `POST ${maps}`, named('a'), 201, undefined);
test(answers, `POST ${maps}`, '{', 400, 'BadRequest');
test(answers, `POST ${maps}`, '[]', 400, 'BadRequest');
test(answers, `POST ${maps}`, { ...named('a'), kind: 'Pod' }, 400, 'BadRequest');
test(answers, `POST ${maps}`, { ...named('a'), apiVersion: 'v2' }, 400, 'BadRequest');
test(answers, `POST ${maps}`, named('A b'), 422, 'Invalid');
test(answers, `POST ${maps}?dryRun=Some`, named('a'), 400, 'BadRequest');
test(answers, `POST ${maps.replace('default', 'none')}`, named('a'), 404, 'NotFound');
test(answers, `PUT ${maps}`, named('a'), 405, 'MethodNotAllowed');
test(answers, `PUT ${maps}/a/status`, named('a'), 404, 'NotFound'); // has no status
test(answers, `DELETE ${maps}/a`, { gracePeriodSeconds: -1 }, 400, 'BadRequest');
test(answers, `GET ${pods}/a/log`, undefined, 501, 'NotImplemented');
test(answers, `GET ${pods}?watch=1&timeoutSeconds=x`, undefined, 400, 'BadRequest');

test('an invalid object is refused with one cause per field', (t) => {
  const at = place();
  const ports = [{ port: 80 }, { port: 80 }];
  const services = '/api/v1/namespaces/default/services';
  const heard = at.ask(`POST ${services}`, named('web', { spec: { ports } }));
  t.is(heard.code, 422);
  t.deepEqual([heard.body.details.name, heard.body.details.kind], ['web', 'Service']);
  t.true(heard.body.details.causes.length > 0);
  for (const { reason, message, field } of heard.body.details.causes) {
    t.regex(reason, /^FieldValue/);
    t.true(heard.body.message.includes(`${field}: ${message}`));
  }
});

test('a watch brings every change in order, the deletion with its version, and ends in time', (t) => {
  const at = place();
  at.ask(`POST ${maps}`, named('a'));
  const watch = at.ask(`GET ${maps}?watch=true&timeoutSeconds=5`);
  at.ask(`POST ${maps}`, named('b'));
  at.ask(`DELETE ${maps}/a`);
  at.pass(1);
  t.deepEqual(lineTexts(watch), ['ADDED a@5', 'ADDED b@6', 'DELETED a@7']);
  at.pass(3);
  t.false(watch.ended);
  at.pass(2);
  t.true(watch.ended);
});

test('a watch that the client left is silent', (t) => {
  const at = place();
  const watch = at.ask(`GET ${maps}?watch=true`);
  at.ask(`POST ${maps}`, named('a'));
  watch.hold?.cancel();
  at.pass(4000);
  t.deepEqual([watch.lines, watch.ended], [[], false]);
});

test('bookmarks come each minute and two seconds before the end, where asked for', (t) => {
  const at = place();
  const asked = at.ask(`GET ${maps}?watch=true&timeoutSeconds=130&allowWatchBookmarks=true`);
  const plain = at.ask(`GET ${maps}?watch=true&timeoutSeconds=130`);
  at.pass(127);
  t.deepEqual(lineTexts(asked), ['BOOKMARK @4', 'BOOKMARK @4']);
  at.pass(2);
  t.is(asked.lines.length, 3);
  t.deepEqual(plain.lines, []);
});

test('a watch from a forgotten version ends with an ERROR event, or with status 410', (t) => {
  for (const expiredWatch of ['event', 'status'] as const) {
    const at = place({ expiredWatch });
    at.ask(`POST ${maps}`, named('a'));
    at.server.compact();
    const watch = at.ask(`GET ${maps}?watch=true&resourceVersion=1`);
    if (expiredWatch === 'event') t.deepEqual(lineTexts(watch), ['ERROR 410 Expired']);
    else t.deepEqual([watch.code, watch.body.reason], [410, 'Expired']);
  }
});

test('a list waits three seconds for a version that is still to come', (t) => {
  const at = place();
  const early = at.ask(`GET ${maps}?resourceVersion=5`);
  const never = at.ask(`GET ${maps}?resourceVersion=90`);
  at.pass(1);
  t.is(early.code, 0);
  at.ask(`POST ${maps}`, named('a'));
  at.pass(1);
  t.deepEqual([early.code, early.body.items.length], [200, 1]);
  at.pass(2);
  t.deepEqual([never.code, never.body.reason], [504, 'Timeout']);
  t.is(place({ frozen: () => true }).ask(`GET ${maps}?resourceVersion=90`).code, 504);
});

test('apply creates with 201 and answers 200 afterwards', (t) => {
  const at = place();
  const type = { 'content-type': 'application/apply-patch+yaml' };
  const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: "1"\n';
  t.is(at.ask(`PATCH ${maps}/a?fieldManager=me`, yaml, type).code, 201);
  t.is(at.ask(`PATCH ${maps}/a?fieldManager=me`, yaml, type).code, 200);
  t.is(at.ask(`PATCH ${maps}/a`, yaml, type).code, 400);
});

test('a dry run answers as the write would and changes nothing', (t) => {
  const at = place();
  t.is(at.ask(`POST ${maps}?dryRun=All`, named('a')).code, 201);
  t.is(at.ask(`GET ${maps}/a`).code, 404);
});

test('items of a built-in list carry no kind, items of a custom resource do', (t) => {
  const at = place();
  at.ask(`POST ${maps}`, named('a'));
  const list = at.ask(`GET ${maps}`).body;
  t.deepEqual([list.kind, list.apiVersion, list.items[0].kind], ['ConfigMapList', 'v1', undefined]);
  const pools = '/apis/cilium.io/v2/ciliumloadbalancerippools';
  at.ask(`POST ${pools}`, named('p', { spec: { blocks: [{ cidr: '192.0.2.0/24' }] } }));
  t.is(at.ask(`GET ${pools}`).body.items[0].kind, 'CiliumLoadBalancerIPPool');
});

test('every served version of a kind shows the same object under its own name', (t) => {
  const at = place();
  const pools = (version: string) => `/apis/cilium.io/${version}/ciliumloadbalancerippools`;
  at.ask(`POST ${pools('v2alpha1')}`, named('p', { spec: { blocks: [{ cidr: '192.0.2.0/24' }] } }));
  for (const version of ['v2', 'v2alpha1']) {
    t.is(at.ask(`GET ${pools(version)}/p`).body.apiVersion, `cilium.io/${version}`);
  }
});

const discovers = test.macro({
  exec: (t, path: string, accept: string, kind: string, apiVersion: string | undefined) => {
    const heard = place().ask(`GET ${path}`, undefined, { accept });
    t.deepEqual([heard.body.kind, heard.body.apiVersion], [kind, apiVersion]);
  },
  title: (_, path, accept, kind, apiVersion) => `${path} for ${accept} is ${kind} ${apiVersion}`,
});
const as = (version: string) =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
const both = `${as('v2')},${as('v2beta1')},application/json`;

test(discovers, '/api', both, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2');
test(discovers, '/apis', `${as('v2beta1')},application/json`, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2beta1');
test(discovers, '/apis', `${as('v9')},application/json`, 'APIGroupList', 'v1');
test(discovers, '/api', '', 'APIVersions', undefined);
test(discovers, '/apis', 'application/json', 'APIGroupList', 'v1');
test(discovers, '/apis/apps', both, 'APIGroup', 'v1');
test(discovers, '/apis/apps/v1', both, 'APIResourceList', 'v1');

test('strategic merge patches and protobuf bodies reach the server, and documents the client', (t) => {
  const at = place();
  const namespace = base64Bytes(
    'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhsKEwoDbnMxEgAaACIAKgAyADgAQgASABoCCgAaACIA',
  );
  const protobuf = { 'content-type': 'application/vnd.kubernetes.protobuf' };
  const made = at.ask('POST /api/v1/namespaces', namespace, protobuf);
  t.is(made.code, 201);
  t.is(made.body.metadata.name, 'ns1');
  const merge = { 'content-type': 'application/strategic-merge-patch+json' };
  const body = { metadata: { finalizers: ['a/b'] } };
  const patched = at.ask('PATCH /api/v1/namespaces/ns1', body, merge);
  t.deepEqual(patched.body.metadata.finalizers, ['a/b']);
  const paths = at.ask('GET /openapi/v3').body.paths;
  t.true('apis/cilium.io/v2' in paths);
  const document = at.ask(`GET ${paths['apis/cilium.io/v2'].serverRelativeURL}`).body;
  const pool = document.components.schemas['io.cilium.v2.CiliumLoadBalancerIPPool'];
  t.is(pool.properties.spec.properties.disabled.type, 'boolean');
  t.is(at.ask('GET /openapi/v3/apis/none/v1').code, 404);
});

test('Endpoints are a view of the slices of a Service', (t) => {
  const at = place();
  const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
  const spec = { ports: [{ port: 80 }] };
  at.ask('POST /api/v1/namespaces/default/services', named('web', { spec }));
  at.ask(`POST ${slices}`, {
    metadata: { name: 's', labels: { 'kubernetes.io/service-name': 'web' } }, addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: [
      { addresses: ['10.0.0.1'], nodeName: 'n1' },
      { addresses: ['10.0.0.2'], conditions: { ready: false } },
    ],
  });
  const path = '/api/v1/namespaces/default/endpoints';
  const { subsets: [subset] } = at.ask(`GET ${path}/web`).body;
  t.deepEqual(subset.addresses, [{ ip: '10.0.0.1', nodeName: 'n1' }]);
  t.deepEqual(subset.notReadyAddresses, [{ ip: '10.0.0.2' }]);
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { rows } = at.ask(`GET ${path}`, undefined, { accept }).body;
  t.deepEqual(rows.map((row: any) => row.cells.slice(0, 2)), [['web', '10.0.0.1:8080']]);
  t.is(at.ask(`GET ${path}/other`).body.message, 'endpoints "other" not found');
  t.is(at.ask(`GET ${path}?watch=1`).code, 501);
  t.is(at.ask(`DELETE ${path}/web`).code, 405);
});
