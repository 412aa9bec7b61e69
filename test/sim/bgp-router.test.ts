import test from 'ava';
import { ip } from '../../lb/ip.ts';
import { memberOf, remap, sharePpmMoved, type MapperKind } from '../../sim/bgp/mapper.ts';
import { BgpLab, route, second, vip, vip6 } from './bgp-lab.ts';

// Rows of bgp.md 12 by their numbers.
const removed = test.macro({
  exec: (t, hold: number, keepalive: number) => {
    for (const seed of [1n, 2n, 3n, 4n, 5n]) {
      const lab = new BgpLab({ seed, peer: { timers: { connectRetry: 5, hold, keepalive } } });
      lab.run(20 * second + Number(seed) * 700_000);
      t.deepEqual(lab.nextHops(), [ip('10.99.0.1')]);
      const killedAt = lab.world.now;
      lab.kill(1);
      lab.run(hold * second + second);
      const gone = lab.changes.find(({ kind, prefix }) => kind === 'delete' && prefix === vip);
      const after = (gone?.time ?? Infinity) - killedAt;
      // Beside the timer: the way of the last keepalive, and 4 ms until the table has it.
      t.true(after > (hold - keepalive) * second && after <= hold * second + 5000, `${after}`);
    }
  },
  title: (_, hold: number, keepalive: number) =>
    `bgp 55: a silent death at ${hold}/${keepalive} removes in (${hold - keepalive}, ${hold}] s`,
});
test(removed, 9, 3);
test(removed, 3, 1);

const moves = test.macro({
  exec: (t, mapper: MapperKind, least: number, most: number) => {
    const names = ['a', 'b', 'c', 'd'];
    const before = remap(mapper, names, undefined);
    for (const gone of names) {
      const after = remap(mapper, names.filter((name) => name !== gone), before);
      const moved = sharePpmMoved(mapper, before, after) / 10_000;
      t.true(moved >= least && moved <= most, `without ${gone} ${moved} % move`);
    }
  },
  title: (_, mapper, least, most) =>
    `bgp 56: ${mapper} of four without one moves ${least} to ${most} % of the flows`,
});
test(moves, 'modulo', 72, 78);
test(moves, 'threshold', 24.9, 50.1);
test(moves, 'resilient', 22, 28);

test('members of a group share the flows evenly', (t) => {
  for (const mapper of ['modulo', 'threshold', 'resilient'] as const) {
    const mapping = remap(mapper, ['a', 'b', 'c'], undefined);
    const counts = new Map<string, number>();
    for (let index = 0; index < 3000; index += 1) {
      const member = memberOf(mapper, mapping, Math.imul(index, 0x9e37_79b1) >>> 0);
      counts.set(member, (counts.get(member) ?? 0) + 1);
    }
    for (const count of counts.values()) t.true(Math.abs(count - 1000) < 60, `${mapper} ${count}`);
  }
});

test('a resilient group gives a returning member its share and moves no more than that', (t) => {
  const four = remap('resilient', ['a', 'b', 'c', 'd'], undefined);
  const three = remap('resilient', ['a', 'b', 'd'], four);
  const again = remap('resilient', ['a', 'b', 'c', 'd'], three);
  const moved = sharePpmMoved('resilient', three, again) / 10_000;
  t.true(moved >= 22 && moved <= 28, `${moved}`);
});

test('equal paths of several nodes share a route, in both families', (t) => {
  const lab = new BgpLab({ nodes: 3, peer: { nextHop6: ip('fd00:99::7') } });
  lab.run(20 * second);
  t.deepEqual(lab.nextHops(), [ip('10.99.0.1'), ip('10.99.0.2'), ip('10.99.0.3')]);
  t.deepEqual(lab.nextHops(vip6), [ip('fd00:99::7')]);
});

test('a withdrawn route leaves the table, and nothing else changes', (t) => {
  const lab = new BgpLab({ nodes: 2 });
  lab.run(20 * second);
  const known = lab.changes.length;
  lab.nodes[0]!.port.setRoutes('tor', [route(vip6)], () => undefined);
  lab.run(100_000);
  t.deepEqual(lab.changes.slice(known).map(({ prefix, kind, nextHops }) =>
    [prefix, kind, nextHops.join()]), [[vip, 'replace', '10.99.0.2']]);
});

const passwords = test.macro({
  exec: (t, own: string | undefined, theirs: string | undefined, up: boolean) => {
    const lab = new BgpLab({
      neighbour: { password: theirs },
      peer: own === undefined ? {} : { password: { text: own, version: '1' } },
    });
    lab.run(60 * second);
    t.is(lab.tor.bgp.peer(ip('10.99.0.1'))?.session !== undefined, up);
  },
  title: (_, own, theirs, up) => `keys ${own} and ${theirs}: ${up ? 'a session' : 'silence'}`,
});
test(passwords, 'correct-horse', 'correct-horse', true);
test(passwords, 'correct-horse', 'battery', false);
test(passwords, undefined, 'battery', false);
test(passwords, 'correct-horse', undefined, false);

test('one prefix more than allowed ends the session with Cease/1', (t) => {
  const lab = new BgpLab({ router: { prefixesMax: 1 } });
  lab.nodes[0]!.port.setRoutes('tor', [route(vip), route('198.51.100.2/32' as typeof vip)],
    () => undefined);
  lab.run(12 * second);
  t.true(lab.world.notes.some(({ text }) => text.includes('sent NOTIFICATION 6/1')));
});

test('a graceful restart of the speaker changes no route', (t) => {
  const lab = new BgpLab({ nodes: 2, peer: { restart: 30 } });
  lab.run(20 * second);
  const known = lab.changes.length;
  lab.nodes[0]!.speakers.slot('main').kill();
  lab.run(40 * second);
  t.is(lab.nodes[0]!.speakers.slot('main').starts, 2);
  t.true(lab.tor.bgp.peer(ip('10.99.0.1'))?.session !== undefined);
  t.deepEqual(lab.changes.slice(known), []);
  t.deepEqual(lab.nextHops(), [ip('10.99.0.1'), ip('10.99.0.2')]);
});

test('without graceful restart the routes of a dead speaker go at once', (t) => {
  const lab = new BgpLab({ nodes: 2 });
  lab.run(20 * second);
  lab.nodes[0]!.speakers.slot('main').kill();
  lab.run(600_000);
  t.deepEqual(lab.nextHops(), [ip('10.99.0.2')]);
  lab.run(20 * second);
  t.deepEqual(lab.nextHops(), [ip('10.99.0.1'), ip('10.99.0.2')]);
});

test('a router that restarts gracefully keeps its table', (t) => {
  const lab = new BgpLab({ nodes: 2, peer: { restart: 30 } });
  lab.run(20 * second);
  const known = lab.changes.length;
  lab.tor.down('graceful');
  lab.run(2 * second);
  lab.tor.up('graceful');
  lab.run(130 * second);
  t.deepEqual(lab.changes.slice(known), []);
  t.is(lab.tor.bgp.peers().filter(({ session }) => session !== undefined).length, 2);
});

test('stale routes go when a peer does not come back within its restart time', (t) => {
  const lab = new BgpLab({ peer: { restart: 20 } });
  lab.run(20 * second);
  lab.kill(1);
  lab.run(9 * second);
  t.deepEqual(lab.nextHops(), [ip('10.99.0.1')]);
  lab.run(21 * second);
  t.deepEqual(lab.nextHops(), []);
  t.true(lab.world.notes.some(({ code }) => code === 'bgp.staleSwept'));
});
