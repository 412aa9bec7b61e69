import test from 'ava';
import type { NeighbourState } from '../../sim/net/neighbour.ts';
import type { NeighbourSettings } from '../../sim/net/neighbour-rules.ts';
import {
  second, own, vip, offNet, macA, macB, build, arp, frames, type FrameName, known,
} from './cache.ts';

interface Row {
  readonly frame: FrameName;
  readonly after: number;
  readonly mac: string;
  readonly state: NeighbourState
}

const hears = test.macro({
  exec: (t, row: Row) => {
    const bench = build();
    known(bench);
    bench.run(row.after);
    bench.cache.onArp(frames[row.frame]);
    const facts = bench.cache.lookup(vip);
    t.deepEqual([facts?.mac, facts?.state], [row.mac, row.state]);
  },
  title: (_, row: Row) =>
    `sim 5.4: ${row.frame} ${row.after / 1000} ms after a change gives ${row.mac === macB ? 'the new' : 'the old'} MAC, ${row.state}`,
});

const late = 1 * second;
const soon = 999_999;
const table: readonly Row[] = [
  { frame: 'gratuitous request', after: late, mac: macB, state: 'stale' },
  { frame: 'gratuitous request', after: soon, mac: macB, state: 'stale' },
  { frame: 'gratuitous reply, target hardware = sender', after: late, mac: macB, state: 'stale' },
  { frame: 'gratuitous reply, target hardware = sender', after: soon, mac: macB, state: 'stale' },
  { frame: 'gratuitous reply, target hardware zero', after: late, mac: macB, state: 'stale' },
  { frame: 'gratuitous reply, target hardware zero', after: soon, mac: macA, state: 'reachable' },
  { frame: 'gratuitous reply, target hardware broadcast', after: late, mac: macB, state: 'stale' },
  { frame: 'gratuitous reply, target hardware broadcast', after: soon, mac: macA, state: 'reachable' },
  { frame: 'broadcast request for another host', after: late, mac: macB, state: 'stale' },
  { frame: 'broadcast request for another host', after: soon, mac: macA, state: 'reachable' },
  { frame: 'broadcast request for this host', after: late, mac: macB, state: 'stale' },
  { frame: 'broadcast request for this host', after: soon, mac: macB, state: 'stale' },
  { frame: 'unicast request for this host', after: soon, mac: macB, state: 'stale' },
  { frame: 'unicast reply to this host', after: late, mac: macB, state: 'reachable' },
  { frame: 'unicast reply to this host', after: soon, mac: macA, state: 'reachable' },
  { frame: 'probe', after: late, mac: macA, state: 'reachable' },
  { frame: 'probe', after: soon, mac: macA, state: 'reachable' },
];
for (const row of table) test(hears, row);

const creates = test.macro({
  exec: (
    t, frame: FrameName, settings: Partial<NeighbourSettings>, state: NeighbourState | undefined
  ) => {
    const bench = build(settings);
    bench.cache.onArp(frames[frame]);
    t.is(bench.cache.lookup(vip)?.state, state);
    t.is(bench.cache.lookup(vip)?.mac, state === undefined ? undefined : macB);
  },
  title: (_, frame, settings, state) =>
    `sim 5.4: without an entry a ${frame} ${state === undefined ? 'creates none' : `creates one, ${state}`} ${JSON.stringify(settings)}`,
});
for (const name of Object.keys(frames) as FrameName[]) {
  test(creates, name, {}, name.endsWith('request for this host') ? 'stale' : undefined);
}
test(creates, 'gratuitous request', { arpAccept: 1 }, 'stale');
test(creates, 'gratuitous reply, target hardware = sender', { arpAccept: 1 }, 'stale');
test(creates, 'broadcast request for another host', { arpAccept: 1 }, undefined);
test(creates, 'gratuitous request', { arpAccept: 2 }, 'stale');
test(creates, 'gratuitous request', { arpAccept: 1, dropGratuitous: true }, undefined);
test(creates, 'broadcast request for this host', { dropGratuitous: true }, 'stale');
test(creates, 'broadcast request for this host', { profile: 'strict' }, undefined);
test(creates, 'gratuitous request', { profile: 'long' }, undefined);

test('sim 5.4: arpAccept 2 creates no entry for an address outside the subnet, 1 does', (t) => {
  const foreign = arp({ senderIp: offNet, targetIp: offNet });
  const two = build({ arpAccept: 2 });
  two.cache.onArp(foreign);
  t.is(two.cache.lookup(offNet), undefined);
  const one = build({ arpAccept: 1 });
  one.cache.onArp(foreign);
  t.is(one.cache.lookup(offNet)?.mac, macB);
});

test('sim 5.4: of two gratuitous requests 50 ms apart the last wins', (t) => {
  const bench = build();
  known(bench);
  bench.run(5 * second);
  bench.cache.onArp(arp({ senderMac: '02:00:00:00:00:01' }));
  bench.run(5_050_000);
  bench.cache.onArp(frames['gratuitous request']);
  t.is(bench.cache.lookup(vip)?.mac, macB);
});

test('sim 5.4: of two unicast replies to one query the first wins', (t) => {
  const bench = build();
  known(bench);
  bench.cache.onArp(frames['unicast reply to this host']);
  t.is(bench.cache.lookup(vip)?.mac, macA);
});

for (const name of ['gratuitous request', 'gratuitous reply, target hardware = sender',
  'gratuitous reply, target hardware zero', 'broadcast request for another host', 'unicast reply to this host'] as const) {
  test(`sim 5.4: a repetition 1.1 s later is taken as ${name}`, (t) => {
    const bench = build();
    known(bench);
    bench.run(100_000);
    bench.cache.onArp(frames[name]);
    bench.run(1_200_000);
    bench.cache.onArp(frames[name]);
    t.is(bench.cache.lookup(vip)?.mac, macB);
  });
}

test('a gratuitous frame that names the known MAC leaves REACHABLE as it is', (t) => {
  const bench = build();
  known(bench);
  bench.run(2 * second);
  bench.cache.onArp(arp({ senderMac: macA }));
  t.is(bench.cache.lookup(vip)?.state, 'reachable');
});

test('a frame of our own address teaches nothing', (t) => {
  const bench = build({ arpAccept: 1 });
  bench.cache.onArp(arp({ senderIp: own.ip, targetIp: own.ip }));
  t.is(bench.cache.size, 0);
});
