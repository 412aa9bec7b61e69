import test from 'ava';
import { runCrash } from './crash.ts';
import { loadMutant, mutants } from './mutants.ts';
import { runModel } from './model.ts';

// A soak says how many seeds it wants; without it the tests stay within seconds.
const soak = Number(process.env['SOAK_SEEDS'] ?? 0);
const seeds = Math.max(20, soak);
const crashes = Math.max(200, soak);
/** A mutant must be found within so many (l2.md 5.7); the search begins where it once ended. */
const mutantSeeds = 1000;

test(`l2 5.7: no two nodes answer for one address in ${seeds} random runs`, (t) => {
  t.timeout(600_000 + seeds * 1000);
  let announced = 0;
  let failovers = 0;
  for (let seed = 0; seed < seeds; seed += 1) {
    const result = runModel(seed);
    t.deepEqual(result.violations, [], `seed ${seed}`);
    announced += result.announced;
    failovers += result.failovers;
  }
  // A model in which nothing happens proves nothing.
  t.true(
    announced > seeds * 10 && failovers > seeds * 3, `${announced} takes, ${failovers} fail-overs`,
  );
});

test(`l2 35, 7: after ${crashes} crashes at random one other node answers, and in time`, (t) => {
  t.timeout(600_000 + crashes * 1000);
  const worst = { usual: 0, fast: 0 };
  for (let seed = 0; seed < crashes; seed += 1) {
    const { violations, took, fast } = runCrash(seed);
    t.deepEqual(violations, [], `seed ${seed}`);
    const [earliest, latest] = fast ? [800_000, 1_300_000] : [4_000_000, 6_300_000];
    t.true(took >= earliest && took <= latest, `seed ${seed}: ${took} µs`);
    worst[fast ? 'fast' : 'usual'] = Math.max(worst[fast ? 'fast' : 'usual'], took);
  }
  t.log(`at most ${worst.usual} µs by default, ${worst.fast} µs with 1 s / 200 ms`);
});

test('l2 5.7: one seed gives one run', (t) => {
  t.deepEqual(runModel(7), runModel(7));
});

for (const mutant of mutants) {
  test(`l2 5.7: the model finds the mutant in which ${mutant.name}`, async (t) => {
    t.timeout(600_000);
    const { factory, remove } = await loadMutant(mutant);
    t.teardown(remove);
    let found: number | undefined;
    for (let index = 0; index < mutantSeeds && found === undefined; index += 1) {
      const seed = (mutant.seed + index) % mutantSeeds;
      if (runModel(seed, factory).violations.length > 0) found = seed;
    }
    t.not(found, undefined);
    t.log(`found by seed ${found}`);
  });
}
