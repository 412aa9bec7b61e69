import anyTest from 'ava';
import fc from 'fast-check';
import type { Addon, MapHandle } from '../../bpf/native.real.ts';
import { kernelTests } from './machine.ts';
import { Rig } from './rig.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

type Call = (...all: readonly unknown[]) => unknown;
const einval = -22;
const ebadf = -9;

/** Calls a function of the addon with whatever it is given. */
function call(name: keyof Addon, ...all: readonly unknown[]): unknown {
  return (addon[name] as Call)(...all);
}

function hash(entries = 8): MapHandle {
  return addon.mapCreate(1, 't', 4, 8, entries, 0) as MapHandle;
}

const bytes = (size: number): Uint8Array => new Uint8Array(size);

const rows: readonly (readonly [string, keyof Addon, (map: MapHandle) => unknown[], unknown])[] = [
  ['a short key', 'mapUpdate', (map) => [map, bytes(3), bytes(8), 0], einval],
  ['a long value', 'mapUpdate', (map) => [map, bytes(4), bytes(9), 0], einval],
  ['an empty key', 'mapLookup', (map) => [map, bytes(0), bytes(8)], einval],
  ['a short place for the value', 'mapLookup', (map) => [map, bytes(4), bytes(7)], einval],
  ['an array of numbers', 'mapLookup', (map) => [map, [1, 2, 3, 4], bytes(8)], einval],
  ['words in place of bytes', 'mapLookup', (map) => [map, new Uint32Array(1), bytes(8)], einval],
  ['a DataView', 'mapDelete', (map) => [map, new DataView(new ArrayBuffer(4))], einval],
  ['a null', 'mapDelete', (map) => [map, null], einval],
  ['a fraction as flags', 'mapUpdate', (map) => [map, bytes(4), bytes(8), 0.5], einval],
  ['a negative flag', 'mapUpdate', (map) => [map, bytes(4), bytes(8), -1], einval],
  ['an unknown flag', 'mapUpdate', (map) => [map, bytes(4), bytes(8), 99], einval],
  ['a bigint as flags', 'mapUpdate', (map) => [map, bytes(4), bytes(8), 1n], einval],
  ['more rows than bytes', 'mapUpdateBatch', (map) => [map, bytes(8), bytes(16), 3, 0], [0, einval]],
  ['more keys than values', 'mapUpdateBatch', (map) => [map, bytes(16), bytes(16), 4, 0], [0, einval]],
  ['a huge count', 'mapUpdateBatch', (map) => [map, bytes(8), bytes(16), 0xffff_ffff, 0], [0, einval]],
  ['more keys than bytes', 'mapDeleteBatch', (map) => [map, bytes(8), 3], [0, einval]],
  ['a short cursor', 'mapReadBatch', (map) => [map, true, bytes(3), bytes(8), bytes(16), 2], [0, einval]],
  ['no room for a read', 'mapReadBatch', (map) => [map, true, bytes(4), bytes(0), bytes(0), 0], [0, einval]],
  ['values of another map', 'mapSum', (map) => [map, bytes(7), bytes(8), 1], einval],
  ['a map that is no ring', 'ringOpen', (map) => [map], einval],
  ['a map that is not mapped', 'mapCells', (map) => [map], einval],
  ['a map as a program', 'programFacts', (map) => [map], einval],
  ['a map as a link', 'linkDetach', (map) => [map], einval],
  ['a map as a socket', 'socketSend', (map) => [map, bytes(4)], einval],
  ['a map as an object', 'objectMaps', (map) => [map], einval],
  ['a map pinned as a link', 'pin', (map) => [map, 4, '/sys/fs/bpf/none'], einval],
  ['a map pinned as nothing', 'pin', (map) => [map, 77, '/sys/fs/bpf/none'], einval],
  ['a text with a zero', 'openPinned', () => [2, 'a\0b'], einval],
  ['a text beyond all paths', 'openPinned', () => [2, 'x'.repeat(10_000)], einval],
  ['no pin', 'openPinned', () => [2, '/sys/fs/bpf/none'], -2],
  ['a file that is no pin', 'openPinned', () => [2, '/etc/passwd'], -13],
  ['code of half an instruction', 'programLoad', () => [3, 0, bytes(12)], einval],
  ['a filter of half a step', 'packetOpen', () => [1, 0, bytes(4)], einval],
  ['a device without a number', 'packetOpen', () => [0, 0, bytes(0)], einval],
  ['a filter on no device', 'filterQuery', () => [0, 1, 1, 1], einval],
  ['a filter in both directions', 'filterQuery', () => [1, 3, 1, 1], einval],
  ['no callback', 'watch', (map) => [map, undefined], einval],
  ['a map that cannot be watched', 'watch', (map) => [map, () => undefined], einval],
  ['a namespace that is a file', 'netnsCall', () => ['/etc/passwd', () => 1], einval],
  ['a namespace of nowhere', 'netnsCall', () => ['/proc/none', () => 1], -2],
  ['a lock without a name', 'lockTake', () => [''], einval],
  ['a lock with too long a name', 'lockTake', () => ['x'.repeat(108)], einval],
];

for (const [what, name, all, refusal] of rows) {
  test(`${name} refuses ${what}`, (t) => {
    const map = hash();
    t.deepEqual(call(name, ...all(map)), refusal);
    addon.close(map);
  });
}

test('a closed handle is -EBADF in every call, and closing again is harmless', (t) => {
  const map = hash();
  t.is(addon.close(map), 0);
  t.is(addon.close(map), 0);
  t.is(call('mapLookup', map, bytes(4), bytes(8)), ebadf);
  t.is(call('mapFacts', map), ebadf);
  t.is(call('pin', map, 2, '/sys/fs/bpf/none'), ebadf);
  t.is(call('watch', map, () => undefined), ebadf);
  t.deepEqual(call('mapUpdateBatch', map, bytes(4), bytes(8), 1, 0), [0, ebadf]);
});

test('what only looks like a handle is none', (t) => {
  const map = hash();
  const strangers = [
    {}, Object.create(map), { ...map }, new Proxy(map, {}), [], 7, 'x', null, undefined,
    () => undefined, Symbol('x'), 7n, bytes(4),
  ];
  for (const stranger of strangers) t.is(call('mapFacts', stranger), einval);
  addon.close(map);
});

test('a buffer that was given away has no bytes', (t) => {
  const map = hash();
  const key = new Uint8Array(new ArrayBuffer(4));
  structuredClone(key.buffer, { transfer: [key.buffer] });
  t.is(call('mapLookup', map, key, bytes(8)), einval);
  addon.close(map);
});

test('views into the middle of a buffer are read and written where they lie', (t) => {
  const map = hash();
  const room = Uint8Array.from({ length: 40 }, (_, index) => index);
  t.is(addon.mapUpdate(map, room.subarray(3, 7), room.subarray(9, 17), 0), 0);
  t.is(addon.mapLookup(map, Uint8Array.of(3, 4, 5, 6), room.subarray(21, 29)), 0);
  t.deepEqual([...room.subarray(20, 30)], [20, 9, 10, 11, 12, 13, 14, 15, 16, 29]);
  addon.close(map);
});

test('mapped cells become empty when their map is closed', (t) => {
  const map = addon.mapCreate(2, 't', 4, 8, 4, 1 << 10) as MapHandle;
  const cells = new Uint8Array(addon.mapCells(map) as ArrayBuffer);
  t.is(addon.mapCells(map), cells.buffer);
  cells[8] = 7;
  const value = bytes(8);
  t.is(addon.mapLookup(map, Uint8Array.of(1, 0, 0, 0), value), 0);
  t.is(value[0], 7);
  addon.close(map);
  t.is(cells.length, 0);
  cells[8] = 9;
  t.is(cells.byteLength, 0, 'a write to it goes nowhere');
});

test('an exception inside a namespace comes out, and the thread is back', (t) => {
  const before = addon.netnsCookie();
  const thrower = (): never => {
    throw new Error('inside');
  };
  t.throws(() => addon.netnsCall('/proc/self/ns/net', thrower), { message: 'inside' });
  t.is(addon.netnsCookie(), before);
  t.is(addon.netnsCall('/proc/self/ns/net', () => 7), 7);
});

// Calls that would reach out of the test are left out: they are not about arguments.
const loud = [
  'netnsCall', 'fileLock', 'lockTake', 'filterAttach', 'filterDetach', 'linkCreate', 'pin',
];
const quiet = Object.keys(skip ? {} : addon)
  .filter((name) => !loud.includes(name)) as (keyof Addon)[];

test('no mix of arguments crashes, throws, or gives anything but a value or an errno', (t) => {
  const rig = new Rig(addon, 'test/kernel/fixtures/probe.bpf.o');
  const handles = [
    hash(), {}, rig.map('t_percpu').handle, rig.map('t_ring').handle, rig.map('t_mapped').handle,
    rig.object.programs.get('t_answer')!, addon.netlinkOpen(0),
    addon.ringOpen(rig.map('t_ring').handle),
  ];
  const argument = fc.oneof(
    fc.constantFrom(...handles), fc.constantFrom(...handles), fc.uint8Array({ maxLength: 80 }),
    fc.constantFrom(0, 1, 2, 3, 4, 8, 0xffff_ffff, -1, 0.5, NaN), fc.boolean(), fc.string(),
    fc.constantFrom(undefined, null, 1n, [], () => undefined),
  );
  fc.assert(fc.property(
    fc.constantFrom(...quiet), fc.array(argument, { maxLength: 7 }),
    (name, all) => {
      const value = call(name, ...all);
      return value !== undefined;
    },
  ), { numRuns: 20_000, seed: 11 });
  for (const handle of handles) call('close', handle);
  rig.close();
  t.pass();
});
