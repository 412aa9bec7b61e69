import test from 'ava';
import { Cluster } from './cluster.ts';
import { condition, equals } from './objects.ts';
import { l2, row, shown } from './row.ts';

row(69, 'a condition added between our read and our write survives', (t, c) => {
  c.pool('a', '10.0.10.0/24');
  const foreign = condition('example.com/Probe', 'True/ok');
  c.before = (write) => {
    if (!('key' in write) || c.condition('s', foreign.type) !== undefined) return;
    c.patchStatus('s', { conditions: [foreign] });
  };
  c.service('s').settle();
  t.is(shown(c, 's'), '10.0.10.0 True/satisfied');
  t.is(c.verdict('s', foreign.type), 'True/ok');
  t.deepEqual(
    c.writes.filter((write) => write.name === 's').map((write) => write.outcome),
    ['conflict', 'ok'],
  );
  t.deepEqual(c.ipam.pending(), []);
});

row(70, 'what the API server or a client fills in without meaning starts no write', (t, c) => {
  c.pool('a', '10.0.10.0/24').service('s').service('bare').settle();
  c.forget();
  const ports = [{ port: 80, protocol: 'TCP' }];
  c.patchStatus('s', { ingress: [{ ip: '10.0.10.0', hostname: undefined, ipMode: 'VIP', ports }] });
  c.settle();
  t.deepEqual(c.writes, []);
  c.edit('s', { ips: '10.0.10.0,10.0.10.9' }).settle();
  t.deepEqual(c.get('s').ingress[0]?.ports, ports);
  t.is(c.ips('s'), '10.0.10.0 10.0.10.9');
});

row(71, 'a restart of a converged cluster writes and tells nothing', (t, c) => {
  c.pool('a', '10.0.0.0/20 ff::/48', { first: 'No' }).pool('b', '10.0.0.0/28');
  c.pool('bad', 'junk/1').pool('one', '10.9.0.1', { selector: equals({ pool: 'one' }) });
  for (let index = 0; index < 1000; index += 1) {
    const key = index % 5 === 0 ? { key: `k${index % 50}`, ports: `TCP/${index + 1}` } : {};
    const policy = index % 7 === 0 ? { policy: 'PreferDualStack' as const } : {};
    const odd = index % 11 === 0 ? { ips: `10.0.3.${index % 200}, junk` } : {};
    const labels = index % 97 === 0 ? { labels: { pool: 'one' }, class: l2 } : {};
    c.service(`s${index}`, { ...key, ...policy, ...odd, ...labels });
  }
  c.settle(60);
  t.deepEqual(c.ipam.pending(), []);
  t.is(c.writes.length, 1000 + 4);
  c.restart();
  t.deepEqual(c.writes, []);
  t.deepEqual(c.events, []);
  t.deepEqual(c.notes, []);
});

row(72, '500 deletions within 300 ms make two pool writes at most', (t, c) => {
  c.pool('a', '10.0.0.0/20');
  for (let index = 0; index < 500; index += 1) c.service(`s${index}`);
  c.settle(20);
  c.forget();
  for (const [index, name] of c.names.entries()) {
    c.drop(name);
    if (index % 5 === 0) c.settle(0.003);
  }
  c.settle();
  t.true(c.writesOf('a').length <= 2);
  t.is(c.counts('a'), '4096/4096/0');
});

row(73, 'a Service on its way out keeps what it has and gets nothing new', (t, c) => {
  c.pool('a', '10.0.10.7').service('s1').service('s2').settle();
  c.forget();
  c.edit('s1', { deleting: true }).edit('s2', { deleting: true }).settle();
  t.deepEqual(c.writes, []);
  t.is(c.ips('s1'), '10.0.10.7');
  c.drop('s1').settle();
  t.is(c.ips('s2'), '');
  t.is(c.counts('a'), '1/1/0');
});

const nodeClass = { class: 'io.cilium/node' };
const nodeVerdict = 'fairlead.dev/NodeIPAMSatisfied';
const exclude = 'node.kubernetes.io/exclude-from-external-load-balancers';

function threeNodes(c: Cluster): Cluster {
  c.node('n1', 'ExternalIP=192.0.2.1 InternalIP=10.0.0.8');
  return c.node('n2', 'InternalIP=10.0.0.10').node('n3', 'InternalIP=10.0.0.9 InternalIP=junk');
}

row(74, 'external addresses go before internal ones, the excluded node leaves', (t, c) => {
  threeNodes(c).service('s', nodeClass).settle();
  t.is(c.ips('s'), '192.0.2.1');
  t.is(c.verdict('s', nodeVerdict), 'True/satisfied');
  t.is(c.record('s'), '192.0.2.1=node');
  c.node('n1', 'ExternalIP=192.0.2.1', { labels: { [exclude]: 'false' } }).settle();
  t.is(c.ips('s'), '10.0.0.9 10.0.0.10');
  c.forget();
  c.node('n2', 'InternalIP=10.0.0.10').settle();
  t.deepEqual(c.writes, []);
});

row(75, 'with policy Local only nodes with a ready endpoint count', (t, c) => {
  c.node('n1', 'InternalIP=10.0.0.1').node('n2', 'InternalIP=10.0.0.2');
  c.node('n3', 'InternalIP=10.0.0.3').service('s', { ...nodeClass, etp: 'Local' });
  c.slice('s', { n1: true, n2: false, n3: undefined }).settle();
  t.is(c.ips('s'), '10.0.0.1 10.0.0.3');
  c.slice('s', { n2: false }).settle();
  t.is(c.ips('s'), '');
  t.is(c.verdict('s', nodeVerdict), 'False/no_ready_endpoint');
  t.true(c.reasons('s').includes('NodeAllocationFailed'));
});

row(76, 'without a candidate there is no entry, with a bad selector all stays', (t, c) => {
  const select = (text: string) => {
    return { annotations: { 'io.cilium.nodeipam/match-node-labels': text } };
  };
  threeNodes(c).node('n2', 'InternalIP=10.0.0.10', { labels: { zone: 'a' } });
  c.service('s', { ...nodeClass, ...select('zone in (a, b),!spare') }).settle();
  t.is(c.ips('s'), '10.0.0.10');
  c.edit('s', select('a=(')).settle();
  t.is(c.ips('s'), '10.0.0.10');
  t.is(c.verdict('s', nodeVerdict), 'False/invalid_node_selector');
  c.edit('s', select('zone=c')).settle();
  t.is(c.ips('s'), '');
  t.is(c.verdict('s', nodeVerdict), 'False/no_matching_node');
  t.regex(c.condition('s', nodeVerdict)?.message ?? '', /3 by selector/u);
});

test('an owner change between LB IPAM and node IPAM is one write', (t) => {
  const c = new Cluster();
  c.pool('a', '10.0.10.0/24').node(
    'n1', 'InternalIP=10.0.0.1',
  ).service('s', { class: l2 }).settle();
  c.forget();
  c.edit('s', nodeClass).settle();
  t.is(c.ips('s'), '10.0.0.1');
  t.is(c.verdict('s'), '');
  t.is(c.writesOf('s').length, 1);
  c.forget();
  c.edit('s', { class: l2 }).settle();
  t.is(shown(c, 's'), '10.0.10.0 True/satisfied');
  t.is(c.verdict('s', nodeVerdict), '');
  t.is(c.writesOf('s').length, 1);
});

test('with node IPAM off its Services keep what they have and hear why they get nothing', (t) => {
  const c = new Cluster();
  c.node('n1', 'InternalIP=10.0.0.1').service('s', nodeClass).settle();
  c.restart({ nodeIpam: false });
  t.deepEqual(c.writes, []);
  c.service('new', nodeClass).settle();
  t.is(c.verdict('new', nodeVerdict), 'False/owner_disabled');
});

test('with LB IPAM off statuses and pools stay as they are', (t) => {
  const c = new Cluster();
  c.pool('a', '10.0.10.0/24').service('s').settle();
  c.restart({ lbIpam: false });
  c.edit('s', { type: 'NodePort' }).pool('b', '10.0.10.0/25').settle();
  t.deepEqual([...c.writes, ...c.events], []);
});

test('errors are retried with growing patience, and 404 forgets the object', (t) => {
  const c = new Cluster();
  c.errors.set('s', ['retry', 'retry', 'retry']);
  c.pool('a', '10.0.10.0/24').service('s').settle();
  const times = c.writes.filter((write) => write.name === 's').map((write) => write.at / 1000);
  t.deepEqual(times.map((time, index) => time - (times[index - 1] ?? time)), [0, 252, 502, 1002]);
  t.is(c.ips('s'), '10.0.10.0');
  c.errors.set('gone', ['gone']);
  c.service('gone').settle();
  t.deepEqual(c.ipam.holders().map((holding) => holding.ip as string), ['10.0.10.0']);
  t.deepEqual(c.ipam.pending(), []);
});

test('the planned address stays held while its write fails', (t) => {
  const c = new Cluster();
  c.errors.set('s1', ['retry', 'retry', 'retry', 'retry', 'retry']);
  c.pool('a', '10.0.10.0/24').service('s1').settle(1);
  c.service('s2').settle(1);
  t.is(c.ips('s2'), '10.0.10.1');
  t.deepEqual(c.ipam.pending(), ['the status of default/s1 waits for a retry']);
  c.settle(30);
  t.is(c.ips('s1'), '10.0.10.0');
});

test('after a stop nothing is written, and a start is a restart', (t) => {
  const c = new Cluster();
  c.pool('a', '10.0.10.0/24').service('s').settle(0.05);
  c.ipam.stop();
  c.settle(60);
  t.deepEqual(c.writes.filter((write) => write.at > 60_000), []);
  t.deepEqual(c.ipam.holders(), []);
  c.ipam.start();
  c.settle();
  t.is(shown(c, 's'), '10.0.10.0 True/satisfied');
});

test('writes keep to the rate', (t) => {
  const c = new Cluster({ writeQps: 10, writeBurst: 5 });
  c.pool('a', '10.0.10.0/24');
  for (let index = 0; index < 40; index += 1) c.service(`s${index}`);
  c.settle(2);
  t.true(c.writes.length >= 20 && c.writes.length <= 25, `${c.writes.length} writes`);
  c.settle(5);
  t.is(c.writesOf('a').length >= 1, true);
  t.is(c.ips('s39'), '10.0.10.39');
});

test('an annotated Service that no pool selects is told once, but not at a start', (t) => {
  const c = new Cluster();
  c.pool(
    'a', '10.0.10.0/24', { selector: equals({ x: 'y' }) },
  ).service('s0', { key: 'k' }).settle();
  c.service('s1', { key: 'k' }).service('s2').settle();
  t.deepEqual(c.events.map((event) => `${event.object.name} ${event.reason}`), ['s1 NotSelected']);
  t.deepEqual(c.writes.filter((write) => write.kind === 'service'), []);
});

test('metrics and explanations show what was decided', (t) => {
  const c = new Cluster();
  c.pool('a', '10.0.10.0/30', { first: 'No' }).pool('b', 'junk/1').service('s1').service('s2');
  c.service('s3').service('far', { class: 'net.example/x' }).settle();
  const metrics = c.ipam.metrics();
  t.deepEqual(metrics.pools, [
    { pool: 'a', family: 'IPv4', total: 4n, used: 4n, reserved: 2n, available: 0n },
  ]);
  t.deepEqual(metrics.servicesUnsatisfied, [{ reason: 'out_of_ips', count: 1 }]);
  t.deepEqual(metrics.invalid, [{ pool: 'a', value: false }, { pool: 'b', value: true }]);
  const explain = (name: string) => c.ipam.explain(c.get(name).key);
  t.is(explain('s1').stance, 'served');
  t.deepEqual(
    explain('s3').pools.map((pool) => `${pool.pool} ${pool.code}`), ['a OutOfIPs', 'b PoolInvalid'],
  );
  t.is(explain('s3').code, 'out_of_ips');
  t.is(explain('far').code, 'ForeignClass');
});

test('other write limits hold for what waits already', (t) => {
  const c = new Cluster();
  c.pool('a', '10.0.10.0/24').settle();
  c.ipam.limitWrites({ writeQps: 1, writeBurst: 1 });
  for (let index = 0; index < 20; index += 1) c.service(`s${index}`);
  c.settle(5);
  const written = (): number => c.writes.filter(({ name }) => name.startsWith('s')).length;
  t.true(written() > 0 && written() <= 6, `${written()} in five seconds`);
  c.ipam.limitWrites({ writeQps: 100, writeBurst: 200 });
  c.settle(1);
  t.is(written(), 20);
});
