import test from 'ava';
import type { KubeRequest } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { bytes, lease, reply, scene, second, type Sent } from './handtransport.ts';

const { leases, nodes, pools } = resources;

const spells = test.macro({
  exec: (t, request: KubeRequest, line: string, body?: unknown, contentType?: string) => {
    const { request: spelled } = scene().ask(request);
    t.is(`${spelled.method} ${spelled.path}`, line);
    t.deepEqual(spelled.body === undefined ? undefined : JSON.parse(spelled.body), body);
    t.is(spelled.contentType, contentType ?? (body === undefined ? undefined : 'application/json'));
  },
  title: (_, request: KubeRequest, line) => `${request.verb} is ${line}`,
});

const named = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
const leasePath = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';
test(spells, { verb: 'get', ref: lease }, `GET ${leasePath}/lock`);
test(
  spells, { verb: 'get', ref: { resource: nodes, namespace: '', name: 'a/b?c' } },
  'GET /api/v1/nodes/a%2Fb%3Fc',
);
test(
  spells,
  { verb: 'list', resource: nodes, namespace: '', options: { labelSelector: 'a in (b,c),!d' } },
  'GET /api/v1/nodes?labelSelector=a%20in%20(b%2Cc)%2C!d',
);
test(
  spells, { verb: 'list', resource: leases, namespace: 'a', options: { resourceVersion: '0' } },
  'GET /apis/coordination.k8s.io/v1/namespaces/a/leases?resourceVersion=0',
);
test(
  spells, { verb: 'create', resource: leases, namespace: 'kube-system', body: { metadata: {} } },
  `POST ${leasePath}`, { ...named, metadata: {} },
);
test(
  spells, { verb: 'update', ref: lease, subresource: 'status', body: { kind: 'Lease' } },
  `PUT ${leasePath}/lock/status`, named,
);
test(
  spells, { verb: 'patch', ref: lease, body: { spec: { holderIdentity: null } } },
  `PATCH ${leasePath}/lock`, { spec: { holderIdentity: null } }, 'application/merge-patch+json',
);
test(
  spells, {
    verb: 'apply', ref: { resource: pools, namespace: '', name: 'p' }, subresource: 'status',
    manager: 'fair lead', body: { status: {} },
  },
  'PATCH /apis/cilium.io/v2/ciliumloadbalancerippools/p/status?fieldManager=fair%20lead&force=true',
  { apiVersion: 'cilium.io/v2', kind: 'CiliumLoadBalancerIPPool', status: {} },
  'application/apply-patch+yaml',
);
test(
  spells, {
    verb: 'delete', ref: lease, preconditions: { uid: 'u', resourceVersion: '3' },
    gracePeriodSeconds: 0,
  },
  `DELETE ${leasePath}/lock`, {
    apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: 'u', resourceVersion: '3' },
    gracePeriodSeconds: 0,
  },
);

const refused = test.macro({
  exec: (t, status: number, reason: string, kind: string) => {
    const at = scene();
    reply(at.ask({ verb: 'get', ref: lease }), status, { kind: 'Status', reason, message: 'why' });
    t.deepEqual(at.heard, [`${kind}: why`]);
  },
  title: (_, status, reason, kind) => `${status} ${reason} is ${kind}`,
});

test(refused, 400, 'BadRequest', 'invalid');
test(refused, 401, 'Unauthorized', 'denied');
test(refused, 403, 'Forbidden', 'denied');
test(refused, 404, 'NotFound', 'gone');
test(refused, 405, 'MethodNotAllowed', 'invalid');
test(refused, 409, 'Conflict', 'conflict');
test(refused, 409, 'AlreadyExists', 'exists');
test(refused, 410, 'Expired', 'expired');
test(refused, 415, 'UnsupportedMediaType', 'invalid');
test(refused, 422, 'Invalid', 'invalid');
test(refused, 429, 'TooManyRequests', 'throttled');
test(refused, 500, 'InternalError', 'server');
test(refused, 503, 'ServiceUnavailable', 'server');
test(refused, 504, 'Timeout', 'server');
test(refused, 302, '', 'server');

test('the wait that a server asks for stands in the header or in the Status', (t) => {
  const at = scene();
  reply(at.ask({ verb: 'get', ref: lease }), 429, { message: 'slow' }, 3);
  reply(
    at.ask({ verb: 'get', ref: lease }), 504,
    { message: 'ahead', details: { retryAfterSeconds: 1 } },
  );
  reply(at.ask({ verb: 'get', ref: lease }), 502, '<html>Bad Gateway</html>');
  t.deepEqual(at.heard, [
    'throttled: slow after 3000000', 'server: ahead after 1000000', 'server: HTTP 502',
  ]);
});

test('items of a built-in list get the kind that the server leaves out', (t) => {
  const at = scene();
  const list = { verb: 'list', resource: nodes, namespace: '', options: {} } as const;
  const metadata = { resourceVersion: '9' };
  reply(at.ask(list), 200, { metadata, items: [{ metadata: { name: 'a' } }] });
  reply(at.ask(list), 200, { metadata, items: null });
  const item = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' } };
  t.deepEqual(at.heard, [
    JSON.stringify({ kind: 'list', items: [item], resourceVersion: '9' }),
    JSON.stringify({ kind: 'list', items: [], resourceVersion: '9' }),
  ]);
});

const unreadable = test.macro({
  exec: (t, verb: 'list' | 'patch', body: string, error: string) => {
    const at = scene();
    const request: KubeRequest = verb === 'list'
      ? { verb, resource: nodes, namespace: '', options: {} }
      : { verb, ref: lease, body: {} };
    reply(at.ask(request), 200, body);
    t.deepEqual(at.heard, [error]);
  },
  title: (_, verb, body) => `${verb} answered by ${body} is an error`,
});
const broken = (verb: string): string => `the answer to ${verb} cannot be read:`;

test(unreadable, 'list', '{"items":[', `server: ${broken('list')} it is not JSON`);
test(unreadable, 'list', '[]', `server: ${broken('list')} it is a list`);
test(
  unreadable, 'list', '{"items":[]}',
  `server: ${broken('list')} metadata.resourceVersion is nothing`,
);
test(
  unreadable, 'list', '{"metadata":{"resourceVersion":"1"},"items":[{},7]}',
  `server: ${broken('list')} items[1] is 7`,
);
test(
  unreadable, 'list', '{"metadata":{"resourceVersion":"1"},"items":{}}',
  `server: ${broken('list')} items is an object`,
);
// The write was done; only what came of it is unknown.
test(unreadable, 'patch', 'OK', `unknown-outcome: ${broken('patch')} it is not JSON`);
test(unreadable, 'patch', '7', `unknown-outcome: ${broken('patch')} it is 7`);

test('an endpoint that refuses is left for the next, and stays left', (t) => {
  const at = scene();
  const first = at.ask({ verb: 'get', ref: lease });
  first.sink.end('connection refused');
  t.deepEqual(at.sent.map(({ endpoint }) => endpoint), [0, 1]);
  reply(at.sent[1]!, 200, {});
  t.is(at.ask({ verb: 'get', ref: lease }).endpoint, 1);
  t.deepEqual(at.heard, ['{"kind":"object","object":{}}']);
});

test('when every endpoint refuses, nothing was done, even by a write', (t) => {
  const at = scene();
  at.ask({ verb: 'patch', ref: lease, body: {} }).sink.end('connection refused');
  at.sent[1]?.sink.end('no route to host');
  t.deepEqual(at.heard, [
    'unreachable: one:6443: connection refused; two:6443: no route to host',
  ]);
  t.is(at.sent.length, 2);
  // The same sentence, wherever it began: logs tell changes of it.
  at.kube.request({ verb: 'get', ref: lease }, () => undefined);
  const again = at.ask({ verb: 'get', ref: lease });
  t.is(again.endpoint, 0);
});

test('an endpoint that fails by 5xx is left for the next request, one that refuses is not', (t) => {
  const at = scene();
  for (const status of [200, 404, 429, 503]) reply(at.ask({ verb: 'get', ref: lease }), status, {});
  t.is(at.ask({ verb: 'get', ref: lease }).endpoint, 1);
  t.deepEqual(at.sent.map(({ endpoint }) => endpoint), [0, 0, 0, 0, 1]);
});

const loses = test.macro({
  exec: (t, verb: 'get' | 'patch', lose: (sent: Sent) => void, kind: string) => {
    const at = scene();
    lose(at.ask(verb === 'get' ? { verb, ref: lease } : { verb, ref: lease, body: {} }));
    at.world.run(31 * second);
    t.is(at.sent.length, 1, 'a request that was taken is never sent again');
    t.is(at.heard.length, 1);
    t.regex(at.heard[0]!, new RegExp(`^${kind}: one:6443: `, 'u'));
    t.is(at.ask({ verb: 'get', ref: lease }).endpoint, 1, 'the next one asks elsewhere');
  },
  title: (_, verb, lose: (sent: Sent) => void, kind) => `${verb} is ${kind} after ${lose.name}`,
});

function reset({ sink }: Sent): void {
  sink.sent();
  sink.end('connection reset by peer');
}
function truncation({ sink }: Sent): void {
  sink.sent();
  sink.head({ status: 200 });
  sink.bytes(bytes('{"metadata":{}}'));
  sink.end('connection lost');
}
function silence({ sink }: Sent): void {
  sink.sent();
}
function stall({ sink }: Sent): void {
  sink.sent();
  sink.head({ status: 200 });
  sink.bytes(bytes('{"meta'));
}
for (const lose of [reset, truncation, silence, stall]) {
  test(loses, 'get', lose, 'unreachable');
  test(loses, 'patch', lose, 'unknown-outcome');
}

test('a request ends at its own time-out, and its connection with it', (t) => {
  const at = scene();
  const sent = at.ask({ verb: 'patch', ref: lease, body: {}, timeout: 2 * second });
  at.world.run(2 * second - 1);
  t.deepEqual([at.heard.length, sent.aborted], [0, false]);
  at.world.run(2 * second);
  t.deepEqual(at.heard, ['unknown-outcome: one:6443: no answer in time']);
  t.true(sent.aborted);
});

test('an answer leaves the connection to the next request', (t) => {
  const at = scene();
  const sent = at.ask({ verb: 'get', ref: lease });
  reply(sent, 200, {});
  at.world.run(60 * second);
  t.false(sent.aborted);
  t.is(at.heard.length, 1);
});

test('a closed client is silent', (t) => {
  const at = scene();
  const sent = at.ask({ verb: 'get', ref: lease });
  at.watch();
  at.kube.close();
  at.world.run(60 * second);
  t.deepEqual(at.sent.map(({ aborted }) => aborted), [true, true]);
  t.true(sent.aborted);
  t.deepEqual(at.heard, []);
});
