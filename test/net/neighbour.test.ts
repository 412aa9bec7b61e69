import test from 'ava';
import type { ArpFrame, NdpFrame } from '../../l2/frames.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import { NeighbourCache, type NeighbourState } from '../../sim/net/neighbour.ts';
import type { NeighbourSettings } from '../../sim/net/neighbour-rules.ts';
import { noPayload, type Packet } from '../../sim/net/packet.ts';
import { World } from '../../sim/world.ts';

const second = 1_000_000;
const own = { ip: ip('192.168.10.11'), ip6: ip('2001:db8::b'), mac: '02:00:00:00:00:0b' };
const other = ip('192.168.10.77');
const vip = ip('192.168.10.200');
const vip6 = ip('2001:db8::200');
const offNet = ip('203.0.113.9');
const macA = '02:00:00:00:00:aa';
const macB = '02:00:00:00:00:bb';
const broadcast = 'ff:ff:ff:ff:ff:ff';
const zero = '00:00:00:00:00:00';
const any4 = ip('0.0.0.0');

function build(settings: Partial<NeighbourSettings> = {}) {
  const world = new World({ seed: 7n });
  const solicits: string[] = [];
  const sent: string[] = [];
  const lost: string[] = [];
  const cache = new NeighbourCache(world, {
    mac: own.mac,
    isLocal: (address) => address === own.ip || address === own.ip6,
    inSubnet: (address) => address.startsWith('192.168.10.') || address.startsWith('2001:db8::'),
    solicit: (target, mac) => solicits.push(`${world.now} ${target} ${mac ?? 'all'}`),
    transmit: (packet, mac) => sent.push(`${packet.sourcePort} ${mac}`),
    unresolved: (packet, why) => lost.push(`${packet.sourcePort} ${why}`),
  }, { name: 'laptop', ...settings });
  // An empty heap ends a run early, so time gets an event of its own.
  const run = (time: number): void => {
    world.schedule(time - world.now, { kind: 'end', entity: 'test' }, () => undefined);
    world.run(time);
  };
  return { world, cache, solicits, sent, lost, run };
}

type Bench = ReturnType<typeof build>;

function packet(target: Ip, sourcePort = 1): Packet {
  return { source: own.ip, target, protocol: 'UDP', sourcePort, targetPort: 9, ttl: 64, payload: noPayload };
}

function arp(change: Partial<ArpFrame>): ArpFrame {
  return { kind: 'arp', opcode: 1, ethSource: macB, ethTarget: broadcast, senderMac: macB, senderIp: vip,
    targetMac: zero, targetIp: vip, ...change };
}

const frames = {
  'gratuitous request': arp({}),
  'gratuitous reply, target hardware = sender': arp({ opcode: 2, targetMac: macB }),
  'gratuitous reply, target hardware zero': arp({ opcode: 2, targetMac: zero }),
  'gratuitous reply, target hardware broadcast': arp({ opcode: 2, targetMac: broadcast }),
  'broadcast request for another host': arp({ targetIp: other }),
  'broadcast request for this host': arp({ targetIp: own.ip }),
  'unicast request for this host': arp({ targetIp: own.ip, ethTarget: own.mac }),
  'unicast reply to this host': arp({ opcode: 2, ethTarget: own.mac, targetMac: own.mac, targetIp: own.ip }),
  'probe': arp({ senderIp: any4 }),
} as const;
type FrameName = keyof typeof frames;

/** The entry points to A; it last changed at time 0. */
function known(bench: Bench, address: Ip = vip): void {
  bench.cache.resolve(address, packet(address));
  if (address.includes(':')) bench.cache.onNdp(na({ linkLayer: macA }));
  else bench.cache.onArp({ ...frames['unicast reply to this host'], senderMac: macA });
}

interface Row { readonly frame: FrameName; readonly after: number; readonly mac: string; readonly state: NeighbourState }

const hears = test.macro({
  exec: (t, row: Row) => {
    const bench = build();
    known(bench);
    bench.run(row.after);
    bench.cache.onArp(frames[row.frame]);
    const facts = bench.cache.lookup(vip);
    t.deepEqual([facts?.mac, facts?.state], [row.mac, row.state]);
  },
  title: (_, row: Row) => `sim 5.4: ${row.frame} ${row.after / 1000} ms after a change gives ${row.mac === macB ? 'the new' : 'the old'} MAC, ${row.state}`,
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
  exec: (t, frame: FrameName, settings: Partial<NeighbourSettings>, state: NeighbourState | undefined) => {
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

// Reachability.

test('sim 5.4: an unresolved entry asks three times a second apart, keeps three packets, then fails', (t) => {
  const bench = build();
  for (let port = 1; port <= 5; port += 1) t.is(bench.cache.resolve(vip, packet(vip, port)), undefined);
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
  t.deepEqual(bench.solicits.slice(1), [55, 56, 57].map((time) => `${time * second} ${vip} ${macA}`));
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

const crowd = (count: number): Ip[] => Array.from({ length: count }, (_, index) => ip(`192.168.10.${index + 20}`));

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
  for (const name of Object.keys(frames).filter((one) => one.startsWith('gratuitous')) as FrameName[]) {
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

// IPv6.

function na(change: Partial<NdpFrame>): NdpFrame {
  return { kind: 'advertisement', ethSource: macB, ethTarget: own.mac, source: vip6, destination: own.ip6, target: vip6,
    linkLayer: macB, router: false, solicited: true, override: true, hopLimit: 255, ...change };
}
const toAll = { destination: ip('ff02::1'), ethTarget: '33:33:00:00:00:01', solicited: false };
const ns = (change: Partial<NdpFrame>): NdpFrame =>
  na({ kind: 'solicitation', source: vip6, target: own.ip6, solicited: false, override: false, ...change });

const advertises = test.macro({
  exec: (t, change: Partial<NdpFrame>, from: 'reachable' | 'stale', expected: [string, NeighbourState]) => {
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
  for (const settings of [{ profile: 'sticky' }, { profile: 'strict' }, { dropGratuitous: true }] as const) {
    const bench = build(settings);
    known(bench, vip6);
    bench.run(2 * second);
    bench.cache.onNdp(na(toAll));
    t.is(bench.cache.lookup(vip6)?.mac, macA);
  }
});
