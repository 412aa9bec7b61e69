import test from 'ava';
import { responderMap } from '../../l2/responder-map.ts';
import { SimKernel } from '../../sim/node/kernel.ts';
import { MachineClock, Process } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';

const padded = (text: string, length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(text));
  return bytes;
};
const keyOf = (text: string): Uint8Array => padded(text, 20);
const valueOf = (text: string): Uint8Array => padded(text, 16);
const entry = (key: string, value: string) => ({ key: keyOf(key), value: valueOf(value) });
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString().replaceAll('\0', '');
const kernel = (seed = 1n): SimKernel => new SimKernel(new World({ seed }), 'node-1');

test('a map keeps copies of what it was given, and gives copies', (t) => {
  const of = kernel();
  const value = valueOf('v');
  of.update(responderMap, { key: keyOf('k'), value }, 'any');
  value[0] = 0;
  const read = of.lookup(responderMap, keyOf('k'))!;
  t.is(textOf(read), 'v');
  read[0] = 0;
  t.is(textOf(of.lookup(responderMap, keyOf('k'))!), 'v');
});

const flags = test.macro({
  exec: (t, present: boolean, flag: 'any' | 'noexist' | 'exist', outcome: string) => {
    const of = kernel();
    if (present) of.update(responderMap, entry('k', 'old'), 'any');
    const result = of.update(responderMap, entry('k', 'new'), flag);
    t.is(result.ok ? 'ok' : result.error.kind, outcome);
  },
  title: (_, present, flag, outcome) =>
    `update with ${flag} of ${present ? 'a present' : 'an absent'} key: ${outcome}`,
});
test(flags, false, 'any', 'ok');
test(flags, true, 'any', 'ok');
test(flags, false, 'noexist', 'ok');
test(flags, true, 'noexist', 'EEXIST');
test(flags, false, 'exist', 'ENOENT');
test(flags, true, 'exist', 'ok');

test('deleting an absent key succeeds; an unknown map and a wrong key size do not', (t) => {
  const of = kernel();
  t.true(of.remove(responderMap, keyOf('none')).ok);
  t.deepEqual(
    of.update('fl_none', entry('k', 'v'), 'any'), { ok: false, error: { kind: 'ENOENT' } },
  );
  const short = { key: keyOf('k'), value: new Uint8Array(15) };
  t.deepEqual(of.update(responderMap, short, 'any'), { ok: false, error: { kind: 'EINVAL' } });
});

test('a full map refuses a new key but accepts an overwrite', (t) => {
  const of = kernel();
  of.update(responderMap, entry('a', '1'), 'any');
  of.setMapLimit(responderMap, 1);
  const full = { ok: false, error: { kind: 'E2BIG' } } as const;
  t.deepEqual(of.update(responderMap, entry('b', '1'), 'any'), full);
  t.true(of.update(responderMap, entry('a', '2'), 'any').ok);
  of.setMapLimit(responderMap, undefined);
  t.true(of.update(responderMap, entry('b', '1'), 'any').ok);
});

test('a fault refuses the n-th call, or a share of calls, and ends', (t) => {
  const of = kernel();
  of.setFault(responderMap, { nth: 2, errno: 'ENOSPC' });
  const outcomes = ['a', 'b', 'c'].map((key) => of.update(responderMap, entry(key, '1'), 'any').ok);
  t.deepEqual(outcomes, [true, false, true]);
  of.setMapError(responderMap, { ratioPpm: 1_000_000, errno: 'EIO' });
  t.deepEqual(of.remove(responderMap, keyOf('a')), { ok: false, error: { kind: 'EIO' } });
  of.setMapError(responderMap, { ratioPpm: 500_000, errno: 'EIO' });
  const failed = Array.from(
    { length: 200 }, () => of.update(responderMap, entry('a', '1'), 'any').ok,
  ).filter((good) => !good).length;
  t.true(failed > 60 && failed < 140, `${failed}`);
  of.setMapError(responderMap, undefined);
  t.true(of.remove(responderMap, keyOf('a')).ok);
});

test('a dump has every entry in an order that the seed shuffles', (t) => {
  const order = (seed: bigint): string => {
    const of = kernel(seed);
    for (const key of 'abcdefgh') of.update(responderMap, entry(key, key), 'any');
    return of.dump(responderMap).map(({ key }) => textOf(key)).join('');
  };
  t.is(order(1n), order(1n));
  t.not(order(1n), order(2n));
  t.is(order(3n).split('').sort().join(''), 'abcdefgh');
});

test('one process holds a host lock; the next has it when that one ends', (t) => {
  const world = new World({ seed: 1n });
  const of = new SimKernel(world, 'node-1');
  const clock = new MachineClock(world);
  const held: string[] = [];
  const processes = ['first', 'second', 'third'].map((name) => new Process(world, name, clock));
  for (const process of processes) of.portOf(process).hostLock('l2', () => held.push(process.name));
  t.deepEqual(held, []); // never inside the call
  world.run(1);
  t.deepEqual(held, ['first']);
  processes[1]!.crash();
  processes[0]!.crash();
  world.run(2);
  t.deepEqual(held, ['first', 'third']);
});

test('each port call is a place where its process may die, and the maps live on', (t) => {
  const world = new World({ seed: 1n });
  const of = new SimKernel(world, 'node-1');
  const process = new Process(world, 'agent', new MachineClock(world));
  const port = of.portOf(process);
  process.crashAt(1);
  process.enter(() => {
    port.update(responderMap, entry('a', '1'), 'any');
    port.update(responderMap, entry('b', '1'), 'any');
  });
  t.false(process.alive);
  t.is(process.fault, undefined);
  t.deepEqual(of.dump(responderMap).map(({ key }) => textOf(key)), ['a']);
});

test('a reboot empties the maps, frees the locks and changes the boot id', (t) => {
  const of = kernel();
  const before = of.bootId;
  t.regex(before, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u);
  of.update(responderMap, entry('a', '1'), 'any');
  of.reboot();
  t.is(of.dump(responderMap).length, 0);
  t.not(of.bootId, before);
});


test('a batch is written in order up to the first refusal and says how far it came', (t) => {
  const of = kernel();
  of.setFault(responderMap, { nth: 3, errno: 'ENOSPC' });
  const join = (texts: string, make: (text: string) => Uint8Array): Uint8Array =>
    Buffer.concat(texts.split('').map(make));
  const rows = { count: 4, keys: join('abcd', keyOf), values: join('wxyz', valueOf) };
  t.deepEqual(of.updateMany(responderMap, rows, 'any'), { written: 2, error: { kind: 'ENOSPC' } });
  const values = of.lookupMany(responderMap, rows).map((value) => value && textOf(value));
  t.deepEqual(values, ['w', 'x', undefined, undefined]);
  t.deepEqual(of.removeMany(responderMap, rows), { written: 4 });
});

test('a process may die between any two rows of a batch', (t) => {
  const world = new World({ seed: 1n });
  const of = new SimKernel(world, 'node-1');
  const process = new Process(world, 'agent', new MachineClock(world));
  process.crashAt(2);
  const join = (texts: string, make: (text: string) => Uint8Array): Uint8Array =>
    Buffer.concat(texts.split('').map(make));
  const rows = { count: 4, keys: join('abcd', keyOf), values: join('wxyz', valueOf) };
  process.enter(() => of.portOf(process).updateMany(responderMap, rows, 'any'));
  t.is(of.dump(responderMap).length, 2);
});

test('a walk in pages meets every row once while nobody writes', (t) => {
  const of = kernel();
  for (const key of 'abcde') of.update(responderMap, entry(key, '1'), 'any');
  const seen: string[] = [];
  const keys = (bytes: Uint8Array): string[] => textOf(bytes).split('');
  let from: Uint8Array | undefined;
  do {
    const page = of.scan(responderMap, from, 2);
    seen.push(...keys(page.rows.keys));
    from = page.next;
  } while (from !== undefined);
  t.deepEqual(seen.toSorted(), ['a', 'b', 'c', 'd', 'e']);
});
