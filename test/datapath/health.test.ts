import test from 'ava';
import {
  healthAnswer, healthPortOf, listenerChange, type HealthPort,
} from '../../lb/healthport.ts';
import type { Endpoint, EndpointSlice, Service } from '../../lb/model.ts';
import {
  changeQueued, neverSynced, proxyHealth, syncCompleted, type FamilySync,
} from '../../lb/proxyhealth.ts';
import { endpoint, meta, node, service, slice } from './fixture.ts';

const place = { nodeName: 'n-a', zone: undefined };
const local = (more: Partial<Service> = {}): Service => service({
  externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000, ...more,
});
const draining = { ready: false, serving: true, terminating: true };

function ask(of: Service, slices: readonly EndpointSlice[], proxyHealthy = true): string {
  const port = healthPortOf(of, slices, place);
  if (port === undefined) return 'closed';
  const { status, headers } = healthAnswer(port, proxyHealthy);
  return `${status} N = ${headers['X-Load-Balancing-Endpoint-Weight']}`;
}

const answers = test.macro({
  exec: (t, endpoints: readonly Endpoint[], answer: string) => {
    t.is(ask(local(), [slice(endpoints)]), answer);
  },
  title: (name = '', _endpoints, answer) => `datapath V74, 14.3: ${name}: ${answer}`,
});
const a2 = endpoint('10.64.1.22', { nodeName: 'n-a' });
test('two ready local endpoints', answers, [endpoint('a1'), a2], '200 N = 2');
test('one ready, one draining', answers, [endpoint('a1'), { ...a2, ...draining }], '200 N = 1');
test('two draining', answers, [endpoint('a1', draining), { ...a2, ...draining }], '503 N = 0');
test('ready ones elsewhere only', answers, [endpoint('b1'), endpoint('c1')], '503 N = 0');
test('none', answers, [], '503 N = 0');
test('conditions absent', answers, [endpoint('a1', { ready: undefined })], '200 N = 1');
test('ready while terminating, as published', answers, [
  endpoint('a1', { ready: true, serving: false, terminating: true }),
], '200 N = 1');
test('an endpoint that names no node', answers, [endpoint('a1', { nodeName: undefined })], '503 N = 0');
test('the same endpoint twice', answers, [endpoint('a1'), endpoint('a1')], '200 N = 1');

test('14.3: a pod with an address in each family, or on two ports, is one endpoint', (t) => {
  const ports = [
    { name: 'web', protocol: 'TCP', port: 80, nodePort: 0 } as const,
    { name: 'dns', protocol: 'UDP', port: 53, nodePort: 0 } as const,
  ];
  const listed = ports.map(({ name, protocol }) => ({ name, protocol, port: 8080 }));
  const slices = [
    slice([endpoint('a1')], { ports: listed }),
    slice([endpoint('2001:db8:1::21', { nodeName: 'n-a' })], {
      meta: meta('s-6'), addressType: 'IPv6', ports: listed,
    }),
  ];
  t.is(ask(local({ ports }), slices), '200 N = 1');
});

test('14.3: an unhealthy proxy answers 503 whatever its endpoints, and says so', (t) => {
  t.is(ask(local(), [slice([endpoint('a1')])], false), '503 N = 1');
  const of = healthPortOf(local(), [slice([endpoint('a1')])], place)!;
  const { body, headers } = healthAnswer(of, false);
  t.deepEqual(JSON.parse(body), {
    service: { namespace: 'default', name: 's' }, localEndpoints: 1, serviceProxyHealthy: false,
  });
  t.is(headers['Content-Type'], 'application/json');
  t.is(headers['X-Content-Type-Options'], 'nosniff');
});

const closed = test.macro({
  exec: (t, more: Partial<Service>) => t.is(ask(local(more), [slice([endpoint('a1')])]), 'closed'),
  title: (_, more) => `14.3: no health check port with ${JSON.stringify(more)}`,
});
test(closed, { type: 'NodePort' });
test(closed, { type: 'ClusterIP' });
test(closed, { externalTrafficPolicy: 'Cluster' });
test(closed, { healthCheckNodePort: 0 });
test(closed, { clusterIps: [] });
test(closed, { clusterIps: ['None'] });
test(closed, { type: 'ExternalName' }); // V22: with the clusterIP still there
test(closed, { meta: meta('s', { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }) });

const port = (name: string, number: number): HealthPort => ({
  service: `default/${name}` as HealthPort['service'], namespace: 'default', name, port: number,
  localEndpoints: 0,
});

test('14.3: a change of number closes one listener and opens another; the rest stays', (t) => {
  const open = new Map([[1, port('a', 1).service], [2, port('b', 2).service]]);
  const change = listenerChange(open, [port('a', 3), port('b', 2)]);
  t.deepEqual(change.close, [1]);
  t.deepEqual(change.open.map((of) => of.port), [3]);
});

test('14.3: a number that goes to another Service is closed and opened again', (t) => {
  const change = listenerChange(new Map([[1, port('a', 1).service]]), [port('b', 1)]);
  t.deepEqual([change.close, change.open.map((of) => of.name)], [[1], ['b']]);
});

test('14.3: of two Services with one number the first by name has it, in either order', (t) => {
  for (const wanted of [[port('a', 1), port('b', 1)], [port('b', 1), port('a', 1)]]) {
    const change = listenerChange(new Map(), wanted);
    t.deepEqual(change.open.map((of) => of.name), ['a']);
    t.deepEqual(change.refused.map((of) => of.name), ['b']);
  }
});

const second = 1_000_000;
const health = test.macro({
  exec: (
    t, facts: { sync?: FamilySync; nowS: number; taints?: string[]; deleting?: boolean },
    want: string,
  ) => {
    const effect = 'NoSchedule';
    const taints = (facts.taints ?? []).map((key) => ({ key, value: '', effect }) as never);
    const of = { ...node('n-a', []), taints };
    const { healthz, livez } = proxyHealth({
      now: facts.nowS * second, syncPeriod: 30 * second,
      families: { IPv4: facts.sync ?? neverSynced, IPv6: syncCompleted(0) },
      node: { ...of, meta: { ...of.meta, deleting: facts.deleting ?? false } },
    });
    t.is(`${healthz.status} ${livez.status}`, want);
  },
  title: (name = '', _facts, want) => `datapath V75, 14.4: ${name}: /healthz and /livez ${want}`,
});
const queued = changeQueued(syncCompleted(10 * second), 20 * second);
test('nothing queued', health, { nowS: 1_000, sync: syncCompleted(0) }, '200 200');
test('before the first change', health, { nowS: 1_000 }, '200 200');
test('queued for less than twice the period', health, { nowS: 79, sync: queued }, '200 200');
test('queued for twice the period', health, { nowS: 80, sync: queued }, '503 503');
test('the oldest change counts', health, { nowS: 80, sync: changeQueued(queued, 70 * second) }, '503 503');
test('synced since', health, { nowS: 500, sync: syncCompleted(81 * second) }, '200 200');
test('tainted for deletion', health, { nowS: 1, taints: ['ToBeDeletedByClusterAutoscaler'] }, '503 200');
test('another taint', health, { nowS: 1, taints: ['node.kubernetes.io/unreachable'] }, '200 200');
test('node being deleted', health, { nowS: 1, deleting: true }, '503 200');

test('14.4: the answers name time, families and, in /healthz only, the node', (t) => {
  const { healthz, livez, healthy } = proxyHealth({
    now: 90 * second, syncPeriod: 30 * second, node: undefined,
    families: { IPv4: queued, IPv6: syncCompleted(30 * second) },
  });
  t.false(healthy);
  const at = (seconds: string): string => `1970-01-01T00:00:${seconds}.000000Z`;
  const common = { lastUpdated: at('10'), currentTime: '1970-01-01T00:01:30.000000Z' };
  const status = {
    IPv4: { lastUpdated: at('10'), healthy: false }, IPv6: { lastUpdated: at('30'), healthy: true },
  };
  t.deepEqual(JSON.parse(healthz.body), { ...common, nodeEligible: true, healthy: false, status });
  t.deepEqual(JSON.parse(livez.body), { ...common, healthy: false, status });
});
