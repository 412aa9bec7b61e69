import test from 'ava';
import fc from 'fast-check';
import { murmur128, Prng } from '../../sim/prng.ts';
import { MachineClock, Process, processClock } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';

const what = { kind: 'k', entity: 'e' };

test('the digest that seeds a stream is MurmurHash3 x86 128', (t) => {
  const words = murmur128(new TextEncoder().encode('The quick brown fox jumps over the lazy dog'));
  t.is(words.map((word) => word.toString(16)).join(''), '2f1583c3ecee2c675d7bf66ce5e91d2c');
});

test('a new draw in one stream leaves every other unchanged', (t) => {
  const alone = new Prng(7n, 'net/a').below(1000);
  const world = new World({ seed: 7n });
  for (let draw = 0; draw < 10; draw += 1) world.stream('net/b').next();
  t.is(world.stream('net/a').below(1000), alone);
});

test('draws stay below their bound and a shuffle keeps every item', (t) => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.integer({ min: 1, max: 2 ** 32 }),
      (seed, bound) => {
        const prng = new Prng(seed, 's');
        const drawn = prng.below(bound);
        return (
          drawn >= 0 &&
          drawn < bound &&
          prng
            .shuffle([1, 2, 3, 4])
            .toSorted((a, b) => a - b)
            .join('') === '1234'
        );
      },
    ),
    { seed: 1 },
  );
  t.pass();
});

test('an exponential draw has the mean that it was asked for', (t) => {
  const prng = new Prng(1n, 'e');
  let sum = 0;
  for (let draw = 0; draw < 100_000; draw += 1) sum += prng.exponential(10_000);
  t.true(Math.abs(sum / 100_000 - 10_000) < 100, String(sum / 100_000));
});

test('of one instant, faults come first, then events as they came, then those who look', (t) => {
  const world = new World({ seed: 1n });
  const seen: string[] = [];
  world.schedule(5, what, () => seen.push('look'), { band: 2 });
  world.schedule(5, what, () => seen.push('first'));
  world.schedule(5, what, () => seen.push('second'));
  world.schedule(5, what, () => seen.push('fault'), { band: 0 });
  world.run(10);
  t.deepEqual(seen, ['fault', 'first', 'second', 'look']);
  t.is(world.now, 10);
});

test('in uniform order seeds differ in order, and a channel never overtakes itself', (t) => {
  const orders = new Set<string>();
  for (let seed = 0n; seed < 20n; seed += 1n) {
    const world = new World({ seed, order: 'uniform' });
    const seen: string[] = [];
    for (const name of ['a1', 'b', 'a2', 'c', 'a3']) {
      const options = name.startsWith('a') ? { channel: 'a' } : {};
      world.schedule(1, what, () => seen.push(name), options);
    }
    world.run(1);
    orders.add(seen.join());
    t.is(seen.filter((name) => name.startsWith('a')).join(), 'a1,a2,a3');
  }
  t.true(orders.size > 3);
});

test('a cancelled event does not run, and cancelling twice is harmless', (t) => {
  const world = new World({ seed: 1n });
  const timer = world.schedule(1, what, () => t.fail());
  timer.cancel();
  timer.cancel();
  world.run(5);
  t.pass();
});

test('equal runs have equal hashes and unseeds, another seed has others', (t) => {
  const run = (seed: bigint): string => {
    const world = new World({ seed });
    const tick = (left: number): void => {
      if (left > 0) world.schedule(world.stream('s').below(100), what, () => tick(left - 1));
    };
    tick(3000);
    world.run(1_000_000);
    return `${world.trace.hash} ${world.trace.blocks.length} ${world.unseed()}`;
  };
  t.is(run(1n), run(1n));
  t.not(run(1n), run(2n));
});

function processIn(world: World): Process {
  return new Process(world, 'p', new MachineClock(world));
}

test('a dead process hears nothing, a paused one hears it late and in order', (t) => {
  const world = new World({ seed: 1n });
  const process = processIn(world);
  const heard: string[] = [];
  process.later(1, 'm', () => heard.push('one'));
  process.later(2, 'm', () => heard.push('two'));
  process.pause();
  world.run(10);
  t.deepEqual(heard, []);
  process.resume();
  t.deepEqual(heard, ['one', 'two']);
  process.later(1, 'm', () => heard.push('never'));
  process.crash();
  world.run(20);
  t.deepEqual(heard, ['one', 'two']);
});

test('a crash can strike between two port operations of one handler', (t) => {
  const world = new World({ seed: 1n });
  const process = processIn(world);
  const done: number[] = [];
  process.crashAt(1);
  process.enter(() => {
    for (const step of [0, 1, 2]) {
      process.operation();
      done.push(step);
    }
  });
  t.deepEqual(done, [0]);
  t.false(process.alive);
  t.is(process.fault, undefined, 'a planned crash is no bug');
});

test('a bug ends the process and is kept for the oracle', (t) => {
  const process = processIn(new World({ seed: 1n }));
  process.enter(() => {
    throw new TypeError('boom');
  });
  t.false(process.alive);
  t.true(process.fault instanceof TypeError);
});

test('a timer is never early by its own clock, whatever the rate does meanwhile', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(2_000_000), ppm: fc.integer({ min: -5000, max: 5000 }) }), {
        maxLength: 5,
      }),
      fc.integer({ min: 1, max: 3_000_000 }),
      (changes, delay) => {
        const world = new World({ seed: 1n });
        const process = processIn(world);
        const clock = processClock(process);
        for (const { at, ppm } of changes)
          world.schedule(at, what, () => process.clock.setRate(ppm), { band: 0 });
        const due = clock.now() + delay;
        let firedAt = -1;
        clock.after(delay, () => {
          firedAt = clock.now();
        });
        world.run(10_000_000);
        // At most the rounding of each change of rate late.
        return firedAt >= due && firedAt <= due + 2 + 0.01 * delay;
      },
    ),
    { seed: 3 },
  );
  t.pass();
});

test('a step of the wall clock moves no timer and no monotonic time', (t) => {
  const world = new World({ seed: 1n });
  const process = processIn(world);
  const clock = processClock(process);
  const [monotonic, wall] = [clock.now(), clock.wall()];
  let fired = false;
  clock.after(100, () => {
    fired = true;
  });
  process.clock.stepWall(3_600_000_000);
  t.is(clock.now(), monotonic);
  t.is(clock.wall(), wall + 3_600_000_000);
  world.run(99);
  t.false(fired);
  world.run(100);
  t.true(fired);
});
