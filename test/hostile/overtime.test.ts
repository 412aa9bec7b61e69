import test from 'ava';
import { ms, second, specOf, TestCluster } from '../l2/harness.ts';

const vip = '10.0.0.1'; // ranks b a c among the three nodes
const lock = 'fairlead-l2-10-0-0-1';

/** Three nodes in overtime, their API gone for 20 s. */
function outage(): TestCluster {
  const cluster = new TestCluster(['node-a', 'node-b', 'node-c']);
  cluster.start({ onApiOutage: 'availability' });
  cluster.run(6 * second);
  cluster.service('s0', [vip]);
  cluster.run(11 * second);
  for (const node of cluster.nodes) node.path.reachable = false;
  cluster.run(20 * second);
  return cluster;
}

function back(cluster: TestCluster): void {
  for (const node of cluster.nodes) node.path.reachable = true;
}

const owner = (cluster: TestCluster): string => specOf(cluster.api.get(lock)).holderIdentity;

// Seed 13 of the scenario `api-down-availability`: the reply to the take came before its event, the
// stale view asked for a second take, its conflict was a denial, and nothing ended the fence.
test('l2 40: an event later than the reply to the take is awaited: no second take', (t) => {
  const cluster = outage();
  for (const node of cluster.nodes) node.path.lag = () => 100 * ms;
  const before = cluster.api.writes.length;
  back(cluster);
  for (let index = 0; index < 200; index += 1) {
    cluster.run(20 * ms);
    t.deepEqual(cluster.owners(vip), ['node-b']);
  }
  const writes = cluster.api.writes.slice(before).filter((write) => write.name === lock);
  t.deepEqual(writes.map((write) => `${write.node} ${write.result}`), ['node-b ok']);
});

test('l2 row 26: an owner that was denied under a live session takes part again', (t) => {
  const cluster = outage();
  const node = cluster.node('node-b');
  // The holder is edited by hand between the stream's list and the take: the take conflicts.
  node.path.lag = () => 300 * ms;
  back(cluster);
  cluster.world.run(cluster.world.now + 5 * second, () => cluster.notes('l2.sessionLive').length > 3
    && node.announcer?.rows()[0] !== undefined && edited(cluster));
  cluster.run(20 * second);
  t.is(cluster.owners(vip).length, 1);
  t.deepEqual(node.announcer?.pending(), []);
  t.is(owner(cluster).split('_')[0], cluster.owners(vip)[0]);
  t.deepEqual(cluster.violations, []);
});

/** An edit that changes nothing but the version; true once node-b's new session is open. */
function edited(cluster: TestCluster): boolean {
  const live = cluster.notes('l2.sessionLive').filter((note) => note.entity === 'agent/node-b');
  if (live.length < 2) return false;
  cluster.api.edit(
    lock, (object) => ({ ...object, spec: { ...object.spec, leaseDurationSeconds: 6 } }),
  );
  return true;
}
