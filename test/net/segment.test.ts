import test from 'ava';
import { ip, type Ip } from '../../lb/ip.ts';
import { Cut, splitGroups, type CutForm } from '../../sim/net/cut.ts';
import { Frame } from '../../sim/net/frame.ts';
import type { Direction } from '../../sim/net/link.ts';
import { Nic } from '../../sim/net/nic.ts';
import { payloadOf, type Packet } from '../../sim/net/packet.ts';
import { Rogue } from '../../sim/net/rogue.ts';
import { Segment } from '../../sim/net/segment.ts';
import type { SwitchOptions } from '../../sim/net/switch.ts';
import { PacketTap, type PacketStep } from '../../sim/net/tap.ts';
import { World, type OrderMode } from '../../sim/world.ts';

const second = 1_000_000;
const broadcast = 'ff:ff:ff:ff:ff:ff';
const macs = { a: '02:00:00:00:00:0a', b: '02:00:00:00:00:0b', c: '02:00:00:00:00:0c' } as const;
type Name = keyof typeof macs;

function build(options: SwitchOptions = {}, order: OrderMode = 'fifo') {
  const world = new World({ seed: 3n, order });
  const tap = new PacketTap(world);
  const segment = new Segment(tap, 'lan', options);
  const got: string[] = [];
  const drops: PacketStep[] = [];
  tap.onStep((step) => { if (step.what === 'dropped') drops.push(step); });
  const plug = (name: Name): Nic => {
    const nic = new Nic(tap, { owner: name, name: 'eth0', mac: macs[name], ifindex: 2 });
    segment.attach(nic);
    nic.onFrame = (frame) => got.push(`${world.now} ${name} ${frame.packet?.sourcePort ?? frame.etherType}`);
    return nic;
  };
  const nics = { a: plug('a'), b: plug('b'), c: plug('c') };
  const run = (time: number): void => {
    world.schedule(time - world.now, { kind: 'end', entity: 'test' }, () => undefined);
    world.run(time);
  };
  const send = (from: Name, to: Name | string, port = 1, size = 4): boolean =>
    nics[from].send(frame({ from: macs[from], to: to in macs ? macs[to as Name] : to, port, size }));
  const link = (name: Name) => segment.linkOf(name)!;
  return { world, tap, segment, got, drops, nics, run, send, link };
}

type Bench = ReturnType<typeof build>;

function frame(of: { from: string; to: string; port: number; size: number }): Frame {
  const packet: Packet = { source: ip('10.0.0.1'), target: ip('10.0.0.2'), protocol: 'UDP', sourcePort: of.port,
    targetPort: 9, ttl: 64, payload: payloadOf('x'.repeat(of.size)) };
  return Frame.ofPacket(packet, { ethSource: of.from, ethTarget: of.to });
}

function arp(from: Name, senderIp: Ip, targetIp: Ip): Frame {
  return Frame.ofArp({ kind: 'arp', opcode: 1, ethSource: macs[from], ethTarget: broadcast, senderMac: macs[from],
    senderIp, targetMac: '00:00:00:00:00:00', targetIp });
}

/** Everybody has sent once, so the switch knows all ports. */
function learned(bench: Bench): void {
  for (const name of ['a', 'b', 'c'] as const) bench.send(name, broadcast);
  bench.run(1_000);
  bench.got.length = 0;
}

test('sim 5.3: an unknown unicast and a broadcast reach the right NICs after 100 µs', (t) => {
  const bench = build();
  bench.send('a', 'b', 7);
  bench.send('a', broadcast, 8);
  bench.run(second);
  t.deepEqual(bench.got, ['100 b 7', '100 b 8', '100 c 8']);
});

test('sim 5.3: a known unicast is one event, a broadcast too', (t) => {
  const bench = build();
  learned(bench);
  const before = bench.world.trace.count;
  bench.send('a', 'b');
  bench.send('a', broadcast);
  bench.run(2_000);
  t.is(bench.world.trace.count - before, 3); // And the one that ends the run.
});

test('sim 5.3: the switch forgets an entry after 300 s', (t) => {
  const bench = build();
  bench.send('b', broadcast);
  bench.run(299_999_999);
  t.is(bench.segment.learning.portOf(macs.b)?.nic.owner, 'b');
  bench.run(300_000_000);
  t.is(bench.segment.learning.portOf(macs.b), undefined);
});

test('another ageing time is honoured, and a frame renews the entry', (t) => {
  const bench = build({ macAgeing: 10 * second });
  bench.send('b', broadcast);
  bench.run(9 * second);
  bench.send('b', broadcast);
  bench.run(18 * second);
  t.not(bench.segment.learning.portOf(macs.b), undefined);
});

test('sim 5.3: the switch forgets what it learned at a port that goes down', (t) => {
  for (const down of [(bench: Bench) => bench.link('b').setUp(false), (bench: Bench) => bench.nics.b.setAdminUp(false)]) {
    const bench = build();
    learned(bench);
    down(bench);
    t.is(bench.segment.learning.portOf(macs.b), undefined);
    t.not(bench.segment.learning.portOf(macs.a), undefined);
  }
});

test('a frame to a MAC that moved goes to its new port', (t) => {
  const bench = build();
  learned(bench);
  bench.nics.c.send(frame({ from: macs.b, to: broadcast, port: 1, size: 1 }));
  bench.run(2_000);
  t.is(bench.segment.learning.portOf(macs.b)?.nic.owner, 'c');
});

test('a frame to a dead MAC ends with the MAC as the reason', (t) => {
  const bench = build();
  learned(bench);
  bench.send('a', '02:00:00:00:00:99');
  bench.run(2_000);
  t.deepEqual(bench.drops.map(({ why, detail, place }) => [why, detail, place]), [['unknown-mac', '02:00:00:00:00:99', 'switch lan']]);
});

test('a frame to a machine that is switched off ends at its interface', (t) => {
  const bench = build();
  learned(bench);
  bench.nics.b.setAdminUp(false);
  bench.send('a', 'b');
  bench.run(2_000);
  t.deepEqual(bench.drops.map(({ why, detail }) => [why, detail]), [['interface-down', 'b:eth0']]);
});

test('a NIC takes frames for others only when promiscuous', (t) => {
  const bench = build();
  bench.nics.c.promiscuous = true;
  bench.send('a', 'b', 7);
  bench.run(second);
  t.deepEqual(bench.got, ['100 b 7', '100 c 7']);
});

test('sim 5.3: port security refuses a MAC that moves', (t) => {
  const bench = build({ portSecurity: true });
  learned(bench);
  bench.nics.c.send(frame({ from: macs.b, to: macs.a, port: 1, size: 1 }));
  bench.run(2_000);
  t.deepEqual(bench.drops.map(({ why }) => why), ['port-security']);
  t.is(bench.segment.learning.portOf(macs.b)?.nic.owner, 'b');
});

test('sim 5.3: a suppressing switch answers ARP from its cache and follows announcements', (t) => {
  const bench = build({ arpSuppression: true });
  const vip = ip('10.0.0.200');
  bench.nics.b.send(arp('b', vip, vip));
  bench.run(1_000);
  const answers: string[] = [];
  bench.nics.a.onFrame = (one) => answers.push(`${one.arp?.opcode} ${one.arp?.senderMac}`);
  bench.got.length = 0;
  bench.nics.a.send(arp('a', ip('10.0.0.1'), vip));
  bench.run(2_000);
  t.deepEqual(bench.got, []);
  bench.nics.c.send(arp('c', vip, vip));
  bench.nics.a.send(arp('a', ip('10.0.0.1'), vip));
  bench.run(3_000);
  t.deepEqual(answers, [`2 ${macs.b}`, `1 ${macs.c}`, `2 ${macs.c}`]);
});

test('sim 8: switch.suppress goes on answering with the old MAC, until it heals', (t) => {
  const bench = build({ arpSuppression: true });
  const vip = ip('10.0.0.200');
  bench.nics.b.send(arp('b', vip, vip));
  bench.segment.learning.freeze(vip);
  bench.nics.c.send(arp('c', vip, vip));
  t.is(bench.segment.learning.answer(arp('a', ip('10.0.0.1'), vip))?.arp?.senderMac, macs.b);
  bench.segment.learning.thaw(vip);
  bench.nics.c.send(arp('c', vip, vip));
  t.is(bench.segment.learning.answer(arp('a', ip('10.0.0.1'), vip))?.arp?.senderMac, macs.c);
});

test('sim 5.3: a snooping switch needs a report to deliver a group', (t) => {
  const bench = build({ multicastSnooping: true });
  const group = ip('ff02::1:ff00:200');
  const toGroup = (): Frame => Frame.ofNdp({ kind: 'solicitation', ethSource: macs.a, ethTarget: '33:33:ff:00:02:00',
    source: ip('fe80::1'), destination: group, target: ip('2001:db8::200'), linkLayer: macs.a,
    router: false, solicited: false, override: false, hopLimit: 255 });
  bench.link('b').setUp(false);
  bench.nics.b.join(group);
  bench.link('b').setUp(true);
  bench.nics.c.join(group);
  bench.run(3 * second);
  bench.got.length = 0;
  bench.nics.a.send(toGroup());
  bench.run(4 * second);
  t.deepEqual(bench.got, ['3000100 b 34525', '3000100 c 34525']);
  bench.nics.b.leave(group);
  bench.segment.learning.forgetPort(bench.segment.ports.find((port) => port.nic.owner === 'c')!);
  bench.run(5 * second);
  bench.got.length = 0;
  bench.nics.a.send(toGroup());
  bench.run(6 * second);
  t.deepEqual(bench.got, []);
});

test('without snooping a group needs no report, with the NIC filter open', (t) => {
  const bench = build();
  bench.nics.b.join(ip('ff02::1:ff00:200'));
  bench.run(3 * second);
  bench.segment.learning.forget();
  bench.nics.a.send(frame({ from: macs.a, to: '33:33:ff:00:02:00', port: 5, size: 1 }));
  bench.run(4 * second);
  t.deepEqual(bench.got, ['3000100 b 5']);
});

test('memberships are counted: the first leave of two keeps the group', (t) => {
  const bench = build();
  const group = ip('ff02::1:ff00:200');
  bench.nics.b.join(group);
  bench.nics.b.join(group);
  bench.nics.b.leave(group);
  const one = frame({ from: macs.a, to: '33:33:ff:00:02:00', port: 5, size: 1 });
  t.true(bench.nics.b.accepts(one));
  bench.nics.b.leave(group);
  t.false(bench.nics.b.accepts(one));
});

// Links.

test('sim 8: link.down in both directions takes the carrier, a send then fails', (t) => {
  const bench = build();
  let changes = 0;
  bench.nics.b.onCarrier = () => { changes += 1; };
  bench.link('b').setUp(false);
  t.false(bench.nics.b.carrier);
  t.false(bench.send('b', 'a'));
  bench.link('b').setUp(true);
  t.true(bench.send('b', 'a'));
  t.is(changes, 2);
});

const oneWay = test.macro({
  exec: (t, direction: Direction, heardBy: string[]) => {
    const bench = build();
    learned(bench);
    bench.link('b').setUp(false, direction);
    t.true(bench.nics.b.carrier);
    bench.send('a', 'b', 1);
    bench.send('b', 'a', 2);
    bench.run(2_000);
    t.deepEqual(bench.got.map((line) => line.slice(-3)), heardBy);
    t.deepEqual(bench.drops.map(({ why }) => why), ['link-down']);
  },
  title: (_, direction) => `sim 8: link.down ${direction} is silent and one-way`,
});
test(oneWay, 'toSwitch', ['b 1']);
test(oneWay, 'fromSwitch', ['a 2']);

test('a frame under way when the link goes down is lost', (t) => {
  const bench = build();
  learned(bench);
  bench.send('a', 'b');
  bench.link('b').setUp(false);
  bench.run(2_000);
  t.deepEqual(bench.got, []);
  t.deepEqual(bench.drops.map(({ why }) => why), ['link-down']);
});

test('sim 8: link.loss of 20 % loses about 20 %, in the direction given', (t) => {
  const bench = build();
  learned(bench);
  bench.link('b').setRatio('lossPpm', 200_000, 'fromSwitch');
  for (let port = 1; port <= 1000; port += 1) {
    bench.send('a', 'b', port);
    bench.send('b', 'a', port);
    bench.run(1_000 + port * 200);
  }
  const to = (name: string): number => bench.got.filter((line) => line.includes(` ${name} `)).length;
  t.is(to('a'), 1000);
  t.true(to('b') > 750 && to('b') < 850);
  t.is(bench.drops.filter(({ why }) => why === 'loss').length, 1000 - to('b'));
});

test('sim 8: link.duplicate delivers twice', (t) => {
  const bench = build();
  learned(bench);
  bench.link('b').setRatio('duplicatePpm', 1_000_000, 'fromSwitch');
  bench.send('a', 'b', 7);
  bench.run(2_000);
  t.deepEqual(bench.got, ['1100 b 7', '1100 b 7']);
});

test('sim 8: link.delay adds a fixed and an exponential part and keeps the order', (t) => {
  for (const order of ['fifo', 'uniform'] as const) {
    const bench = build({}, order);
    learned(bench);
    bench.link('a').setDelay({ min: 10_000, mean: 5_000 });
    for (let port = 1; port <= 200; port += 1) {
      bench.send('a', 'b', port);
      bench.run(1_000 + port * 100);
    }
    bench.run(second);
    t.deepEqual(bench.got.map((line) => Number(line.split(' ')[2])), Array.from({ length: 200 }, (_, index) => index + 1));
    const times = bench.got.map((line) => Number(line.split(' ')[0]));
    t.true((times[0] ?? 0) >= 11_050);
    t.true((times.at(-1) ?? 0) > 31_050);
  }
});

test('a lowered delay lets no frame overtake', (t) => {
  const bench = build();
  learned(bench);
  bench.link('b').setDelay({ min: 50_000, mean: 0 });
  bench.send('a', 'b', 1);
  bench.link('b').setDelay({ min: 50, mean: 0 });
  bench.send('a', 'b', 2);
  bench.run(second);
  t.deepEqual(bench.got, ['51050 b 1', '51050 b 2']);
});

test('a frame on a slow link teaches the switch when it gets there, not before', (t) => {
  const bench = build();
  bench.link('b').setDelay({ min: 2 * second, mean: 0 }, 'toSwitch');
  bench.send('b', broadcast);
  bench.run(second);
  t.is(bench.segment.learning.portOf(macs.b), undefined);
  bench.run(3 * second);
  t.not(bench.segment.learning.portOf(macs.b), undefined);
});

test('a slow link of one machine does not slow frames of others', (t) => {
  const bench = build();
  learned(bench);
  bench.link('a').setDelay({ min: second, mean: 0 }, 'toSwitch');
  bench.send('a', 'b', 1);
  bench.send('c', 'b', 2);
  bench.run(2 * second);
  t.deepEqual(bench.got, ['1100 b 2', '1001050 b 1']);
});

test('sim 8: link.reorder lets frames overtake, within its window', (t) => {
  const bench = build();
  learned(bench);
  bench.link('b').setRatio('reorderPpm', 300_000, 'fromSwitch');
  for (let port = 1; port <= 200; port += 1) {
    bench.send('a', 'b', port);
    bench.run(1_000 + port * 100);
  }
  bench.run(second);
  const ports = bench.got.map((line) => Number(line.split(' ')[2]));
  t.is(ports.length, 200);
  t.notDeepEqual(ports, ports.toSorted((left, right) => left - right));
  t.true(bench.got.every((line) => {
    const [time = 0, , port = 0] = line.split(' ').map(Number);
    return time - (1_000 + (port - 1) * 100) <= 100 + 10_000;
  }));
});

test('sim 8: link.corrupt turns one bit, which the checksums notice', (t) => {
  const bench = build();
  learned(bench);
  const broken: (Frame | undefined)[] = [];
  bench.nics.b.promiscuous = true;
  bench.nics.b.onFrame = (one) => broken.push(one);
  bench.link('b').setRatio('corruptPpm', 1_000_000, 'fromSwitch');
  const sent = frame({ from: macs.a, to: macs.b, port: 7, size: 100 });
  bench.nics.a.send(sent);
  bench.run(2_000);
  const bits = [...(broken[0]?.bytes ?? [])].map((byte, index) => byte ^ (sent.bytes[index] ?? 0)).filter((bit) => bit > 0);
  t.is(bits.length, 1);
  t.true(Number.isInteger(Math.log2(bits[0] ?? 0)));
});

test('sim 8: link.mtu swallows larger packets', (t) => {
  const bench = build();
  learned(bench);
  bench.link('b').setMtu(1_000, 'fromSwitch');
  bench.send('a', 'b', 1, 972);
  bench.send('a', 'b', 2, 973);
  bench.run(2_000);
  t.deepEqual(bench.got, ['1100 b 1']);
  t.deepEqual(bench.drops.map(({ why }) => why), ['mtu']);
});

test('sim 5.3: a full queue of 1,000 drops at the tail', (t) => {
  const bench = build();
  learned(bench);
  for (let port = 1; port <= 1_100; port += 1) bench.send('a', 'b', port);
  bench.run(2_000);
  t.is(bench.got.length, 1_000);
  t.is(bench.got.at(-1), '1100 b 1000');
  t.is(bench.drops.filter(({ why }) => why === 'queue-full').length, 100);
});

const clogs = test.macro({
  exec: (t, direction: Direction) => {
    const bench = build();
    learned(bench);
    bench.link('b').setClogged(true, direction);
    for (let port = 1; port <= 5; port += 1) {
      bench.send(direction === 'toSwitch' ? 'b' : 'a', direction === 'toSwitch' ? 'a' : 'b', port);
    }
    bench.run(second);
    t.deepEqual(bench.got, []);
    bench.link('b').setClogged(false, direction);
    bench.run(2 * second);
    t.deepEqual(bench.got.map((line) => line.split(' ')[2]), ['1', '2', '3', '4', '5']);
    t.is(bench.link('b').toSwitch.queued + bench.link('b').fromSwitch.queued, 0);
  },
  title: (_, direction) => `sim 8: link.clog ${direction} holds frames and lets them go in order`,
});
test(clogs, 'toSwitch');
test(clogs, 'fromSwitch');

test('a clogged direction holds a thousand frames and no more', (t) => {
  const bench = build();
  learned(bench);
  bench.link('b').setClogged(true, 'toSwitch');
  for (let port = 1; port <= 1_200; port += 1) bench.send('b', 'a', port);
  bench.link('b').setClogged(false);
  bench.run(second);
  t.is(bench.got.length, 1_000);
});

// Partitions.

test('sim 8: a symmetric partition cuts both ways and heals', (t) => {
  const bench = build();
  learned(bench);
  const heals = splitGroups([['a'], ['b', 'c']]).map((cut) => bench.segment.cut(cut));
  bench.send('a', 'b', 1);
  bench.send('b', 'a', 2);
  bench.send('b', 'c', 3);
  bench.send('c', broadcast, 4);
  bench.run(2_000);
  t.deepEqual(bench.got, ['1100 c 3', '1100 b 4']);
  t.deepEqual(bench.drops.map(({ why }) => why), ['partition', 'partition', 'partition']);
  for (const heal of heals) heal();
  bench.send('a', 'b', 5);
  bench.run(3_000);
  t.is(bench.got.at(-1), '2100 b 5');
});

test('sim 8: a one-way partition cuts one way', (t) => {
  const bench = build();
  learned(bench);
  bench.segment.cut(new Cut({ from: ['a'], to: ['b'], symmetric: false }));
  bench.send('a', 'b', 1);
  bench.send('b', 'a', 2);
  bench.run(2_000);
  t.deepEqual(bench.got, ['1100 a 2']);
});

test('a frame under way when the partition comes is lost', (t) => {
  const bench = build();
  learned(bench);
  bench.send('a', 'b', 1);
  bench.segment.cut(new Cut({ from: ['a'], to: ['b'], symmetric: true }));
  bench.run(2_000);
  t.deepEqual(bench.got, []);
});

const forms = test.macro({
  exec: (t, form: CutForm, expected: string[]) => {
    const bench = build();
    learned(bench);
    const heal = bench.segment.cut(new Cut({ from: ['a'], to: ['b'], symmetric: true, form }));
    bench.send('a', 'b', 1);
    bench.send('a', 'b', 2);
    bench.run(second);
    heal();
    bench.run(2 * second);
    t.deepEqual(bench.got, expected);
  },
  title: (_, form) => `sim 8: net.partition in form ${(form as CutForm).kind}`,
});
test(forms, { kind: 'drop' }, []);
test(forms, { kind: 'slow', delay: 300_000 }, ['301100 b 1', '301100 b 2']);
test(forms, { kind: 'queue' }, ['1000000 b 1', '1000000 b 2']);

const isolates = test.macro({
  exec: (t, isolated: { in: boolean; out: boolean }, expected: string[]) => {
    const bench = build();
    learned(bench);
    bench.nics.b.isolated = isolated;
    bench.send('a', 'b', 1);
    bench.send('b', 'a', 2);
    bench.run(2_000);
    t.deepEqual(bench.got.map((line) => line.slice(-3)), expected);
    t.true(bench.drops.every(({ why }) => why === 'isolated'));
  },
  title: (_, isolated) => `sim 8: net.isolate ${JSON.stringify(isolated)}`,
});
test(isolates, { in: true, out: false }, ['a 2']);
test(isolates, { in: false, out: true }, ['b 1']);
test(isolates, { in: true, out: true }, []);

test('sim 8: a switch that reboots takes every carrier and forgets its table', (t) => {
  const bench = build();
  learned(bench);
  bench.segment.reboot(30 * second);
  t.false(bench.nics.a.carrier);
  t.false(bench.send('a', 'b'));
  bench.run(31 * second);
  t.true(bench.nics.a.carrier);
  t.is(bench.segment.learning.portOf(macs.a), undefined);
});

test('sim 8: a rogue announces an address and answers for it', (t) => {
  const bench = build();
  const heard: string[] = [];
  bench.nics.a.onFrame = (one) => heard.push(`${bench.world.now} ${one.arp?.opcode} ${one.arp?.senderMac}`);
  const vip = ip('10.0.0.200');
  const rogue = new Rogue({ name: 'rogue', segment: bench.segment, address: vip, mac: '02:00:00:00:00:66', announceEvery: 0 });
  bench.run(1_000);
  bench.nics.a.send(arp('a', ip('10.0.0.1'), vip));
  bench.run(2_000);
  t.deepEqual(heard, ['100 1 02:00:00:00:00:66', '1200 2 02:00:00:00:00:66']);
  rogue.stop();
  bench.nics.a.send(arp('a', ip('10.0.0.1'), vip));
  bench.run(3_000);
  t.is(heard.length, 2);
});
