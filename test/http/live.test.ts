import test from 'ava';
import { LiveWorld } from '../../sim/live/live.ts';
import { World } from '../../sim/world.ts';

const second = 1_000_000;

/** A world with an event each 100 ms, whose times are told. */
function ticking() {
  const world = new World({ seed: 1n });
  const ticks: number[] = [];
  const tick = (): void => {
    ticks.push(world.now / second);
    world.schedule(100_000, { kind: 'tick', entity: 'test' }, tick);
  };
  world.schedule(100_000, { kind: 'tick', entity: 'test' }, tick);
  const live = new LiveWorld(world, 0);
  return { world, live, ticks };
}

function advanceAll(live: LiveWorld, hostNow: number): void {
  while (live.advance(hostNow));
}

const paces = test.macro({
  exec: (t, virtual: number, host: number, count: number) => {
    const { live, ticks } = ticking();
    live.setRate(0, { virtual, host });
    advanceAll(live, second);
    t.is(ticks.length, count);
    const due = live.dueIn(second) ?? 0;
    advanceAll(live, second + due);
    t.is(ticks.length, count + 1);
    t.is(live.advance(second + due), false);
  },
  title: (_, virtual, host, count) => `a second at ${virtual}/${host} brings ${count} events`,
});

test(paces, 1, 1, 10);
test(paces, 10, 1, 100);
test(paces, 1, 2, 5);
test(paces, 1, 3, 3);

test('time stands still while paused, and goes on from there', (t) => {
  const { world, live, ticks } = ticking();
  advanceAll(live, second);
  live.pause(second + 50_000);
  const at = world.now;
  advanceAll(live, 60 * second);
  t.deepEqual([world.now, ticks.length, live.dueIn(60 * second)], [at, 10, undefined]);
  live.resume(60 * second);
  advanceAll(live, 61 * second);
  t.is(ticks.length, 20);
});

test('what enters is an event of its arrival, before all others of that instant', (t) => {
  const { world, live, ticks } = ticking();
  const seen: [number, number][] = [];
  const enter = (hostNow: number): void => {
    live.enter(hostNow, { kind: 'deed', entity: 'test' }, () => {
      seen.push([world.now, ticks.length]);
    });
  };
  enter(100_000); // exactly when a tick is due
  enter(100_000);
  live.pause(150_000);
  enter(9 * second);
  enter(9 * second);
  t.deepEqual(seen, [[100_000, 0], [100_001, 1], [150_000, 1], [150_000, 1]]);
});

test('a world that cannot keep up lets its time go slower instead of running after it', (t) => {
  const { world, live } = ticking();
  t.true(live.advance(60 * second));
  advanceAll(live, 60 * second);
  t.true(world.now < second);
});

test('a hurry ends at its goal, by time or by success, and is broken off by a pause', (t) => {
  const { world, live, ticks } = ticking();
  const ends: boolean[] = [];
  const done = (reached: boolean): void => { ends.push(reached); };
  live.hurry({ until: 5 * second, done });
  t.is(live.dueIn(0), 0);
  advanceAll(live, 0);
  t.deepEqual([world.now, ends], [5 * second, [false]]);
  live.hurry({ until: 60 * second, reached: () => ticks.length >= 80, done });
  advanceAll(live, 0);
  t.deepEqual([world.now < 9 * second, ends], [true, [false, true]]);
  live.hurry({ until: 60 * second, done });
  live.pause(0);
  t.deepEqual(ends, [false, true, false]);
  t.true(live.frozen);
});

test('a step of a paused world leaves it paused', (t) => {
  const { live, ticks } = ticking();
  live.pause(0);
  live.hurry({ until: 2 * second, done: () => undefined });
  t.false(live.frozen);
  advanceAll(live, 0);
  t.true(live.frozen);
  // Of the last instant itself nothing has run yet.
  t.is(ticks.length, 19);
});
