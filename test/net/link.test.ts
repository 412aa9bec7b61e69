import test from 'ava';
import { ip } from '../../lb/ip.ts';
import { Cut, splitGroups, type CutForm } from '../../sim/net/cut.ts';
import type { Frame } from '../../sim/net/frame.ts';
import type { Direction } from '../../sim/net/link.ts';
import {
  second, broadcast, macs, build, frame, learned, arp,
} from './wire.ts';

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
  const to = (name: string): number =>
    bench.got.filter((line) => line.includes(` ${name} `)).length;
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
    t.deepEqual(
      bench.got.map((line) => Number(line.split(' ')[2])),
      Array.from({ length: 200 }, (_, index) => index + 1),
    );
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
  const bits = [...(broken[0]?.bytes ?? [])].map((byte, index) =>
    byte ^ (sent.bytes[index] ?? 0)).filter((bit) => bit > 0);
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

test('a corrupted ARP frame is lost, for nobody could tell that it is wrong', (t) => {
  const bench = build();
  learned(bench);
  bench.link('b').setRatio('corruptPpm', 1_000_000, 'fromSwitch');
  bench.nics.a.send(arp('a', ip('10.0.0.1'), ip('10.0.0.2')));
  bench.run(2_000);
  t.deepEqual(bench.got, ['1100 c 2054']);
  t.deepEqual(bench.drops.map(({ why }) => why), ['bad-checksum']);
});

test('in order uniform a broadcast is never overtaken by a unicast of the same sender', (t) => {
  for (let seed = 0; seed < 20; seed += 1) {
    const bench = build({}, 'uniform');
    learned(bench);
    for (let draw = 0; draw < seed; draw += 1) bench.world.stream('order').next();
    for (let port = 1; port <= 6; port += 1) bench.send(
      'a', port % 2 === 0 ? 'c' : broadcast, port,
    );
    bench.run(2_000);
    const heard = bench.got.filter((line) => line.includes(' c '));
    t.deepEqual(heard.map((line) => line.split(' ')[2]), ['1', '2', '3', '4', '5', '6']);
  }
});

for (const direction of ['toSwitch', 'fromSwitch'] as const) {
  test(`what a clog ${direction} holds is lost with the link`, (t) => {
    const bench = build();
    learned(bench);
    bench.link('b').setClogged(true, direction);
    const [from, to] = direction === 'toSwitch' ? ['b', 'a'] as const : ['a', 'b'] as const;
    bench.send(from, to);
    bench.run(2_000);
    bench.link('b').setUp(false, direction);
    bench.link('b').setClogged(false);
    bench.run(3_000);
    t.deepEqual(bench.got, []);
    t.deepEqual(bench.drops.map(({ why }) => why), ['link-down']);
  });
}
