import { ip } from '../../lb/ip.ts';
import { ms, second, TestCluster } from './harness.ts';
import { names, vip } from './settled.ts';

export interface CrashResult {
  readonly violations: readonly string[];
  /** From the owner's end to the first answer of another node, microseconds. */
  readonly took: number;
  readonly fast: boolean;
}

/**
 * One crash of an owner at a random instant, half of them between two port operations of one
 * handler (row 35). Clock rates differ by up to 1 %, delays stay within the u of l2.md 7.
 */
export function runCrash(seed: number): CrashResult {
  const cluster = new TestCluster(names, { seed });
  const { world } = cluster;
  const chance = world.stream('crash');
  const fast = chance.ratio(1, 2);
  if (fast) cluster.settings = { duration: second, renew: 200 * ms };
  const delayMax = (fast ? 35 : 150) * ms;
  for (const node of cluster.nodes) {
    node.clock.setRate(chance.between(-4900, 4900));
    node.path.delay = () => chance.between(ms, delayMax);
    node.path.lag = () => chance.between(ms, delayMax);
  }
  cluster.service('s0', [vip]);
  cluster.start();
  cluster.run(8 * second + chance.below(2 * second));
  const owner = cluster.owner(vip);
  const { process } = owner;
  let ended = world.now;
  process.onEnd(() => { ended = world.now; });
  if (chance.ratio(1, 2)) process.crashAt(chance.below(20));
  else process.crash();
  world.run(world.now + 60 * second, () => !process.alive);
  const others = cluster.nodes.filter((node) => node !== owner);
  world.run(world.now + 30 * second, () => others.some((node) => node.answers(ip(vip))));
  const took = world.now - ended;
  owner.start();
  cluster.run(3 * second);
  return { violations: cluster.violations, took, fast };
}
