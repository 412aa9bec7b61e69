import test from 'ava';
import { ms, second, TestCluster } from './harness.ts';

const vip = '10.0.0.1'; // ranks b a c among node-a, node-b, node-c (row 27)
const names = ['node-a', 'node-b', 'node-c'];

function settled(options: { ips?: string[]; seed?: number } = {}): TestCluster {
  const cluster = new TestCluster(names, { seed: options.seed ?? 1 });
  cluster.start();
  cluster.run(6 * second);
  for (const [index, address] of (options.ips ?? [vip]).entries()) cluster.service(`s${index}`, [address]);
  cluster.run(second);
  return cluster;
}

test('l2 34: a new address is created and taken without waiting once the daemons are synced', (t) => {
  const cluster = settled();
  t.deepEqual(cluster.owners(vip), ['node-b']);
  const writes = cluster.api.writes.filter((one) => one.name.startsWith('fairlead-l2-'));
  t.deepEqual(writes.map((one) => `${one.node} ${one.verb} ${one.result}`), ['node-b create ok', 'node-b update ok']);
  t.deepEqual(cluster.notes('l2.announced').length, 1);
  t.true(cluster.owner(vip).frames.length >= 2);
});
