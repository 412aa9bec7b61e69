import { second, TestCluster } from './harness.ts';

/** Ranks b a c among node-a, node-b, node-c (row 27). */
export const vip = '10.0.0.1';
export const lock = 'fairlead-l2-10-0-0-1';
export const names = ['node-a', 'node-b', 'node-c'];

/** Three nodes that have listed and watched for more than W. */
export function synced(options: Parameters<TestCluster['start']>[0] = {}, seed = 1): TestCluster {
  const cluster = new TestCluster(names, { seed });
  cluster.start(options);
  cluster.run(6 * second);
  return cluster;
}

/** The same, with one address announced by node-b. */
export function settled(options: Parameters<TestCluster['start']>[0] = {}, seed = 1): TestCluster {
  const cluster = synced(options, seed);
  cluster.service('s0', [vip]);
  cluster.run(second);
  return cluster;
}

/** Virtual time until `fact` holds, in microseconds; fails after `limit`. */
export function until(cluster: TestCluster, fact: () => boolean, limit = 30 * second): number {
  const from = cluster.world.now;
  cluster.world.run(from + limit, fact);
  for (const node of cluster.nodes) if (node.process.fault !== undefined) throw node.process.fault;
  if (!fact()) throw new Error(`not within ${limit} µs`);
  return cluster.world.now - from;
}

/** Writes of locks as `node verb result`. */
export const lockWrites = (cluster: TestCluster): string[] => cluster.api.writes
  .filter((one) => one.name.startsWith('fairlead-l2-'))
  .map((one) => `${one.node} ${one.verb} ${one.result}`);
