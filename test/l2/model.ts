import { ms, second, TestCluster, type AnnouncerFactory, type TestNode } from './harness.ts';
import type { Prng } from '../../sim/prng.ts';

const ips = ['10.0.0.1', '10.0.0.2', '10.20.30.1'];

export interface ModelResult {
  readonly violations: readonly string[];
  /** How often an address changed hands, so that a quiet run is noticed. */
  readonly announced: number;
  readonly failovers: number;
}

/**
 * One seed of the random model of l2.md 5.7: 3 nodes, 3 IPs, 120 s; crashes, restarts, pauses,
 * requests delayed or lost up to 12 s, stream lag, re-lists, edits and deletions by hand, clock
 * rates within 1 %.
 */
export function runModel(seed: number, factory?: AnnouncerFactory): ModelResult {
  const cluster = new TestCluster(
    ['node-a', 'node-b', 'node-c'], { seed, ...(factory && { factory }) },
  );
  const { world } = cluster;
  const chance = world.stream('model');
  // Short sessions put more take-overs into 120 s; half of the seeds keep the default.
  if (chance.ratio(1, 2)) cluster.settings = { duration: second, renew: 200 * ms };
  for (const [index, address] of ips.entries()) cluster.service(`s${index}`, [address]);
  for (const node of cluster.nodes) {
    // Rates of two clocks differ by at most 1 % (G2): each within half of it.
    node.clock.setRate(chance.between(-4900, 4900));
    shakePath(node, chance);
  }
  cluster.start();
  const end = 120 * second;
  const act = (): void => {
    const node = chance.pick(cluster.nodes);
    step(cluster, node, chance);
    world.schedule(chance.between(50 * ms, 2500 * ms), { kind: 'model', entity: 'model' }, act);
  };
  world.schedule(3 * second, { kind: 'model', entity: 'model' }, act);
  world.run(end, () => cluster.violations.length > 0);
  for (const node of cluster.nodes) if (node.process.fault !== undefined) throw node.process.fault;
  return {
    violations: cluster.violations,
    announced: cluster.notes('l2.announced').length,
    failovers: cluster.notes('l2.failover').length,
  };
}

function shakePath(node: TestNode, chance: Prng): void {
  const mood = chance.below(5);
  node.path.delay = () => {
    if (mood === 0 && chance.ratio(1, 20)) return chance.between(100 * ms, 12 * second);
    if (mood === 1 && chance.ratio(1, 4)) return chance.between(0, 1500 * ms);
    return chance.between(ms, 30 * ms);
  };
  const lagMood = chance.below(4);
  node.path.lag = () => {
    if (lagMood === 0 && chance.ratio(1, 15)) return chance.between(0, 6 * second);
    if (lagMood === 1 && chance.ratio(1, 3)) return chance.between(0, 900 * ms);
    return chance.between(ms, 20 * ms);
  };
  const lossMood = chance.below(3);
  node.path.lose = () => lossMood === 0 && chance.ratio(1, 12);
}

function step(cluster: TestCluster, node: TestNode, chance: Prng): void {
  const { process } = node;
  const act = chance.below(16);
  if (act <= 1) {
    if (process.alive && chance.ratio(1, 2)) process.crashAt(chance.below(20));
    else process.crash();
    const { world } = cluster;
    world.schedule(chance.between(10 * ms, 8 * second), { kind: 'model', entity: 'model' }, () => {
      if (!node.process.alive) node.start();
    });
  } else if (act === 2) {
    if (process.paused) return;
    process.pause();
    cluster.world.schedule(
      chance.between(10 * ms, 9 * second),
      { kind: 'model', entity: 'model' },
      () => process.resume(),
    );
  } else if (act === 3) cluster.api.drop(node);
  else if (act === 4) {
    node.path.reachable = false;
    node.path.refuses = chance.ratio(1, 2);
    cluster.world.schedule(
      chance.between(100 * ms, 9 * second),
      { kind: 'model', entity: 'model' },
      () => { node.path.reachable = true; },
    );
  } else if (act === 5 || act === 6) editByHand(cluster, chance);
  else if (act === 7) {
    if (process.alive && !process.paused) {
      node.stop();
      cluster.world.schedule(6 * second, { kind: 'model', entity: 'model' }, () => {
        if (!node.process.alive) node.start();
      });
    }
  } else if (act === 8 || act === 9) wantOrNot(cluster, chance);
  else if (act === 10) shakePath(node, chance);
  else if (act === 11) {
    const carrier = chance.ratio(2, 3);
    node.changeLinks((links) => links.map((one) => ({ ...one, carrier })));
  } else if (act === 12) {
    const unschedulable = chance.ratio(1, 2);
    const row = cluster.tables.nodes.get(node.name)!;
    cluster.tables.nodes.upsert(node.name, { ...row, unschedulable });
  } else if (act === 13 || act === 14) {
    node.path.deaf = true;
    cluster.world.schedule(
      chance.between(3 * second, 7 * second),
      { kind: 'model', entity: 'model' },
      () => { node.path.deaf = false; },
    );
  } else node.clock.setRate(chance.between(-4900, 4900));
}

function wantOrNot(cluster: TestCluster, chance: Prng): void {
  const index = chance.below(ips.length);
  cluster.service(`s${index}`, chance.ratio(2, 3) ? [ips[index]!] : []);
}

function editByHand(cluster: TestCluster, chance: Prng): void {
  const { api } = cluster;
  const names = [...api.objects.keys()].sort();
  if (names.length === 0) return;
  const name = chance.pick(names);
  const how = chance.below(6);
  if (how === 0) return api.edit(name, () => undefined);
  api.edit(name, (object) => {
    if (how === 1) object.spec.holderIdentity = '';
    else if (how === 2) object.metadata.annotations['example.com/note'] = String(chance.below(100));
    else if (how === 3) object.spec.holderIdentity = `${chance.pick(cluster.nodes).name}_deadbeef`;
    else if (how === 4) object.spec.leaseTransitions = chance.below(9);
    else if (chance.ratio(1, 2)) object.metadata.labels['fairlead.dev/l2'] = 'other';
    else delete object.metadata.labels['fairlead.dev/l2'];
    return object;
  });
}
