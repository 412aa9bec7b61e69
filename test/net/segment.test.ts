import test from 'ava';
import { ip } from '../../lb/ip.ts';
import { Frame } from '../../sim/net/frame.ts';
import { joinSegments } from '../../sim/net/uplink.ts';
import { Rogue } from '../../sim/net/rogue.ts';
import {
  second, broadcast, macs, build, type Bench, frame, arp, learned, buildBeside,
} from './wire.ts';

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
  for (
    const down of [
      (bench: Bench) => bench.link('b').setUp(false),
      (bench: Bench) => bench.nics.b.setAdminUp(false),
    ]
  ) {
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
  t.deepEqual(
    bench.drops.map(({ why, detail, place }) => [why, detail, place]),
    [['unknown-mac', '02:00:00:00:00:99', 'switch lan']],
  );
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
  const toGroup = (): Frame =>
    Frame.ofNdp({ kind: 'solicitation', ethSource: macs.a, ethTarget: '33:33:ff:00:02:00',
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
  bench.nics.a.onFrame = (one) => heard.push(
    `${bench.world.now} ${one.arp?.opcode} ${one.arp?.senderMac}`
  );
  const vip = ip('10.0.0.200');
  const rogue = new Rogue({ name: 'rogue', segment: bench.segment, address: vip,
    mac: '02:00:00:00:00:66', announceEvery: 0 });
  bench.run(1_000);
  bench.nics.a.send(arp('a', ip('10.0.0.1'), vip));
  bench.run(2_000);
  t.deepEqual(heard, ['100 1 02:00:00:00:00:66', '1200 2 02:00:00:00:00:66']);
  rogue.stop();
  bench.nics.a.send(arp('a', ip('10.0.0.1'), vip));
  bench.run(3_000);
  t.is(heard.length, 2);
});

// Several switches.

test('sim 5.3: two switches joined by an uplink are one broadcast domain, and learn over it', (t) => {
  for (const multicastSnooping of [false, true]) {
    const near = build({ multicastSnooping });
    const far = buildBeside(near, { multicastSnooping });
    const uplink = joinSegments({
      name: 'uplink', left: near.segment, right: far.segment,
      macs: ['02:00:00:00:00:f1', '02:00:00:00:00:f2'],
    });
    far.nic.send(frame({ from: far.nic.mac, to: broadcast, port: 1, size: 1 }));
    near.run(second);
    t.deepEqual(near.got, ['200 a 1', '200 b 1', '200 c 1']);
    t.is(near.segment.learning.portOf(far.nic.mac), uplink.left);
    near.send('a', far.nic.mac, 7);
    near.run(2 * second);
    t.deepEqual(far.got, ['1000200 7']);
    uplink.left.link.setUp(false);
    t.true(far.nic.carrier);
    near.send('a', far.nic.mac, 8);
    near.run(3 * second);
    t.is(far.got.length, 1);
    t.is(near.drops.at(-1)?.why, 'link-down');
  }
});

test('sim 5.3: a group that is reported behind an uplink is delivered over it', (t) => {
  const near = build({ multicastSnooping: true });
  const far = buildBeside(near, { multicastSnooping: true });
  joinSegments({
    name: 'uplink', left: near.segment, right: far.segment,
    macs: ['02:00:00:00:00:f1', '02:00:00:00:00:f2'],
  });
  far.nic.join(ip('ff02::1:ff00:200'));
  near.run(3 * second);
  near.send('a', '33:33:ff:00:02:00', 9);
  near.run(4 * second);
  t.deepEqual(far.got, ['3000200 9']);
});
