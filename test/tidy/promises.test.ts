import { createHook } from 'node:async_hooks';
import { join } from 'node:path';
import test from 'ava';
import { readScenario } from '../../cli/scenariofile.ts';
import { runScenario } from '../../sim/scenario/run.ts';
import { World } from '../../sim/world.ts';
import { root } from './sources.ts';

/** How many promises came into being inside `body`, whoever made them (simulator.md 3.2). */
function promisesIn(body: () => void): number {
  let count = 0;
  const hook = createHook({
    init: (_, type) => {
      if (type === 'PROMISE') count += 1;
    },
  });
  hook.enable();
  try {
    body();
  } finally {
    hook.disable();
  }
  return count;
}

test('an async function inside a world makes a promise that is noticed', (t) => {
  const world = new World({ seed: 1n });
  const leak = async (): Promise<number> => 1;
  world.schedule(5, { kind: 'planted', entity: 'test' }, () => void leak());
  t.is(promisesIn(() => world.run(10)), 1);
});

test('a whole cluster runs through a failure without one promise', async (t) => {
  const console = {
    out: () => undefined,
    err: () => undefined,
    outTty: false,
    env: {},
    input: () => Promise.resolve(''),
  };
  const file = join(root, 'test/scenario/01-node-power-loss.yaml');
  const { scenario, objects, files } = await readScenario(console, file);
  t.is(promisesIn(() => void runScenario({ scenario, objects, files, seed: 0n })), 0);
});
