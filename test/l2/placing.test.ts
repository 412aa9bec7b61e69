import test from 'ava';
import { ip } from '../../lb/ip.ts';
import {
  link, macOf, ms, nodeObject, policyObject, second, sliceObject, specOf, TestCluster,
} from './harness.ts';
import { lock, lockWrites, names, settled, synced, vip } from './settled.ts';

test('l2 34: a new address is created and taken without waiting once the daemons are synced', (t) => {
  const cluster = settled();
  t.deepEqual(cluster.owners(vip), ['node-b']);
  t.deepEqual(lockWrites(cluster), ['node-b create ok', 'node-b update ok']);
  t.is(cluster.notes('l2.announced').length, 1);
});

test('l2 34: the first start of a cluster takes nothing before W, then about a third each', (t) => {
  const cluster = new TestCluster(names);
  const ips = Array.from({ length: 60 }, (_, index) => `10.0.1.${index}`);
  for (const [index, address] of ips.entries()) cluster.service(`s${index}`, [address]);
  cluster.start();
  cluster.run(5 * second);
  t.is(cluster.keyLog.length, 0);
  cluster.run(2 * second);
  const counts = names.map(
    (name) => ips.filter((address) => cluster.owners(address)[0] === name).length,
  );
  t.is(counts.reduce((sum, count) => sum + count, 0), 60);
  for (const count of counts) t.true(count >= 8 && count <= 34, `${counts}`);
  t.deepEqual(cluster.violations, []);
});

test('l2 2: one of two policies goes: the key stays and nothing is announced', (t) => {
  const cluster = settled();
  cluster.tables.policies.upsert('second', policyObject('second'));
  cluster.run(10 * second);
  const frames = cluster.owner(vip).frames.length;
  cluster.tables.policies.delete('second');
  cluster.run(5 * second);
  t.is(cluster.owner(vip).frames.length, frames);
  t.deepEqual(cluster.owners(vip), ['node-b']);
});

test('l2 3: the owner’s label no longer matches: a graceful release', (t) => {
  const cluster = synced();
  cluster.tables.nodes.upsert('node-b', nodeObject('node-b', { labels: { color: 'blue' } }));
  const nodeSelector = { matchLabels: { color: 'blue' }, matchExpressions: [] };
  cluster.tables.policies.upsert('all', policyObject('all', { nodeSelector }));
  cluster.service('s0', [vip]);
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), ['node-b']);
  cluster.tables.nodes.upsert('node-b', nodeObject('node-b', { labels: { color: 'cyan' } }));
  cluster.run(second);
  t.is(cluster.node('node-b').kernel.map.size, 0);
  t.deepEqual(cluster.api.locks(), { '10-0-0-1': '' });
});

test('l2 4: a second address of a held Service is taken alone', (t) => {
  const cluster = settled();
  cluster.run(10 * second);
  const { frames } = cluster.owner(vip);
  const before = frames.length;
  cluster.service('s0', [vip, '10.0.0.9']);
  cluster.run(second);
  t.is(cluster.owners('10.0.0.9').length, 1);
  const again = frames.slice(before).filter(
    (one) => Buffer.from(one.frame).includes(Buffer.from([10, 0, 0, 1])),
  );
  t.is(again.length, 0);
});

test('l2 8: an address that is no longer published is released', (t) => {
  const cluster = settled();
  cluster.service(
    's0', [], { ingress: [{ ip: '', hostname: 'a.example', ipMode: undefined, ports: undefined }] },
  );
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), []);
  t.deepEqual(cluster.api.locks(), { '10-0-0-1': '' });
});

test('l2 9: other interfaces move the key and announce there, in the same epoch', (t) => {
  const cluster = synced();
  for (const [index, node] of cluster.nodes.entries()) {
    node.changeLinks((links) => [...links, link('eth1', { ifindex: 3, mac: macOf(index + 16) })]);
  }
  cluster.tables.policies.upsert('all', policyObject('all', { interfaces: ['eth0'] }));
  cluster.run(3 * second);
  cluster.service('s0', [vip]);
  cluster.run(second);
  const owner = cluster.owner(vip);
  t.deepEqual(owner.answering().get(ip(vip)), [2]);
  const epoch = specOf(cluster.api.get(lock)).leaseTransitions;
  owner.frames.length = 0;
  cluster.tables.policies.upsert('all', policyObject('all', { interfaces: ['eth1'] }));
  cluster.run(second);
  t.deepEqual(owner.answering().get(ip(vip)), [3]);
  t.true(owner.frames.length > 0 && owner.frames.every((one) => one.ifindex === 3));
  t.is(specOf(cluster.api.get(lock)).leaseTransitions, epoch);
});

test('l2 15: where the interface exists on no node nobody announces', (t) => {
  const cluster = synced();
  cluster.tables.policies.upsert('all', policyObject('all', { interfaces: ['eno9'] }));
  cluster.service('s0', [vip]);
  cluster.run(7 * second);
  t.deepEqual(lockWrites(cluster), []);
});

test('l2 16, 19: policy Local is announced where an endpoint is, and follows it', (t) => {
  const cluster = synced();
  cluster.service('s0', [vip], { externalTrafficPolicy: 'Local' });
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), []);
  cluster.tables.slices.upsert('prod/s0-1', sliceObject('s0', ['node-c']));
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), ['node-c']);
  cluster.tables.slices.upsert('prod/s0-1', sliceObject('s0', ['node-a']));
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), ['node-a']);
  t.deepEqual(cluster.violations, []);
});

test('l2 21: a node with a known local endpoint owns, another serves after its crash', (t) => {
  const cluster = synced();
  cluster.tables.slices.upsert('prod/s0-1', sliceObject('s0', ['node-c', undefined]));
  cluster.service('s0', [vip], { externalTrafficPolicy: 'Local' });
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), ['node-c']);
  cluster.node('node-c').crash();
  cluster.run(7 * second);
  t.deepEqual(cluster.owners(vip), ['node-b']);
});

test('l2 23: a cordoned owner hands over while another is free, and stays when none is', (t) => {
  const cluster = settled();
  cluster.tables.nodes.upsert('node-b', nodeObject('node-b', { unschedulable: true }));
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), ['node-a']);
  cluster.tables.nodes.upsert('node-c', nodeObject('node-c', { unschedulable: true }));
  cluster.tables.nodes.upsert('node-a', nodeObject('node-a', { unschedulable: true }));
  cluster.run(5 * second);
  t.deepEqual(cluster.owners(vip), ['node-a']);
});

test('l2 28: neither a leaving stranger nor a joining node moves an address', (t) => {
  const cluster = settled();
  cluster.node('node-c').stop();
  cluster.run(10 * second);
  t.deepEqual(cluster.owners(vip), ['node-b']);
  cluster.node('node-c').start();
  cluster.run(70 * second);
  t.deepEqual(cluster.owners(vip), ['node-b']);
  t.is(specOf(cluster.api.get(lock)).leaseTransitions, 1);
});

test('l2 28: with graceful pre-emption the first in rank gets its addresses back, one a second', (t) => {
  const cluster = new TestCluster(names);
  cluster.node('node-a').start({ preempt: 'graceful' });
  cluster.run(6 * second);
  const mine = ['10.0.0.1', '10.0.2.4', '10.0.2.7', '10.20.30.1'];
  for (const [index, address] of mine.entries()) cluster.service(`s${index}`, [address]);
  cluster.run(2 * second);
  for (const address of mine) t.deepEqual(cluster.owners(address), ['node-a']);
  cluster.node('node-b').start({ preempt: 'graceful' });
  cluster.run(59 * second);
  t.is(cluster.notes('l2.released').length, 0);
  cluster.run(10 * second);
  const moved = mine.filter((address) => cluster.owners(address)[0] === 'node-b');
  const times = cluster.notes('l2.released').map((note) => note.time);
  t.is(moved.length, times.length);
  t.true(moved.length >= 2);
  for (const [index, time] of times.slice(1).entries()) t.true(time - times[index]! >= second);
  t.deepEqual(cluster.violations, []);
});

test('l2 29: a shared address stays until its last Service goes', (t) => {
  const cluster = settled();
  cluster.service('s1', [vip]);
  cluster.run(10 * second);
  const owner = cluster.owner(vip);
  const [frames, writes] = [owner.frames.length, lockWrites(cluster).length];
  cluster.tables.services.delete('prod/s0');
  cluster.run(5 * second);
  t.deepEqual([owner.frames.length, lockWrites(cluster).length], [frames, writes]);
  cluster.tables.services.delete('prod/s1');
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), []);
});

test('l2 31: the first challenger hangs: the second takes 50 ms later', (t) => {
  const cluster = settled();
  const other = cluster.node('node-a');
  other.process.pause();
  cluster.tables.nodes.upsert('node-b', nodeObject('node-b', { unschedulable: true }));
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), ['node-c']);
  const released = cluster.api.writes.filter(
    (one) => one.name === lock && one.node === 'node-b',
  ).at(-1)!;
  const taken = cluster.api.writes.find((one) => one.name === lock && one.node === 'node-c')!;
  t.is(taken.time - released.time, 50 * ms + 10 * ms);
});
