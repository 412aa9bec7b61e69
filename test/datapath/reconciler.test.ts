import test from 'ava';
import fc from 'fast-check';
import { err, ok, type Result } from '../../lb/result.ts';
import { Reconciler, type ReconcileSettings } from '../../lb/reconciler.ts';
import { Process, processClock, MachineClock } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';

/** A target of limited size that can be told to refuse, and that remembers its writes. */
class Shelf {
  rows = new Map<string, number>();
  log: string[] = [];
  limit = Infinity;
  refuse = false;

  update(key: string, value: number): Result<void, string> {
    if (this.refuse) return err('EIO');
    if (!this.rows.has(key) && this.rows.size >= this.limit) return err('ENOSPC');
    this.rows.set(key, value);
    this.log.push(`${key}=${value}`);
    return ok(undefined);
  }

  delete(key: string): Result<void, string> {
    if (this.refuse) return err('EIO');
    this.rows.delete(key);
    this.log.push(`-${key}`);
    return ok(undefined);
  }
}

interface Bench {
  readonly world: World;
  readonly shelf: Shelf;
  readonly reconciler: Reconciler<number, string>;
  readonly recovered: string[];
  readonly run: (ms: number) => void;
}

function bench(settings: Partial<ReconcileSettings<number>> = {}): Bench {
  const world = new World({ seed: 1n });
  const clock = processClock(new Process(world, 'agent', new MachineClock(world)));
  const shelf = new Shelf();
  const recovered: string[] = [];
  const reconciler = new Reconciler<number, string>(clock, shelf, {
    equal: (left, right) => left === right, roundRowsMax: 100, retryDelays: [1_000, 10_000],
    recovered: (key, error) => recovered.push(`${key} after ${error}`), ...settings,
  });
  return {
    world, shelf, reconciler, recovered, run: (ms) => world.run(world.now + ms * 1_000),
  };
}

test('rows are written once, in key order, deletions first', (t) => {
  const { shelf, reconciler } = bench();
  reconciler.adopt('m', 1);
  for (const key of ['c', 'a', 'b']) reconciler.set(key, 1);
  reconciler.prune();
  reconciler.round();
  t.deepEqual(shelf.log, ['-m', 'a=1', 'b=1', 'c=1']);
  reconciler.set('a', 1);
  reconciler.round();
  t.is(shelf.log.length, 4);
  t.true(reconciler.idle);
});

test('nothing that was adopted goes before prune is called', (t) => {
  const { shelf, reconciler } = bench();
  reconciler.adopt('old', 1);
  reconciler.set('new', 1);
  reconciler.round();
  t.deepEqual(shelf.log, ['new=1']);
  t.is(reconciler.prune(), 1);
  reconciler.round();
  t.deepEqual(shelf.log, ['new=1', '-old']);
});

test('an adopted row that is wanted as it is costs no write', (t) => {
  const { shelf, reconciler } = bench();
  reconciler.adopt('a', 1);
  reconciler.adopt('b', 1);
  reconciler.set('a', 1);
  reconciler.set('b', 2);
  t.is(reconciler.prune(), 0);
  reconciler.round();
  t.deepEqual(shelf.log, ['b=2']);
});

test('a full target takes an overwrite at once and a new row when there is room', (t) => {
  const { shelf, reconciler, recovered, run } = bench();
  shelf.limit = 1;
  reconciler.set('a', 1);
  reconciler.set('b', 1);
  reconciler.round();
  const status = reconciler.status('b');
  t.deepEqual(status, { kind: 'failed', error: 'ENOSPC', failures: 1, due: 1_000 });
  t.deepEqual(reconciler.pending(), ['b']);
  reconciler.set('a', 2);
  reconciler.round();
  t.is(shelf.rows.get('a'), 2);
  reconciler.remove('a');
  reconciler.round();
  run(20);
  t.deepEqual([...shelf.rows], [['b', 1]]);
  t.deepEqual(recovered, ['b after ENOSPC']);
  t.true(reconciler.idle);
});

test('a rename in a full target converges in one round, because deletions make room', (t) => {
  const { shelf, reconciler } = bench();
  shelf.limit = 1;
  reconciler.set('z', 1);
  reconciler.round();
  reconciler.set('a', 1);
  reconciler.remove('z');
  reconciler.round();
  t.deepEqual([...shelf.rows], [['a', 1]]);
  t.true(reconciler.idle);
});

test('retries wait by the table, the last delay repeating, and stop with the reconciler', (t) => {
  const { shelf, reconciler, world, run } = bench();
  shelf.refuse = true;
  reconciler.set('a', 1);
  reconciler.round();
  const dues = [];
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const status = reconciler.status('a');
    if (status.kind === 'failed') dues.push(status.due);
    world.run(dues.at(-1)!);
  }
  t.deepEqual(dues, [1_000, 11_000, 21_000, 31_000]);
  reconciler.stop();
  const before = world.pendingEvents;
  run(100);
  t.true(world.pendingEvents <= before);
  t.is(shelf.log.length, 0);
});

test('a wish that returns to what is there cancels its failure', (t) => {
  const { shelf, reconciler } = bench();
  reconciler.adopt('a', 1);
  shelf.refuse = true;
  reconciler.set('a', 2);
  reconciler.round();
  t.false(reconciler.idle);
  reconciler.set('a', 1);
  t.true(reconciler.idle);
});

test('a round writes no more rows than its bound; the rest follows by itself', (t) => {
  const { shelf, reconciler, run } = bench({ roundRowsMax: 2 });
  for (let key = 0; key < 5; key += 1) reconciler.set(`k${key}`, key);
  reconciler.round();
  t.is(shelf.log.length, 2);
  t.true(reconciler.unattempted);
  run(1);
  t.is(shelf.log.length, 5);
});

type Step =
  | { readonly kind: 'set'; readonly key: string; readonly value: number }
  | { readonly kind: 'remove'; readonly key: string }
  | { readonly kind: 'refuse'; readonly refuse: boolean }
  | { readonly kind: 'limit'; readonly limit: number }
  | { readonly kind: 'round' }
  | { readonly kind: 'wait'; readonly ms: number };

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key, value: fc.nat(3) }),
  fc.record({ kind: fc.constant('remove' as const), key }),
  fc.record({ kind: fc.constant('refuse' as const), refuse: fc.boolean() }),
  fc.record({ kind: fc.constant('limit' as const), limit: fc.nat(5) }),
  fc.constant({ kind: 'round' as const }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(30) }),
);

test('whatever happened, the target equals the wishes once it accepts again, and then rests', (t) => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.array(key), (steps, adopted) => {
    const { shelf, reconciler, world, run } = bench({ roundRowsMax: 2 });
    const wanted = new Map<string, number>();
    for (const present of adopted) {
      shelf.rows.set(present, 9);
      reconciler.adopt(present, 9);
    }
    for (const taken of steps) {
      if (taken.kind === 'set') {
        wanted.set(taken.key, taken.value);
        reconciler.set(taken.key, taken.value);
      } else if (taken.kind === 'remove') {
        wanted.delete(taken.key);
        reconciler.remove(taken.key);
      } else if (taken.kind === 'refuse') shelf.refuse = taken.refuse;
      else if (taken.kind === 'limit') shelf.limit = taken.limit;
      else if (taken.kind === 'round') reconciler.round();
      else run(taken.ms);
    }
    shelf.refuse = false;
    shelf.limit = Infinity;
    reconciler.prune();
    reconciler.round();
    run(1_000);
    t.deepEqual(Object.fromEntries(shelf.rows), Object.fromEntries(wanted));
    t.true(reconciler.idle);
    t.is(world.pendingEvents, 0);
    const writes = shelf.log.length;
    reconciler.round();
    t.is(shelf.log.length, writes);
  }), { seed: 3, numRuns: 400 });
});
