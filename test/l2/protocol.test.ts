import test from 'ava';
import { ms, second, specOf, type TestCluster } from './harness.ts';
import { lock, lockWrites, settled, synced, until, vip } from './settled.ts';

/** The session Lease of that node. */
const sessionOf = (cluster: TestCluster, node: string): string => (
  cluster.api.sessions().find((name) => name.includes(node))!
);

test('l2 35, 7: a crashed owner is followed within 6.3 s by default', (t) => {
  const cluster = settled();
  for (let seed = 0; seed < 12; seed += 1) {
    cluster.run(11 * second + seed * 83 * ms);
    const owner = cluster.owner(vip);
    owner.crash();
    const took = until(cluster, () => cluster.owners(vip).some((name) => name !== owner.name));
    t.true(took <= 6300 * ms && took >= 4060 * ms, `${took}`);
    owner.start();
    cluster.run(8 * second);
  }
  t.deepEqual(cluster.violations, []);
});

test('l2 35, 7: and within 1.3 s with 1 s / 200 ms', (t) => {
  const cluster = settled({ duration: second, renew: 200 * ms });
  for (let seed = 0; seed < 12; seed += 1) {
    cluster.run(3 * second + seed * 17 * ms);
    const owner = cluster.owner(vip);
    owner.crash();
    const took = until(cluster, () => cluster.owners(vip).some((name) => name !== owner.name));
    t.true(took <= 1300 * ms && took >= 820 * ms, `${took}`);
    owner.start({ duration: second, renew: 200 * ms });
    cluster.run(3 * second);
  }
  t.deepEqual(cluster.violations, []);
});

test('l2 36: a stopping owner deletes its keys, waits, releases, and its successor answers within 100 ms', (t) => {
  const cluster = settled();
  const owner = cluster.owner(vip);
  owner.stop();
  const gone = until(cluster, () => cluster.owners(vip).length === 0);
  const goneAt = cluster.world.now;
  const gap = until(cluster, () => cluster.owners(vip).length > 0);
  t.true(gap <= 100 * ms, `${gone} ${gap}`);
  const release = cluster.api.writes.find(
    (one) => one.name === lock && one.node === owner.name && one.time >= goneAt,
  )!;
  t.true(release.time - goneAt >= 10 * ms);
  t.deepEqual(cluster.owners(vip), ['node-a']);
  cluster.run(3 * second);
  t.false(owner.process.alive);
  t.is(cluster.api.sessions().length, 2);
});

test('l2 36: forty addresses are handed over within the four seconds of a shutdown', (t) => {
  const cluster = synced();
  const ips = Array.from({ length: 40 }, (_, index) => `10.0.4.${index}`);
  for (const [index, address] of ips.entries()) cluster.service(`s${index}`, [address]);
  cluster.run(2 * second);
  cluster.node('node-b').stop();
  const took = until(cluster, () => !cluster.node('node-b').process.alive);
  t.true(took < 4 * second, `${took}`);
  for (const address of ips) t.is(cluster.owners(address).length, 1, address);
  t.deepEqual(cluster.violations, []);
});

test('l2 37: an owner cut off from the API is silent before any other answers', (t) => {
  const cluster = settled();
  cluster.node('node-b').path.reachable = false;
  const silent = until(cluster, () => cluster.owners(vip).length === 0);
  t.true(silent <= 5 * second, `${silent}`);
  cluster.run(2 * second);
  t.deepEqual(cluster.owners(vip), ['node-a']);
  cluster.node('node-b').path.reachable = true;
  cluster.run(5 * second);
  t.deepEqual(cluster.owners(vip), ['node-a']);
  t.deepEqual(cluster.violations, []);
  t.true(cluster.notes('l2.fenceExpired').length === 1);
});

test('l2 38: wall-clock times of any Lease decide nothing', (t) => {
  const cluster = settled();
  for (const name of cluster.api.sessions()) {
    const renewTime = '1999-01-01T00:00:00.000000Z';
    cluster.api.edit(name, (object) => ({ ...object, spec: { ...object.spec, renewTime } }));
  }
  cluster.run(10 * second);
  t.deepEqual(cluster.owners(vip), ['node-b']);
  t.is(cluster.notes('l2.sessionLost').length, 0);
});

test('l2 39: the API away for ten minutes, strict: dark, then the same owners', (t) => {
  const cluster = synced();
  const ips = ['10.0.0.1', '10.0.0.2', '10.20.30.1', '10.0.7.1', '10.0.7.2'];
  for (const [index, address] of ips.entries()) cluster.service(`s${index}`, [address]);
  cluster.run(2 * second);
  const before = ips.map((address) => cluster.owners(address)[0]);
  for (const node of cluster.nodes) node.path.reachable = false;
  cluster.run(5 * second);
  t.deepEqual(ips.flatMap((address) => cluster.owners(address)), []);
  cluster.run(595 * second);
  for (const node of cluster.nodes) node.path.reachable = true;
  cluster.run(2 * second);
  t.deepEqual(ips.map((address) => cluster.owners(address)[0]), before);
  t.deepEqual(cluster.violations, []);
});

test('l2 40: the same in availability: never dark, same owners, a burst on return', (t) => {
  const cluster = settled({ onApiOutage: 'availability' });
  cluster.run(10 * second);
  for (const node of cluster.nodes) node.path.reachable = false;
  let dark = 0;
  for (let index = 0; index < 600; index += 1) {
    cluster.run(second);
    if (cluster.owners(vip).length === 0) dark += 1;
  }
  t.is(dark, 0);
  const frames = cluster.node('node-b').frames.length;
  for (const node of cluster.nodes) node.path.reachable = true;
  for (let index = 0; index < 200; index += 1) {
    cluster.run(20 * ms);
    t.deepEqual(cluster.owners(vip), ['node-b']);
  }
  t.true(cluster.node('node-b').frames.length >= frames + 4);
  t.is(specOf(cluster.api.get(lock)).holderIdentity.split('_')[0], 'node-b');
});

test('l2 40: the owner alone cut off is silent once it hears its successor', (t) => {
  const cluster = settled({ onApiOutage: 'availability' });
  cluster.run(10 * second);
  cluster.node('node-b').path.reachable = false;
  until(cluster, () => cluster.owners(vip).includes('node-a'));
  t.deepEqual(cluster.owners(vip), ['node-a', 'node-b']);
  cluster.run(ms);
  const garp = cluster.node('node-a').frames[0]!;
  cluster.node('node-b').hear(2, garp.frame);
  t.deepEqual(cluster.owners(vip), ['node-a']);
});

test('l2 41: carrier lost on the only link moves the address within 100 ms', (t) => {
  const cluster = settled();
  cluster.node('node-b').changeLinks((links) => links.map((one) => ({ ...one, carrier: false })));
  const took = until(cluster, () => cluster.owners(vip)[0] === 'node-a');
  t.true(took <= 100 * ms, `${took}`);
  t.deepEqual(cluster.violations, []);
});

test('l2 42: a process killed and restarted re-takes its own locks at once', (t) => {
  const cluster = settled();
  cluster.node('node-b').crash();
  cluster.run(500 * ms);
  const frames = cluster.node('node-b').frames.length;
  cluster.node('node-b').start();
  const dark = until(
    cluster, () => cluster.owners(vip).length === 0 || cluster.node('node-b').kernel.map.size === 0,
  );
  const took = until(cluster, () => cluster.owners(vip)[0] === 'node-b');
  t.true(took <= 100 * ms, `${dark} ${took}`);
  cluster.run(10 * second);
  t.is(cluster.node('node-b').frames.length - frames, 10);
  t.is(cluster.api.sessions().filter((name) => name.includes('node-b')).length, 2);
  const closed = cluster.api.sessions().filter(
    (name) => name.includes('node-b') && specOf(cluster.api.get(name)).holderIdentity === '',
  );
  t.is(closed.length, 1, 'the old session is closed');
});

test('l2 44: acknowledged renewals that the stream does not show cause a list, and no silence', (t) => {
  const cluster = settled();
  const { path } = cluster.node('node-b');
  const lists = cluster.api.reads;
  path.lag = () => 3600 * second;
  cluster.run(30 * second);
  t.true(cluster.api.reads > lists);
  t.is(cluster.notes('l2.sessionLost').length, 0);
  t.deepEqual(cluster.owners(vip), ['node-b']);
});

test('l2 45: after a release that timed out there is no key until a new take is seen', (t) => {
  const cluster = settled();
  const { path } = cluster.node('node-b');
  for (const name of ['node-a', 'node-c']) cluster.node(name).process.pause();
  cluster.service('s0', []);
  cluster.run(5 * ms);
  let losing = true;
  path.lose = (what) => losing && what === 'request';
  cluster.run(300 * ms);
  cluster.service('s0', [vip]);
  cluster.run(ms);
  t.deepEqual(cluster.owners(vip), []);
  losing = false;
  until(cluster, () => cluster.owners(vip).length > 0, 4 * second);
  t.is(specOf(cluster.api.get(lock)).leaseTransitions, 2);
});

test('l2 46: a holder edited by hand silences the owner, and nobody answers for W', (t) => {
  const cluster = settled();
  const other = cluster.api.sessions().find((name) => name.includes('node-c'))!;
  const identity = specOf(cluster.api.get(other)).holderIdentity;
  for (const holder of [identity, '']) {
    cluster.api.edit(
      lock, (object) => ({ ...object, spec: { ...object.spec, holderIdentity: holder } }),
    );
    until(cluster, () => cluster.owners(vip).length === 0, 100 * ms);
    const dark = until(cluster, () => cluster.owners(vip).length > 0);
    t.true(dark >= 5060 * ms && dark <= 5300 * ms, `${dark}`);
    cluster.run(second);
  }
  t.deepEqual(cluster.owners(vip), ['node-b']);
  const writes = lockWrites(cluster).length;
  cluster.api.edit(lock, (object) => {
    object.metadata.annotations['example.com/note'] = 'x';
    return object;
  });
  cluster.run(6 * second);
  t.is(lockWrites(cluster).length, writes);
  t.deepEqual(cluster.owners(vip), ['node-b']);
});

test('l2 47: a challenger whose stream is late cannot close a living session', (t) => {
  const cluster = settled();
  cluster.node('node-c').path.lag = () => 6 * second;
  cluster.run(5 * second);
  cluster.node('node-c').path.lag = () => 5 * ms;
  cluster.run(20 * second);
  t.deepEqual(cluster.owners(vip), ['node-b']);
  t.is(specOf(cluster.api.get(lock)).leaseTransitions, 1);
});

test('l2 47: of two challengers that close one session together one succeeds', (t) => {
  const cluster = synced();
  const ips = Array.from({ length: 12 }, (_, index) => `10.0.5.${index}`);
  for (const [index, address] of ips.entries()) cluster.service(`s${index}`, [address]);
  cluster.run(2 * second);
  const mine = ips.filter((address) => cluster.owners(address)[0] === 'node-b');
  // The writes of one reach the server when those of the other do, 50 ms of rank apart.
  const lead = cluster.rank.compare(
    specOf(cluster.api.get(sessionOf(cluster, 'node-b'))).holderIdentity, 'node-a', 'node-c',
  ) < 0 ? 'node-a' : 'node-c';
  cluster.node(lead).path.delay = () => 60 * ms;
  const before = cluster.api.writes.length;
  const session = sessionOf(cluster, 'node-b');
  cluster.node('node-b').crash();
  cluster.run(8 * second);
  const closings = cluster.api.writes.slice(before).filter((one) => one.name === session);
  t.deepEqual(closings.map((one) => one.result), ['ok', 'conflict']);
  t.is(new Set(closings.map((one) => one.node)).size, 2);
  for (const address of mine) {
    const [first] = ['node-a', 'node-c'].sort((a, b) => cluster.rank.compare(address, a, b));
    // The better in rank acts first, and its request may still come second over the slower path.
    t.true(first === lead || cluster.owners(address)[0] === first, address);
    t.is(cluster.owners(address).length, 1, address);
  }
  t.deepEqual(cluster.violations, []);
});

test('l2 48: an address that cannot be programmed is declined and taken by another', (t) => {
  const cluster = synced();
  cluster.node('node-b').kernel.fail = 'ENOSPC';
  cluster.service('s0', [vip]);
  cluster.run(2 * second);
  t.deepEqual(cluster.owners(vip), ['node-a']);
  t.is(
    cluster.node('node-b').events.filter((event) => event.reason === 'L2ProgramFailed').length, 1,
  );
});

test('l2 48: a key that vanishes while held is repaired within a second', (t) => {
  const cluster = settled();
  cluster.run(10 * second);
  cluster.node('node-b').kernel.map.clear();
  cluster.run(1010 * ms);
  t.deepEqual(cluster.owners(vip), ['node-b']);
  t.is(cluster.notes('l2.mapMismatch').length, 1);
});

test('l2 49: a stamp of an unknown version is not taken while its session renews', (t) => {
  const cluster = settled();
  cluster.api.edit(lock, (object) => {
    object.metadata.annotations['fairlead.dev/stamp'] = 'v9 what';
    return object;
  });
  cluster.run(4 * second);
  t.deepEqual(cluster.owners(vip), []);
  cluster.run(4 * second);
  t.is(cluster.owners(vip).length, 1);
  t.deepEqual(cluster.violations, []);
});
