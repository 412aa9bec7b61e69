import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest from 'ava';
import { loadObject, type LoadedObject, type ObjectOrder } from '../../bpf/object.real.ts';
import type { MapHandle } from '../../bpf/native.real.ts';
import { refusalText } from '../../bpf/refusal.real.ts';
import { kernelTests } from './machine.ts';
import { Place } from './place.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const fixtures = join(import.meta.dirname, 'fixtures');
const probe = readFileSync(join(fixtures, 'probe.bpf.o'));
const key = Uint8Array.of(1, 0, 0, 0);
const value = new Uint8Array(8).fill(7);

function load(place: Place, order: Omit<ObjectOrder, 'file'>): LoadedObject {
  const loaded = loadObject(addon, { file: probe, ...order });
  if (!loaded.ok) throw new Error(refusalText(loaded.error));
  place.later(() => loaded.value.close());
  return loaded.value;
}

function refusalOf(order: ObjectOrder): { readonly line: string; readonly log: string } {
  const loaded = loadObject(addon, order);
  if (loaded.ok) throw new Error('it was loaded');
  return { line: refusalText(loaded.error), log: loaded.error.log ?? '' };
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('maps are pinned, and the next load finds what is in them', async (t) => {
  await Place.with((place) => {
    const pins = join(place.bpffs(), 'v1');
    mkdirSync(pins);
    const first = load(place, { pins });
    const hash = first.maps.get('t_hash')!;
    t.true(hash.update({ key, value }, 'any').ok);
    first.close();
    const second = load(place, { pins });
    t.is(second.maps.get('t_hash')!.facts.id, hash.facts.id);
    t.deepEqual([...second.maps.get('t_hash')!.lookup(key)!], [...value]);
    t.deepEqual(readdirSync(pins).toSorted(), [...second.maps.keys()].toSorted());
  });
});

test('programs of the next load use the pinned maps', async (t) => {
  await Place.with((place) => {
    const pins = place.bpffs();
    const [first, second] = [load(place, { pins }), load(place, { pins })];
    const packet = new Uint8Array(64);
    const count = second.programs.get('t_count')!;
    addon.programRun(count, packet, undefined, undefined, undefined, 5);
    t.is(first.maps.get('t_stats')!.lookup(new Uint8Array(4))![0], 5);
  });
});

test('a pinned map of another shape is refused by name, and nothing stays open', async (t) => {
  await Place.with((place) => {
    const pins = place.bpffs();
    load(place, { pins }).close();
    const before = descriptors();
    const entriesMax = new Map([['t_hash', 99]]);
    t.is(refusalOf({ file: probe, pins, entriesMax }).line, 'reuse t_hash: EINVAL');
    t.is(descriptors(), before);
  });
});

test('a map is as large as it was ordered, and may be one that the caller has', async (t) => {
  await Place.with((place) => {
    const own = addon.mapCreate(1, 'own', 4, 8, 20_000, 0) as MapHandle;
    place.later(() => addon.close(own));
    const entriesMax = new Map([['t_small', 9]]);
    const { maps } = load(place, { entriesMax, maps: new Map([['t_hash', own]]) });
    t.is(maps.get('t_small')!.facts.entriesMax, 9);
    t.is(addon.mapUpdate(own, key, value, 0), 0);
    t.deepEqual([...maps.get('t_hash')!.lookup(key)!], [...value]);
  });
});

test('a program may be left out', async (t) => {
  await Place.with((place) => {
    const { programs } = load(place, { without: new Set(['t_xdp']) });
    t.false(programs.has('t_xdp'));
    t.true(programs.has('t_count'));
  });
});

test('what the verifier refuses comes back with its words, and nothing stays open', (t) => {
  const before = descriptors();
  const file = readFileSync(join(fixtures, 'refused.bpf.o'));
  const { line, log } = refusalOf({ file });
  t.is(line, 'load the object: EACCES');
  t.regex(log, /invalid access to packet/);
  t.is(descriptors(), before);
});

const orders = anyTest.macro({
  exec: (t, _: string, order: Partial<ObjectOrder>, line: RegExp) => {
    t.regex(refusalOf({ file: probe, ...order }).line, line);
  },
  title: (_, name) => `${name} is refused by name`,
});
test(orders, 'a file that is no object', { file: Buffer.from('no') }, /^open the object file: /);
test(orders, 'half an object', { file: probe.subarray(0, 4_000) }, /^open the object file: /);
test(orders, 'a constant that is not there', { constants: new Map([['x', key]]) },
  /^set constant x: EINVAL/);
test(orders, 'a map that is not there', { entriesMax: new Map([['x', 1]]) },
  /^set the size of x: ENOENT/);
test(orders, 'a program that is not there', { without: new Set(['x']) }, /^leave out x: ENOENT/);
test(orders, 'a folder that is not bpffs', { pins: fixtures }, /^pin t_\w+: E/);
