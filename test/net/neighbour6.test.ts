import test from 'ava';
import type { NdpFrame } from '../../l2/frames.ts';
import { ip } from '../../lb/ip.ts';
import type { NeighbourState } from '../../sim/net/neighbour.ts';
import { second, own, vip6, macA, macB, build, packet, known, na } from './cache.ts';

const toAll = { destination: ip('ff02::1'), ethTarget: '33:33:00:00:00:01', solicited: false };
const ns = (change: Partial<NdpFrame>): NdpFrame =>
  na({ kind: 'solicitation', source: vip6, target: own.ip6, solicited: false, override: false,
    ...change });

const advertises = test.macro({
  exec: (
    t, change: Partial<NdpFrame>, from: 'reachable' | 'stale', expected: [string, NeighbourState]
  ) => {
    const bench = build();
    known(bench, vip6);
    if (from === 'stale') bench.run(50 * second);
    bench.cache.onNdp(na(change));
    const facts = bench.cache.lookup(vip6);
    t.deepEqual([facts?.mac, facts?.state], expected);
  },
  title: (name, _change: object, from: string, expected: [string, NeighbourState]) =>
    `sim 5.4 IPv6: ${name}, entry ${from}: ${expected[0] === macB ? 'new' : 'old'} MAC, ${expected[1]}`,
});
test('unsolicited, Override', advertises, toAll, 'reachable', [macB, 'stale']);
test('unsolicited, Override', advertises, toAll, 'stale', [macB, 'stale']);
test('unsolicited, no Override', advertises, { ...toAll, override: false }, 'reachable', [macA, 'stale']);
test('unsolicited, no Override', advertises, { ...toAll, override: false }, 'stale', [macA, 'stale']);
test('unsolicited, no Target option', advertises, { ...toAll, linkLayer: undefined }, 'reachable', [macA, 'reachable']);
test('unsolicited, hop limit 254', advertises, { ...toAll, hopLimit: 254 }, 'reachable', [macA, 'reachable']);
test('Solicited set on multicast', advertises, { ...toAll, solicited: true }, 'reachable', [macA, 'reachable']);
test('solicited unicast, Override', advertises, {}, 'reachable', [macB, 'reachable']);
test('solicited unicast, Override', advertises, {}, 'stale', [macB, 'reachable']);
test('solicited unicast, no Override', advertises, { override: false }, 'reachable', [macA, 'stale']);
test('solicited unicast, no Override', advertises, { override: false }, 'stale', [macA, 'stale']);
test('solicited unicast, no Override, known MAC', advertises, { override: false, linkLayer: macA }, 'stale', [macA, 'reachable']);
test('solicited unicast, no Target option', advertises, { linkLayer: undefined }, 'stale', [macA, 'reachable']);
test('unsolicited, Override, known MAC', advertises, { ...toAll, linkLayer: macA }, 'reachable', [macA, 'reachable']);

test('sim 5.4 IPv6: no lock time: an Override 1 ms after a change is taken', (t) => {
  const bench = build();
  known(bench, vip6);
  bench.run(1_000);
  bench.cache.onNdp(na(toAll));
  t.is(bench.cache.lookup(vip6)?.mac, macB);
});

test('sim 5.4 IPv6: the Router flag marks the neighbour as a router, its absence unmarks it', (t) => {
  const bench = build();
  known(bench, vip6);
  bench.cache.onNdp(na({ ...toAll, router: true }));
  t.true(bench.cache.lookup(vip6)?.router);
  bench.cache.onNdp(na(toAll));
  t.false(bench.cache.lookup(vip6)?.router);
});

test('sim 5.4 IPv6: no advertisement creates an entry', (t) => {
  const bench = build({ arpAccept: 1 });
  bench.cache.onNdp(na({}));
  bench.cache.onNdp(na(toAll));
  t.is(bench.cache.size, 0);
});

test('IPv6: an advertisement ends a pending resolution, and does not revive a failed entry', (t) => {
  const bench = build();
  bench.cache.resolve(vip6, packet(vip6, 4));
  bench.cache.onNdp(na({}));
  t.deepEqual(bench.sent, [`4 ${macB}`]);
  const failed = build();
  failed.cache.resolve(vip6, packet(vip6, 4));
  failed.run(4 * second);
  failed.cache.onNdp(na(toAll));
  t.is(failed.cache.lookup(vip6)?.state, 'failed');
});

const solicits = test.macro({
  exec: (t, change: Partial<NdpFrame>, before: boolean, expected: string | undefined) => {
    const bench = build();
    if (before) known(bench, vip6);
    bench.cache.onNdp(ns(change));
    t.is(bench.cache.lookup(vip6)?.mac, expected);
    if (expected === macB) t.is(bench.cache.lookup(vip6)?.state, 'stale');
  },
  title: (name) => `sim 5.4 IPv6: ${name}`,
});
test('a solicitation for this host creates an entry, STALE', solicits, {}, false, macB);
test('a solicitation for this host updates the entry, STALE', solicits, {}, true, macB);
test('a solicitation without Source option creates none', solicits, { linkLayer: undefined }, false, undefined);
test('a solicitation for another host creates none', solicits, { target: ip('2001:db8::77') }, false, undefined);
test('a solicitation from :: creates none', solicits, { source: ip('::') }, false, undefined);
test('a solicitation with hop limit 64 creates none', solicits, { hopLimit: 64 }, false, undefined);

test('IPv6: sticky ignores unsolicited advertisements, strict too, dropGratuitous too', (t) => {
  for (
    const settings of [
      { profile: 'sticky' }, { profile: 'strict' }, { dropGratuitous: true },
    ] as const
  ) {
    const bench = build(settings);
    known(bench, vip6);
    bench.run(2 * second);
    bench.cache.onNdp(na(toAll));
    t.is(bench.cache.lookup(vip6)?.mac, macA);
  }
});
