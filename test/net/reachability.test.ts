import test from 'ava';
import fc from 'fast-check';
import { ip, type Ip } from '../../lb/ip.ts';
import type { NeighbourProfile } from '../../sim/net/neighbour-rules.ts';
import {
  second, own, other, vip, macA, macB, build, packet, arp, frames, type FrameName, known,
} from './cache.ts';

test('sim 5.4: an unresolved entry asks three times a second apart, keeps three packets, then fails', (t) => {
  const bench = build();
  for (let port = 1; port <= 5; port += 1) t.is(
    bench.cache.resolve(vip, packet(vip, port)), undefined,
  );
  t.deepEqual(bench.lost, ['1 neighbour-queue', '2 neighbour-queue']);
  bench.run(10 * second);
  t.deepEqual(bench.solicits, [`0 ${vip} all`, `1000000 ${vip} all`, `2000000 ${vip} all`]);
  t.deepEqual(bench.lost.slice(2), ['3 no-neighbour', '4 no-neighbour', '5 no-neighbour']);
  t.is(bench.cache.lookup(vip)?.state, 'failed');
  t.is(bench.cache.lookup(vip)?.changedAt, 3 * second);
  bench.cache.resolve(vip, packet(vip, 6));
  t.is(bench.solicits.length, 4);
});

test('an answer sends what waited, in order, to the new MAC', (t) => {
  const bench = build();
  for (let port = 1; port <= 3; port += 1) bench.cache.resolve(vip, packet(vip, port));
  bench.run(1_500_000);
  bench.cache.onArp(frames['unicast reply to this host']);
  t.deepEqual(bench.sent, [`1 ${macB}`, `2 ${macB}`, `3 ${macB}`]);
  t.is(bench.cache.lookup(vip)?.state, 'reachable');
  bench.run(20 * second);
  t.is(bench.solicits.length, 2);
});

test('a gratuitous request ends a resolution that is pending', (t) => {
  const bench = build();
  bench.cache.resolve(vip, packet(vip, 1));
  bench.cache.onArp(frames['gratuitous request']);
  t.deepEqual(bench.sent, [`1 ${macB}`]);
  t.is(bench.cache.lookup(vip)?.state, 'delay');
});

test('sim 5.4: REACHABLE lasts 15 to 45 s, without a timer', (t) => {
  const ends = Array.from({ length: 40 }, (_, index) => {
    const bench = build({});
    for (let drawn = 0; drawn < index; drawn += 1) bench.world.stream('host/laptop').next();
    known(bench);
    t.is(bench.world.pendingEvents, 1); // The cancelled retransmission.
    bench.run(100 * second);
    const facts = bench.cache.lookup(vip);
    t.is(facts?.state, 'stale');
    return facts?.changedAt ?? 0;
  });
  t.true(ends.every((end) => end >= 15 * second && end < 45 * second));
  t.true(Math.min(...ends) < 22 * second && Math.max(...ends) > 38 * second);
});

test('sim 5.4: the first use of a STALE entry waits 5 s, asks three times unicast a second apart, fails', (t) => {
  const bench = build();
  known(bench);
  bench.run(50 * second);
  t.is(bench.cache.resolve(vip, packet(vip)), macA);
  t.is(bench.cache.lookup(vip)?.state, 'delay');
  bench.run(55 * second);
  t.is(bench.cache.lookup(vip)?.state, 'probe');
  t.is(bench.cache.resolve(vip, packet(vip)), macA);
  bench.run(57_999_999);
  t.is(bench.cache.lookup(vip)?.state, 'probe');
  bench.run(58 * second);
  t.is(bench.cache.lookup(vip)?.state, 'failed');
  t.deepEqual(
    bench.solicits.slice(1), [55, 56, 57].map((time) => `${time * second} ${vip} ${macA}`),
  );
  t.is(bench.cache.resolve(vip, packet(vip)), undefined);
  t.is(bench.solicits.at(-1), `${58 * second} ${vip} all`);
});

test('an answer to a unicast probe makes the entry REACHABLE again at once', (t) => {
  const bench = build();
  known(bench);
  bench.run(50 * second);
  bench.cache.resolve(vip, packet(vip));
  bench.run(55_000_100);
  bench.cache.onArp({ ...frames['unicast reply to this host'], senderMac: macA });
  t.is(bench.cache.lookup(vip)?.state, 'reachable');
});

test('sim 5.4: acknowledged data keeps an entry REACHABLE, even a wrong one', (t) => {
  const bench = build();
  known(bench);
  for (let time = 1; time <= 300; time += 1) {
    bench.run(time * second);
    bench.cache.resolve(vip, packet(vip));
    bench.cache.confirm(vip);
  }
  t.is(bench.cache.lookup(vip)?.state, 'reachable');
  t.is(bench.solicits.length, 1);
});

test('sim 5.4: acknowledged data during DELAY spares the probe', (t) => {
  const bench = build();
  known(bench);
  bench.run(50 * second);
  bench.cache.resolve(vip, packet(vip));
  bench.run(52 * second);
  bench.cache.confirm(vip);
  bench.run(56 * second);
  t.is(bench.cache.lookup(vip)?.state, 'reachable');
  t.is(bench.solicits.length, 1);
});

const crowd = (count: number): Ip[] => Array.from(
  { length: count }, (_, index) => ip(`192.168.10.${index + 20}`),
);

test('sim 5.4: unused entries stay while the table has at most 128, and go after 60 s beyond', (t) => {
  const bench = build();
  for (const address of crowd(128)) bench.cache.onArp(arp({ senderIp: address, targetIp: own.ip }));
  bench.run(600 * second);
  t.is(bench.cache.size, 128);
  bench.cache.onArp(arp({ senderIp: ip('192.168.10.250'), targetIp: own.ip }));
  t.is(bench.cache.size, 1);
});

test('entries in use survive the collection', (t) => {
  const bench = build();
  for (const address of crowd(130)) bench.cache.onArp(arp({ senderIp: address, targetIp: own.ip }));
  t.is(bench.cache.size, 130);
  bench.run(59 * second);
  bench.cache.resolve(ip('192.168.10.20'), packet(vip));
  bench.run(61 * second);
  bench.cache.onArp(arp({ senderIp: ip('192.168.10.250'), targetIp: own.ip }));
  t.is(bench.cache.size, 2);
});

// Profiles.

test('sim 5.4: sticky ignores gratuitous frames and forgets after its timeout', (t) => {
  for (
    const name of Object.keys(frames).filter((one) => one.startsWith('gratuitous')) as FrameName[]
  ) {
    const bench = build({ profile: 'sticky' });
    known(bench);
    bench.run(59_999_999);
    bench.cache.onArp(frames[name]);
    t.is(bench.cache.lookup(vip)?.mac, macA, name);
    bench.run(60 * second);
    t.is(bench.cache.lookup(vip), undefined);
    bench.cache.resolve(vip, packet(vip));
    t.is(bench.solicits.at(-1), `${60 * second} ${vip} all`);
  }
});

test('traffic does not lengthen the life of a sticky entry, another timeout does', (t) => {
  const bench = build({ profile: 'sticky', timeout: 120 * second });
  known(bench);
  for (let time = 1; time < 120; time += 1) {
    bench.run(time * second);
    t.is(bench.cache.resolve(vip, packet(vip)), macA);
    bench.cache.confirm(vip);
  }
  bench.run(120 * second);
  t.is(bench.cache.resolve(vip, packet(vip)), undefined);
});

test('sim 5.4: long follows gratuitous frames for an entry it has, for four hours', (t) => {
  const bench = build({ profile: 'long' });
  known(bench);
  bench.run(3_600 * second);
  bench.cache.onArp(frames['gratuitous request']);
  t.is(bench.cache.resolve(vip, packet(vip)), macB);
  bench.run(17_999_999_999);
  t.is(bench.cache.resolve(vip, packet(vip)), macB);
  bench.run(18_000 * second);
  t.is(bench.cache.resolve(vip, packet(vip)), undefined);
});

test('sim 5.4: strict believes only answers to its own requests', (t) => {
  for (const name of Object.keys(frames) as FrameName[]) {
    const bench = build({ profile: 'strict' });
    known(bench);
    bench.run(5 * second);
    bench.cache.onArp(frames[name]);
    t.is(bench.cache.lookup(vip)?.mac, macA, name);
  }
  const asking = build({ profile: 'strict' });
  known(asking);
  asking.run(50 * second);
  asking.cache.resolve(vip, packet(vip));
  asking.run(56_500_000);
  asking.cache.onArp(frames['gratuitous request']);
  t.is(asking.cache.lookup(vip)?.mac, macA);
  asking.cache.onArp(frames['unicast reply to this host']);
  t.is(asking.cache.lookup(vip)?.mac, macB);
});

test('sim 8: a stuck entry ignores updates and age until the fault heals', (t) => {
  const bench = build();
  known(bench);
  bench.cache.stick(vip);
  bench.run(3 * second);
  bench.cache.onArp(frames['gratuitous request']);
  bench.run(600 * second);
  t.is(bench.cache.resolve(vip, packet(vip)), macA);
  t.true(bench.cache.lookup(vip)?.stuck);
  bench.cache.unstick(vip);
  bench.cache.onArp(frames['gratuitous request']);
  t.is(bench.cache.resolve(vip, packet(vip)), macB);
});

test('an entry that is stuck while it is probed does not fail', (t) => {
  const bench = build();
  known(bench);
  bench.run(50 * second);
  bench.cache.resolve(vip, packet(vip));
  bench.run(55_500_000);
  bench.cache.stick(vip);
  bench.run(90 * second);
  t.is(bench.cache.resolve(vip, packet(vip)), macA);
});

test('a flush forgets everything and drops what waits', (t) => {
  const bench = build();
  known(bench);
  bench.cache.resolve(other, packet(other, 8));
  bench.cache.flush();
  t.is(bench.cache.size, 0);
  t.deepEqual(bench.lost, ['8 no-neighbour']);
  bench.run(9 * second);
  t.is(bench.solicits.length, 2);
});

// Whatever is heard in whatever order: the cache uses no MAC that nobody named and ends every
// packet exactly once.
test('a cache invents nothing and loses nothing', (t) => {
  const frameName = fc.constantFrom(...Object.keys(frames) as FrameName[]);
  const action = fc.oneof(
    fc.record({
      kind: fc.constant('hear' as const), frame: frameName, mac: fc.constantFrom(macA, macB) }),
    fc.record({ kind: fc.constant('use' as const) }),
    fc.record({ kind: fc.constant('confirm' as const) }),
    fc.record({
      kind: fc.constant('wait' as const), time: fc.integer({ min: 1, max: 40 * second }) }),
  );
  const profile = fc.constantFrom('linux', 'sticky', 'long', 'strict');
  fc.assert(fc.property(fc.array(action, { maxLength: 60 }), profile, (actions, chosen) => {
    const bench = build({ profile: chosen as NeighbourProfile });
    const named = new Set<string>();
    let sent = 0;
    let used = 0;
    for (const one of actions) {
      if (one.kind === 'wait') bench.run(bench.world.now + one.time);
      if (one.kind === 'confirm') bench.cache.confirm(vip);
      if (one.kind === 'hear') {
        named.add(one.mac);
        bench.cache.onArp({ ...frames[one.frame], senderMac: one.mac });
      }
      if (one.kind !== 'use') continue;
      sent += 1;
      const mac = bench.cache.resolve(vip, packet(vip, sent));
      if (mac === undefined) continue;
      used += 1;
      t.true(named.has(mac));
    }
    bench.run(bench.world.now + 100 * second);
    t.is(used + bench.sent.length + bench.lost.length, sent);
    t.is(bench.world.pendingEvents, 0);
  }), { seed: 12, numRuns: 300 });
});
