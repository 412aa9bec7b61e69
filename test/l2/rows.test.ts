import test from 'ava';
import { ip } from '../../lb/ip.ts';
import type { L2Policy } from '../../lb/model.ts';
import {
  link, macOf, nodeObject, policyObject, second, serviceObject, TestCluster,
} from './harness.ts';
import { lockWrites, synced } from './settled.ts';

/** Nodes that run, while the API has no Node and no policy yet. */
function empty(nodes: readonly string[]): TestCluster {
  const cluster = new TestCluster(nodes);
  for (const name of nodes) cluster.tables.nodes.delete(name);
  cluster.tables.policies.delete('all');
  return cluster;
}

const select = (key: string, ...values: string[]): L2Policy['nodeSelector'] => ({
  matchLabels: {}, matchExpressions: [{ key, operator: 'In', values }],
});

const arrives = test.macro({
  exec(t, order: string) {
    const address = '192.168.2.1';
    const cluster = empty(['blue-1']);
    const [node] = cluster.nodes;
    node!.links = ['eno01', 'eno02'].map(
      (name, index) => link(name, { ifindex: 2 + index, mac: macOf(index) }),
    );
    const { tables, api } = cluster;
    const objects: Record<string, () => void> = {
      node: () => tables.nodes.upsert(
        'blue-1', nodeObject('blue-1', { labels: { color: 'blue' } }),
      ),
      policy: () => tables.policies.upsert('blue', policyObject('blue', {
        nodeSelector: select('color', 'blue'), interfaces: ['^eno01$'], loadBalancerIps: false,
      })),
      service: () => cluster.service('s0', [], { externalIps: [address] }),
    };
    const early: string[] = [];
    const { kernel } = node!;
    kernel.onWrite = () => {
      if (api.locks()['192-168-2-1'] !== 'blue-1') early.push(`at ${cluster.world.now}`);
    };
    cluster.start();
    for (const name of order.split(' ')) {
      cluster.run(second);
      objects[name]!();
    }
    cluster.run(7 * second);
    t.deepEqual(early, []);
    t.deepEqual([...node!.answering()], [[ip(address), [2]]]);
    t.is(kernel.map.size, 1);
  },
  title: (_, order) => `l2 1: ${order}: one key after the take, on the link of the policy`,
});
test(arrives, 'node policy service');
test(arrives, 'node service policy');
test(arrives, 'policy node service');
test(arrives, 'policy service node');
test(arrives, 'service node policy');
test(arrives, 'service policy node');

test('l2 5: a selector of two colours takes the Services of both and no third', (t) => {
  const cluster = synced();
  const serviceSelector = select('color', 'blue', 'cyan');
  cluster.tables.policies.upsert('all', policyObject('all', { serviceSelector }));
  for (const [index, color] of ['blue', 'cyan', 'red'].entries()) {
    const plain = serviceObject(`s${index}`);
    const meta = { ...plain.meta, labels: { color } };
    cluster.service(`s${index}`, [], { meta, externalIps: [`192.168.2.${index}`] });
  }
  cluster.run(2 * second);
  t.deepEqual(Object.keys(cluster.api.locks()).sort(), ['192-168-2-0', '192-168-2-1']);
  t.is(cluster.nodes.reduce((sum, { kernel }) => sum + kernel.map.size, 0), 2);
});

test('l2 26: policies that name a link of one node each give one owner, on its link alone', (t) => {
  const address = '192.168.2.1';
  const cluster = synced();
  for (const [index, node] of cluster.nodes.entries()) {
    node.changeLinks((links) => [...links, link('eth1', { ifindex: 3, mac: macOf(index + 16) })]);
    cluster.tables.nodes.upsert(node.name, nodeObject(node.name, { labels: { is: node.name } }));
  }
  const { policies } = cluster.tables;
  policies.delete('all');
  const expected: Record<string, number> = { 'node-a': 2, 'node-b': 3 };
  for (const [name, ifindex] of Object.entries(expected)) {
    policies.upsert(name, policyObject(name, {
      nodeSelector: select('is', name), interfaces: [`^eth${ifindex - 2}$`],
    }));
  }
  cluster.run(3 * second);
  cluster.service('s0', [], { type: 'ClusterIP', externalIps: [address] });
  cluster.run(second);
  const [first, ...others] = cluster.owners(address);
  t.deepEqual(others, []);
  t.deepEqual(cluster.owner(address).answering().get(ip(address)), [expected[first!]!]);
  cluster.node(first!).crash();
  cluster.run(7 * second);
  const heir = cluster.owners(address)[0]!;
  t.not(heir, first);
  t.deepEqual(cluster.node(heir).answering().get(ip(address)), [expected[heir]!]);
  t.deepEqual(cluster.violations, []);
});

test('l2 33: 1,000 addresses on ten idle nodes cost 600 session writes a minute', (t) => {
  const cluster = new TestCluster(Array.from({ length: 10 }, (_, index) => `node-${index}`));
  for (let index = 0; index < 1000; index += 1) {
    cluster.service(`s${index}`, [`10.9.${Math.floor(index / 250)}.${index % 250}`]);
  }
  cluster.start();
  cluster.run(30 * second);
  const { api } = cluster;
  t.is(Object.values(api.locks()).filter((owner) => owner !== '').length, 1000);
  const [writes, reads, locks] = [api.writes.length, api.reads, lockWrites(cluster).length];
  cluster.run(60 * second);
  const written = api.writes.length - writes;
  t.true(written >= 590 && written <= 610, String(written));
  t.is(api.reads, reads);
  t.is(lockWrites(cluster).length, locks);
});

test('5.5: a cluster whose renewals cause more than 20,000 deliveries a second is warned', (t) => {
  const cluster = new TestCluster(['node-a']);
  cluster.start({ renew: 100_000, duration: second });
  cluster.run(3 * second);
  t.is(cluster.notes('l2.renewalLoad').length, 0);
  // 45 sessions at 100 ms: 20,250 deliveries a second.
  const [name] = cluster.api.sessions();
  const body = cluster.api.get(name!)!;
  for (let index = 1; index < 45; index += 1) {
    const text = JSON.stringify(body).replaceAll(name!.slice('fairlead-session-'.length), '')
      .replaceAll(/node-a_[0-9a-f]{8}/g, `peer_${String(index).padStart(8, '0')}`);
    const metadata = {
      ...body.metadata, name: `fairlead-session-peer-${String(index).padStart(8, '0')}`,
    };
    const request = {
      verb: 'create', resource: undefined as never, namespace: 'fairlead',
      body: { ...JSON.parse(text), metadata },
    } as const;
    t.true(cluster.api.handle(request, 'peer').ok);
  }
  cluster.run(5 * second);
  t.is(cluster.notes('l2.renewalLoad').length, 1, 'once, not every second');
  t.regex(cluster.notes('l2.renewalLoad')[0]!.text, /45 sessions cause 20250/);
});
