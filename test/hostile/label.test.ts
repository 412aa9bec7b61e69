import test from 'ava';
import { second, specOf, TestCluster } from '../l2/harness.ts';

const vip = '10.0.0.1';
const lock = 'fairlead-l2-10-0-0-1';

// The watch goes on showing such a Lease, so whoever ignores it decides by an old version for ever.
test('a lock whose label was edited to another value is still judged by its content', (t) => {
  const cluster = new TestCluster(['node-a', 'node-b', 'node-c']);
  cluster.start();
  cluster.run(6 * second);
  cluster.service('s0', [vip]);
  cluster.run(2 * second);
  cluster.api.edit(lock, (object) => {
    object.metadata.labels['fairlead.dev/l2'] = 'junk';
    return { ...object, spec: 'none' };
  });
  cluster.run(second);
  t.deepEqual(cluster.owners(vip), []);
  cluster.run(20 * second);
  t.is(cluster.owners(vip).length, 1);
  t.is(specOf(cluster.api.get(lock)).holderIdentity.split('_')[0], cluster.owners(vip)[0]);
  t.is((cluster.api.get(lock)!.metadata as any).labels['fairlead.dev/l2'], 'lock');
  t.deepEqual(cluster.violations, []);
});
