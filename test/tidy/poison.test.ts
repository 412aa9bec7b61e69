import test from 'ava';
import { NondeterminismError, withPoisonedGlobals } from '../../sim/poison.ts';
import { World } from '../../sim/world.ts';

const planted = test.macro({
  exec: (t, _: string, leak: () => unknown) => {
    t.throws(() => withPoisonedGlobals(leak), { instanceOf: NondeterminismError });
    t.notThrows(leak, 'and the global is back afterwards');
  },
  title: (_, name) => `${name} throws while a world runs and works again afterwards`,
});

test(planted, 'Date.now', () => Date.now());
test(planted, 'new Date', () => new Date());
test(planted, 'Math.random', () => Math.random());
test(planted, 'Math.pow', () => Math.pow(2, 0.5));
test(planted, 'performance.now', () => performance.now());
test(planted, 'process.env', () => process.env);
test(planted, 'Promise.resolve', () => Promise.resolve());
test(planted, 'structuredClone', () => structuredClone({}));
test(planted, 'Intl', () => new Intl.NumberFormat('en').format(1));

test('World.run poisons what its events call, and nothing after it', (t) => {
  const world = new World({ seed: 1n });
  world.schedule(5, { kind: 'planted', entity: 'test' }, () => Date.now());
  t.throws(() => world.run(10), { instanceOf: NondeterminismError, message: /^Date / });
  t.true(Date.now() > 0);
});

test('a leak inside a nested run is still a leak after the nested run', (t) => {
  const leak = (): void => {
    withPoisonedGlobals(() => 0);
    Math.random();
  };
  t.throws(() => withPoisonedGlobals(leak), { instanceOf: NondeterminismError });
  t.notThrows(() => Math.random());
});
