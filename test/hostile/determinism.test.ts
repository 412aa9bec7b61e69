import test from 'ava';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { World } from '../../sim/world.ts';
import { outcomes } from './allocation.ts';
import type { Patch } from './patched.ts';

/** Few in every test run, many in the soak. */
const seeds = Number(process.env['FAIRLEAD_SEEDS'] ?? '5');

test(`for ${seeds} seeds both orders of events give every Service the same addresses`, (t) => {
  const [first, ...others] = [...new Set(outcomes(seeds))];
  t.deepEqual(others, []);
  // Eight asked for five addresses in one instant: age is equal, so the name decides.
  t.is(first?.match(/192\.168\.10\.10[0-4]/gu)?.length, 5);
  t.regex(first ?? '', /e \[\{"ip":"192\.168\.10\.104".*\nf \[\]/u);
});

/** One run of a small world whose process carries something over that no world owns. */
function hashOf(leak: () => number): string {
  const world = new World({ seed: 1n });
  world.schedule(leak(), { kind: 'leak', entity: 'process' }, () => undefined);
  world.run(1_000_000);
  return world.trace.hash;
}

test('a counter that outlives its world gives the second run another hash', (t) => {
  let counter = 0;
  t.not(hashOf(() => (counter += 1)), hashOf(() => (counter += 1)));
  t.is(hashOf(() => 1), hashOf(() => 1));
});

test('a collection that outlives its world gives the second run another hash', (t) => {
  const history = new Set<number>();
  const leak = (): number => {
    history.add(history.size + 7);
    let sum = 0;
    for (const one of history) sum = sum * 31 + one;
    return sum;
  };
  t.not(hashOf(leak), hashOf(leak));
});

interface Told {
  readonly outcomes: readonly string[];
  readonly repeats: boolean;
}

/** What eight runs of the cluster come to when they load other sources. */
function mutant(patches: readonly Patch[]): Told {
  const told = execFileSync(process.execPath, [
    '--import', join(import.meta.dirname, 'patched.ts'),
    join(import.meta.dirname, 'allocation.ts'),
  ], { env: { ...process.env, FAIRLEAD_PATCHES: JSON.stringify(patches) } });
  return JSON.parse(told.toString()) as Told;
}

test('the sources as they are come to one outcome and repeat themselves', (t) => {
  const told = mutant([]);
  t.is(told.outcomes.length, 1);
  t.notRegex(told.outcomes[0] ?? '', /ended/u);
  t.true(told.repeats);
});

const poisoned = test.macro({
  exec(t, file: string, from: string) {
    const told = mutant([{ file, from, to: `${from}\n    Date.now();` }]);
    t.regex(told.outcomes.join('\n'), /ended: Date /u);
  },
  title: (_, file) => `Date.now planted in ${file} ends the process that reads it`,
});
test(poisoned, 'lb/table.ts', 'upsert(key: string, value: V): void {');
test(poisoned, 'l2/ownership.ts', '#look(): void {');
test(poisoned, 'kube/reflector.ts', '#list(): void {');
test(poisoned, 'lb/heap.ts', 'add(item: T): void {');

test('a plan that follows the order of a Set instead of age gives other addresses', (t) => {
  const file = 'lb/heap.ts';
  const told = mutant([
    { file, from: '[...this.#members].sort(this.#compare)', to: '[...this.#members]' },
    { file, from: 'const [first] = this.#heap;', to: 'const [first] = this.#members;' },
  ]);
  t.true(told.outcomes.length > 1, told.outcomes.join('\n\n'));
  t.true(told.repeats, 'the order of a Set is no chance, so only other orders of events find it');
});

test('a module-level counter in the core makes the second run another one', (t) => {
  const file = 'kube/leader.ts';
  const told = mutant([
    { file, from: 'interface Sighting', to: 'let leak = 0;\ninterface Sighting' },
    { file, from: 'retry + jitter,', to: 'retry + jitter + (leak += 1),' },
  ]);
  t.false(told.repeats);
});
