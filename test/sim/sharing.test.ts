import test from 'ava';
import { join } from 'node:path';
import { readScenario } from '../../cli/scenariofile.ts';
import { runScenario } from '../../sim/scenario/run.ts';

const io = {
  out: () => undefined, err: () => undefined, outTty: false, env: {},
  input: () => Promise.resolve(''),
};

const agrees = test.macro({
  async exec(t, file: string, seed: bigint) {
    const scenario = await readScenario(io, join(import.meta.dirname, '../scenario', file));
    const hashes = [true, false].map((sharing) => {
      const { cluster } = runScenario({ ...scenario, seed, sharing });
      return `${cluster.world.trace.hash} ${cluster.world.unseed()}`;
    });
    t.is(hashes[0], hashes[1]);
  },
  title: (_, file, seed) => `${file}, seed ${seed}, is the same event by event without sharing`,
});

test(agrees, '01-node-power-loss.yaml', 1n);
