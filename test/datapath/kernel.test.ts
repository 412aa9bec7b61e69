import test from 'ava';
import { encodeRow, decodeRow, asciiBytes, asciiText, viewMap } from '../../bpf/codec.ts';
import { SimKernel } from '../../sim/node/kernel.ts';
import { SimMap, SlotPool, type MapShape } from '../../sim/node/maps.ts';
import { MachineClock, Process } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';

const bytes = (text: string): Uint8Array => asciiBytes(text);
const entry = (key: string, value: string) => ({ key: bytes(key), value: bytes(value) });
const kernel = (seed = 1n): SimKernel => new SimKernel(new World({ seed }), 'node-1');

test('a map keeps copies of what it was given, and gives copies', (t) => {
  const of = kernel();
  const value = bytes('v');
  of.update(viewMap, { key: bytes('k'), value }, 'any');
  value[0] = 0;
  const read = of.lookup(viewMap, bytes('k'))!;
  t.is(asciiText(read), 'v');
  read[0] = 0;
  t.is(asciiText(of.lookup(viewMap, bytes('k'))!), 'v');
});

test('large equal values are told apart when one changes', (t) => {
  const of = kernel();
  const long = 'x'.repeat(100);
  of.update(viewMap, entry('a', long), 'any');
  of.update(viewMap, entry('b', long), 'any');
  of.update(viewMap, entry('a', `${long}!`), 'any');
  t.is(of.lookup(viewMap, bytes('b'))!.length, 100);
  t.is(of.lookup(viewMap, bytes('a'))!.length, 101);
});

const flags = test.macro({
  exec: (t, present: boolean, flag: 'any' | 'noexist' | 'exist', outcome: string) => {
    const of = kernel();
    if (present) of.update(viewMap, entry('k', 'old'), 'any');
    const result = of.update(viewMap, entry('k', 'new'), flag);
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
  t.true(of.remove(viewMap, bytes('none')).ok);
  t.deepEqual(
    of.update('fl_none', entry('k', 'v'), 'any'), { ok: false, error: { kind: 'ENOENT' } },
  );
  t.deepEqual(of.update('fl_l2', entry('k', 'v'), 'any'), { ok: false, error: { kind: 'EINVAL' } });
});

test('a full map refuses a new key but accepts an overwrite', (t) => {
  const of = kernel();
  of.update(viewMap, entry('a', '1'), 'any');
  of.setMapLimit(viewMap, 1);
  t.deepEqual(of.update(viewMap, entry('b', '1'), 'any'), { ok: false, error: { kind: 'E2BIG' } });
  t.true(of.update(viewMap, entry('a', '2'), 'any').ok);
  of.setMapLimit(viewMap, undefined);
  t.true(of.update(viewMap, entry('b', '1'), 'any').ok);
});

test('a fault refuses the n-th call, or a share of calls, and ends', (t) => {
  const of = kernel();
  of.setFault(viewMap, { nth: 2, errno: 'ENOSPC' });
  const outcomes = ['a', 'b', 'c'].map((key) => of.update(viewMap, entry(key, '1'), 'any').ok);
  t.deepEqual(outcomes, [true, false, true]);
  of.setMapError(viewMap, { ratioPpm: 1_000_000, errno: 'EIO' });
  t.deepEqual(of.remove(viewMap, bytes('a')), { ok: false, error: { kind: 'EIO' } });
  of.setMapError(viewMap, { ratioPpm: 500_000, errno: 'EIO' });
  const failed = Array.from(
    { length: 200 }, () => of.update(viewMap, entry('a', '1'), 'any').ok,
  ).filter((good) => !good).length;
  t.true(failed > 60 && failed < 140, `${failed}`);
  of.setMapError(viewMap, undefined);
  t.true(of.remove(viewMap, bytes('a')).ok);
});

test('a dump has every entry in an order that the seed shuffles', (t) => {
  const order = (seed: bigint): string => {
    const of = kernel(seed);
    for (const key of 'abcdefgh') of.update(viewMap, entry(key, key), 'any');
    return of.dump(viewMap).map(({ key }) => asciiText(key)).join('');
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
    port.update(viewMap, entry('a', '1'), 'any');
    port.update(viewMap, entry('b', '1'), 'any');
  });
  t.false(process.alive);
  t.is(process.fault, undefined);
  t.deepEqual(of.dump(viewMap).map(({ key }) => asciiText(key)), ['a']);
});

test('a reboot empties the maps, frees the locks and changes the boot id', (t) => {
  const of = kernel();
  const before = of.bootId;
  t.regex(before, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u);
  of.update(viewMap, entry('a', '1'), 'any');
  of.reboot();
  t.is(of.dump(viewMap).length, 0);
  t.not(of.bootId, before);
});

test('rows are canonical: order of fields and foreign letters make no difference to the reader', (t) => {
  t.deepEqual(
    encodeRow({ b: 1, a: [{ d: 'x', c: undefined }] }), encodeRow({ a: [{ d: 'x' }], b: 1 }),
  );
  t.is(asciiText(encodeRow({ a: 'ü€😀' })), '{"a":"\\u00fc\\u20ac\\ud83d\\ude00"}');
  t.deepEqual(decodeRow(encodeRow({ a: 'ü€😀' })), { a: 'ü€😀' });
  t.is(decodeRow(bytes('not json')), undefined);
  t.is(decodeRow(bytes('7')), undefined);
});

const index = (number: number): Uint8Array => Uint8Array.of(number, 0, 0, 0);
const word = (number: number): Uint8Array => Uint8Array.of(number, 0, 0, 0, 0, 0, 0, 0);
const never = (): boolean => false;
const declared = (shape: MapShape): SimMap => new SimMap(shape, new SlotPool());
const array = (): SimMap => declared({ kind: 'array', entriesMax: 4, keySize: 4, valueSize: 8 });

test('an array has all its cells from the start, zero until written, and none beyond its end', (t) => {
  const of = array();
  t.deepEqual(of.peek(index(3)), word(0));
  t.is(of.peek(index(4)), undefined);
  t.true(of.update({ key: index(3), value: word(7) }, 'exist', never).ok);
  t.deepEqual(of.entries().map(({ value }) => value[0]), [0, 0, 0, 7]);
});

test('an array refuses insertions, deletions and indices beyond its end', (t) => {
  const of = array();
  const entryAt = (at: number) => ({ key: index(at), value: word(1) });
  const refusals = [
    of.update(entryAt(0), 'noexist', never), of.remove(index(0), never),
    of.update(entryAt(4), 'any', never),
  ];
  t.deepEqual(
    refusals.map((result) => (result.ok ? 'ok' : result.error.kind)), ['EEXIST', 'EINVAL', 'E2BIG'],
  );
});

test('a full LRU map evicts for a new key, a full trie refuses it', (t) => {
  const keys = [index(1), index(2)];
  const lru = declared({ kind: 'lru', entriesMax: 1 });
  const trie = declared({ kind: 'lpm', entriesMax: 1 });
  const lruOk = keys.map((key) => lru.update({ key, value: word(1) }, 'any', never).ok);
  const trieOk = keys.map((key) => trie.update({ key, value: word(1) }, 'any', never).ok);
  t.deepEqual([lruOk, trieOk], [[true, true], [true, false]]);
  t.is(lru.peek(index(1)), undefined);
});

test('a batch is written in order up to the first refusal and says how far it came', (t) => {
  const of = kernel();
  of.setFault(viewMap, { nth: 3, errno: 'ENOSPC' });
  const rows = { count: 4, keys: bytes('abcd'), values: bytes('wxyz') };
  t.deepEqual(of.updateMany(viewMap, rows, 'any'), { written: 2, error: { kind: 'ENOSPC' } });
  const values = of.lookupMany(viewMap, rows).map((value) => value && asciiText(value));
  t.deepEqual(values, ['w', 'x', undefined, undefined]);
  t.deepEqual(of.removeMany(viewMap, rows), { written: 4 });
});

test('a process may die between any two rows of a batch', (t) => {
  const world = new World({ seed: 1n });
  const of = new SimKernel(world, 'node-1');
  const process = new Process(world, 'agent', new MachineClock(world));
  process.crashAt(2);
  const rows = { count: 4, keys: bytes('abcd'), values: bytes('wxyz') };
  process.enter(() => of.portOf(process).updateMany(viewMap, rows, 'any'));
  t.is(of.dump(viewMap).length, 2);
});

test('a walk in pages meets every row once while nobody writes', (t) => {
  const of = kernel();
  for (const key of 'abcde') of.update(viewMap, entry(key, '1'), 'any');
  const seen: string[] = [];
  let from: Uint8Array | undefined;
  do {
    const page = of.scan(viewMap, from, 2);
    seen.push(asciiText(page.rows.keys));
    from = page.next;
  } while (from !== undefined);
  t.deepEqual(seen, ['ab', 'cd', 'e']);
});
