import test from 'ava';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { ageOf } from '../../sim/api/table/age.ts';
import { printerValues } from '../../sim/api/table/printerpath.ts';
import { tableOf } from '../../sim/api/table/table.ts';
import { lineTexts, place } from './place.ts';

const start = Date.UTC(2026, 0, 1) * 1000;
const second = 1_000_000;

const ages = test.macro({
  exec: (t, seconds: number, text: string) => {
    t.is(ageOf('2026-01-01T00:00:00Z', start + seconds * second), text);
  },
  title: (_, seconds, text) => `after ${seconds} s the age is ${text}`,
});

test(ages, -5, '<invalid>');
test(ages, -1, '0s');
test(ages, 0, '0s');
test(ages, 119, '119s');
test(ages, 120, '2m');
test(ages, 150, '2m30s');
test(ages, 600, '10m');
test(ages, 3 * 3600 - 1, '179m');
test(ages, 3 * 3600, '3h');
test(ages, 7 * 3600 + 1800, '7h30m');
test(ages, 8 * 3600 + 1800, '8h');
test(ages, 47 * 3600, '47h');
test(ages, 49 * 3600, '2d1h');
test(ages, 9 * 86_400 + 3600, '9d');
test(ages, 800 * 86_400, '2y70d');
test(ages, 3000 * 86_400, '8y');
test('no time is an unknown age', (t) => { t.is(ageOf(undefined, start), '<unknown>'); });

const metadata = { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' };
const containers = [{ name: 'a', image: 'img:1' }, { name: 'b', image: 'img:2' }];
const template = { spec: { containers } };

/** Cells of the usual columns, then `|` and those of `-o wide`. */
const cells = test.macro({
  exec: (t, kind: string, object: object, expected: string) => {
    const resource = Object.values(resources).find((each) => each.kind === kind)!;
    const { columnDefinitions, rows: [row] } = tableOf([{ metadata, ...object } as KubeObject], {
      resource, include: 'None', wall: start + 90 * second, resourceVersion: '1',
    }) as any;
    const of = (priority: number): string => row.cells.filter((_: unknown, index: number) =>
      columnDefinitions[index].priority === priority).join(' ');
    t.is([of(0), of(1)].filter((part) => part !== '').join(' | '), expected);
  },
  title: (_, kind, object, expected) =>
    `${kind} ${JSON.stringify(object).slice(0, 120)} is ${expected}`,
});

const port = { port: 80, protocol: 'TCP' };
test(cells, 'Service', { spec: { type: 'ClusterIP', clusterIPs: ['10.0.0.1', 'fd00::1'], ports: [port], selector: { b: '2', a: '1' } } }, 'x ClusterIP 10.0.0.1 <none> 80/TCP 90s | a=1,b=2');
test(cells, 'Service', { spec: { type: 'ClusterIP', clusterIPs: ['None'], ports: [] } }, 'x ClusterIP None <none> <none> 90s | <none>');
test(cells, 'Service', { spec: { type: 'LoadBalancer', clusterIPs: ['10.0.0.1'], ports: [{ ...port, nodePort: 30080 }, { port: 53, protocol: 'UDP' }] } }, 'x LoadBalancer 10.0.0.1 <pending> 80:30080/TCP,53/UDP 90s | <none>');
test(cells, 'Service', { spec: { type: 'LoadBalancer', externalIPs: ['1.2.3.4'], ports: [port] }, status: { loadBalancer: { ingress: [{ ip: '9.9.9.9' }, { ip: '8.8.8.8' }, { ip: '9.9.9.9' }] } } }, 'x LoadBalancer <none> 8.8.8.8,9.9.9.9,1.2.3.4 80/TCP 90s | <none>');
test(cells, 'Service', { spec: { type: 'ExternalName', externalName: 'a.example' } }, 'x ExternalName <none> a.example <none> 90s | <none>');
const ready = (status: string) => ({ conditions: [{ type: 'Ready', status }] });
test(cells, 'Node', { status: { ...ready('True'), nodeInfo: { kubeletVersion: 'v1.32.0' } } }, 'x Ready <none> 90s v1.32.0 | <none> <none> <unknown> <unknown> <unknown>');
test(cells, 'Node', { spec: { unschedulable: true }, status: ready('Unknown'), metadata: { ...metadata, labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/control-plane': '' } } }, 'x NotReady,SchedulingDisabled control-plane,worker 90s  | <none> <none> <unknown> <unknown> <unknown>');
test(cells, 'Node', {}, 'x Unknown <none> 90s  | <none> <none> <unknown> <unknown> <unknown>');
const running = { ready: true, restartCount: 0, state: { running: {} } };
test(cells, 'Pod', { spec: { containers: [{}], nodeName: 'n1' }, status: { phase: 'Running', podIPs: [{ ip: '10.1.0.2' }], containerStatuses: [running] } }, 'x 1/1 Running 0 90s | 10.1.0.2 n1 <none> <none>');
test(cells, 'Pod', { spec: { containers: [{}] }, status: { phase: 'Pending' } }, 'x 0/1 Pending 0 90s | <none> <none> <none> <none>');
test(cells, 'Pod', { spec: { containers: [{}, {}] }, status: { phase: 'Running', containerStatuses: [running, { restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { finishedAt: '2026-01-01T00:01:00Z' } } }] } }, 'x 1/2 CrashLoopBackOff 3 (30s ago) 90s | <none> <none> <none> <none>');
test(cells, 'Pod', { metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' }, spec: { containers: [{}] }, status: { phase: 'Running', containerStatuses: [running] } }, 'x 1/1 Terminating 0 90s | <none> <none> <none> <none>');
test(cells, 'Pod', { metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' }, spec: { containers: [{}] }, status: { phase: 'Running', reason: 'NodeLost' } }, 'x 0/1 Unknown 0 90s | <none> <none> <none> <none>');
test(cells, 'Namespace', { status: { phase: 'Active' } }, 'x Active 90s');
test(cells, 'ConfigMap', { data: { a: '', b: '' }, binaryData: { c: '' } }, 'x 3 90s');
test(cells, 'Secret', { type: 'Opaque', data: { a: '' } }, 'x Opaque 1 90s');
test(cells, 'ServiceAccount', {}, 'x 0 90s');
test(cells, 'Deployment', { spec: { replicas: 3, selector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'c', operator: 'In', values: ['e', 'd'] }, { key: 'f', operator: 'DoesNotExist' }] }, template }, status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 } }, 'x 1/3 2 1 90s | a,b img:1,img:2 a=b,c in (d,e),!f');
test(cells, 'ReplicaSet', { spec: { replicas: 2, template }, status: { replicas: 2 } }, 'x 2 2 0 90s | a,b img:1,img:2 <none>');
test(cells, 'DaemonSet', { spec: { template: { spec: { containers, nodeSelector: { a: 'b' } } } }, status: { desiredNumberScheduled: 3, currentNumberScheduled: 3, numberReady: 2, updatedNumberScheduled: 3, numberAvailable: 2 } }, 'x 3 3 2 3 2 a=b 90s | a,b img:1,img:2 <none>');
test(cells, 'StatefulSet', { spec: { replicas: 2, template }, status: {} }, 'x 0/2 90s | a,b img:1,img:2');
test(cells, 'EndpointSlice', { addressType: 'IPv4', ports: [port], endpoints: [{ addresses: ['1', '2'] }, { addresses: ['3', '4', '5'] }] }, 'x IPv4 80 1,2,3 + 2 more... 90s');
test(cells, 'EndpointSlice', { addressType: 'IPv4' }, 'x IPv4 <unset> <unset> 90s');
test(cells, 'Lease', { spec: { holderIdentity: 'n1' } }, 'x n1 90s');
test(cells, 'Event', { type: 'Normal', reason: 'R', involvedObject: { kind: 'Pod', name: 'p' }, message: ' m\n', source: { component: 'c', host: 'h' }, firstTimestamp: '2026-01-01T00:00:30Z', lastTimestamp: '2026-01-01T00:01:20Z', count: 4 }, '10s Normal R pod/p m |  c, h 60s 4 x');
test(cells, 'Event', { eventTime: '2026-01-01T00:00:30.000000Z', series: { count: 7, lastObservedTime: '2026-01-01T00:01:29.000000Z' }, reportingComponent: 'c' }, '1s     |  c 60s 7 x');
test(cells, 'CiliumLoadBalancerIPPool', { spec: { disabled: false }, status: { conditions: [{ type: 'cilium.io/PoolConflict', status: 'False' }, { type: 'cilium.io/IPsAvailable', message: '12' }] } }, 'x false False 12 90s');
test(cells, 'CiliumLoadBalancerIPPool', {}, 'x    90s');

const paths = test.macro({
  exec: (t, path: string, found: unknown[]) => {
    const value = { a: { b: [{ n: 'x', v: 1 }, { n: 'y', v: 2 }], 'c/d': 3 } };
    t.deepEqual([...printerValues(path, value)], found);
  },
  title: (_, path, found) => `${path} finds ${JSON.stringify(found)}`,
});
test(paths, '.a.b[1].v', [2]);
test(paths, '.a.b[-1].n', ['y']);
test(paths, '.a.b[*].v', [1, 2]);
test(paths, '.a.b[?(@.n=="y")].v', [2]);
test(paths, ".a.b[?(@.n == 'z')].v", []);
test(paths, ".a['c/d']", [3]);
test(paths, '.nothing.there', []);
test(paths, '.a..b', []); // more than CRDs say

const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
const maps = '/api/v1/namespaces/default/configmaps';

test('a list, an object and watch events are Tables where the client prefers them', (t) => {
  const at = place();
  const query = 'watch=1&timeoutSeconds=9&allowWatchBookmarks=1';
  const watch = at.ask(`GET ${maps}?${query}`, undefined, table);
  at.ask(`POST ${maps}`, { metadata: { name: 'a' }, data: { x: '1' } });
  const list = at.ask(`GET ${maps}`, undefined, table).body;
  t.deepEqual([list.kind, list.metadata.resourceVersion], ['Table', '5']);
  t.deepEqual(list.rows[0].cells, ['a', 1, '0s']);
  t.deepEqual(Object.keys(list.rows[0].object), ['kind', 'apiVersion', 'metadata']);
  const one = at.ask(`GET ${maps}/a?includeObject=Object`, undefined, table).body;
  t.deepEqual(one.rows[0].object.data, { x: '1' });
  t.is(at.ask(`GET ${maps}?includeObject=None`, undefined, table).body.rows[0].object, undefined);
  t.is(at.ask(`GET ${maps}?includeObject=All`, undefined, table).code, 400);
  at.pass(8);
  const [added, bookmark] = watch.lines;
  t.deepEqual([added.type, added.object.rows[0].cells], ['ADDED', ['a', 1, '0s']]);
  t.deepEqual([bookmark.type, bookmark.object.kind], ['BOOKMARK', 'Table']);
  t.is(bookmark.object.rows[0].object.metadata.resourceVersion, '5');
});

test('ages in a Table follow virtual time', (t) => {
  const at = place();
  at.pass(150);
  t.is(at.ask('GET /api/v1/namespaces/default', undefined, table).body.rows[0].cells[2], '2m30s');
});

test('metadata alone is answered where asked for', (t) => {
  const at = place();
  at.ask(`POST ${maps}`, { metadata: { name: 'a' }, data: { x: '1' } });
  const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
  const { kind, items } = at.ask(`GET ${maps}`, undefined, { accept }).body;
  t.is(kind, 'PartialObjectMetadataList');
  t.deepEqual([items[0].kind, items[0].data], ['PartialObjectMetadata', undefined]);
});

function fill(at: ReturnType<typeof place>, ...names: readonly string[]): void {
  for (const name of names) at.ask(`POST ${maps}`, { metadata: { name } });
}

test('pages of a list show one snapshot', (t) => {
  const at = place();
  fill(at, 'a', 'b', 'd', 'e', 'f');
  const names: string[] = [];
  let query = 'limit=2';
  for (let pages = 0; pages < 3; pages += 1) {
    const { metadata, items } = at.ask(`GET ${maps}?${query}`).body;
    names.push(...items.map((item: any) => item.metadata.name));
    t.is(metadata.resourceVersion, '9');
    t.is(metadata.remainingItemCount, [3, 1, undefined][pages]);
    query = `limit=2&continue=${encodeURIComponent(metadata.continue ?? '')}`;
    fill(at, `c${pages}`);
    at.ask(`DELETE ${maps}/e`);
  }
  t.deepEqual(names, ['a', 'b', 'd', 'e', 'f']);
  t.is(query, 'limit=2&continue=');
});

test('a token of a forgotten snapshot is 410, one of nobody 400', (t) => {
  const at = place();
  fill(at, 'a', 'b');
  const { metadata } = at.ask(`GET ${maps}?limit=1`).body;
  fill(at, 'c');
  at.server.compact();
  const late = at.ask(`GET ${maps}?limit=1&continue=${encodeURIComponent(metadata.continue)}`);
  t.deepEqual([late.code, late.body.reason], [410, 'Expired']);
  t.is(at.ask(`GET ${maps}?continue=nonsense`).code, 400);
});

test('an exact version shows the past', (t) => {
  const at = place();
  fill(at, 'a', 'b');
  at.ask(`DELETE ${maps}/a`);
  const at6 = at.ask(`GET ${maps}?resourceVersion=6&resourceVersionMatch=Exact`).body;
  t.deepEqual(at6.items.map((item: any) => item.metadata.name), ['a', 'b']);
  const later = at.ask(`GET ${maps}?resourceVersion=6&resourceVersionMatch=NotOlderThan`);
  t.is(later.body.items.length, 1);
});

const refusals = test.macro({
  exec: (t, query: string, code: number, field: string) => {
    const { code: answered, body } = place().ask(`GET ${maps}?${query}`);
    t.is(answered, code);
    t.is(body.details?.causes?.[0].field ?? '', field);
  },
  title: (_, query, code) => `?${query} is ${code}`,
});
test(refusals, 'resourceVersionMatch=Exact', 422, 'resourceVersionMatch');
test(refusals, 'resourceVersionMatch=Exact&resourceVersion=0', 422, 'resourceVersionMatch');
test(refusals, 'resourceVersionMatch=Odd&resourceVersion=1', 422, 'resourceVersionMatch');
test(refusals, 'sendInitialEvents=true', 422, 'sendInitialEvents');
test(refusals, 'watch=1&resourceVersionMatch=NotOlderThan', 422, 'resourceVersionMatch');
test(refusals, 'watch=1&sendInitialEvents=true', 422, 'resourceVersionMatch');
test(refusals, 'limit=many', 400, '');

test('initial events come first, then a bookmark that says so, then what happens', (t) => {
  const at = place();
  fill(at, 'a');
  const initial = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
  const watch = at.ask(`GET ${maps}?${initial}&allowWatchBookmarks=true`);
  fill(at, 'b');
  at.pass(1);
  t.deepEqual(lineTexts(watch), ['ADDED a@5', 'BOOKMARK @5', 'ADDED b@6']);
  t.deepEqual(watch.lines[1].object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
  const none = at.ask(`GET ${maps}?${initial.replace('true', 'false')}`);
  fill(at, 'c');
  at.pass(1);
  t.deepEqual(lineTexts(none), ['ADDED c@7']);
});
