import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { compile } from '../../bpf/vm/compile.ts';
import { ObjectError } from '../../bpf/vm/elf.ts';
import { Machine } from '../../bpf/vm/machine.ts';
import { loadObject } from '../../bpf/vm/object.ts';
import type { MachineMap } from '../../bpf/vm/tablemap.ts';
import type { KernelError, MapFlag } from '../../lb/ports.ts';
import type { Result } from '../../lb/result.ts';
import { root } from '../tidy/sources.ts';
import { fixture, frame, machineOf, modes, quietHost } from './bed.ts';

const maps = fixture('maps');
const key = (value: number): Uint8Array => Uint8Array.of(value, value >> 8, ...new Uint8Array(18));
const index = (value: number): Uint8Array => Uint8Array.of(value, value >> 8, value >> 16, 0);
const value = (first: number): Uint8Array => Uint8Array.of(first, ...new Uint8Array(7));
const put = (
  map: MachineMap, key: Uint8Array, bytes: Uint8Array, flag: MapFlag = 'any',
): string => outcome(map.update({ key, value: bytes }, flag));
const outcome = (result: Result<void, KernelError>): string => result.ok ? 'ok' : result.error.kind;
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

test('a full hash map refuses a new key but accepts an overwrite', (t) => {
  const map = machineOf(maps, { mode: 'checked' }).map('m_hash');
  for (let at = 0; at < 4; at += 1) t.is(put(map, key(at), value(at)), 'ok');
  t.is(put(map, key(4), value(4)), 'E2BIG');
  t.is(put(map, key(3), value(9)), 'ok');
  t.is(text(map.lookup(key(3))), text(value(9)));
  t.true(map.remove(key(0)).ok);
  t.is(put(map, key(4), value(4)), 'ok');
});

const refuses = test.macro({
  exec: (t, name: string, act: (map: MachineMap) => string, kind: string) => {
    t.is(act(machineOf(maps, { mode: 'checked' }).map(name)), kind);
  },
  title: (name, map, _, kind) => `${map} answers ${kind} to ${name}`,
});
test('an update of what is not there', refuses, 'm_hash', (m) => put(m, key(1), value(1), 'exist'), 'ENOENT');
test('a removal of what is not there', refuses, 'm_hash', (m) => outcome(m.remove(key(1))), 'ok');
test('a short key', refuses, 'm_hash', (m) => put(m, index(1), value(1)), 'EINVAL');
test('a short value', refuses, 'm_hash', (m) => put(m, key(1), index(1)), 'EINVAL');
test('a removal', refuses, 'm_array', (m) => outcome(m.remove(index(1))), 'EINVAL');
test('an index behind the end', refuses, 'm_array', (m) => put(m, index(5), value(1)), 'E2BIG');
test('an insertion', refuses, 'm_array', (m) => put(m, index(1), value(1), 'noexist'), 'EEXIST');
test('a longer prefix than the key has bits', refuses, 'm_prefix', (m) => put(m, Uint8Array.of(33, 0, 0, 0, 1, 2, 3, 4), value(1)), 'EINVAL');
test('a fifth prefix', refuses, 'm_prefix', (m) => {
  for (let at = 0; at < 4; at += 1) put(m, Uint8Array.of(at, 0, 0, 0, 0, 0, 0, 0), value(1));
  return put(m, Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0), value(1));
}, 'ENOSPC');

test('an LRU map forgets what was unused longest, and host look-ups are no use', (t) => {
  const machine = machineOf(maps, { mode: 'checked', entriesMax: { m_lru: 3 } });
  const map = machine.map('m_lru');
  for (const at of [1, 2, 3]) put(map, key(at), value(at));
  map.lookup(key(1));
  t.is(put(map, key(4), value(4)), 'ok');
  const there = [1, 2, 3, 4].map((at) => map.lookup(key(at)) !== undefined);
  t.deepEqual(there, [false, true, true, true]);
});

test('the longest prefix that contains the address is found', (t) => {
  const map = machineOf(maps, { mode: 'checked' }).map('m_prefix');
  const prefix = (length: number, ...bytes: number[]): Uint8Array => (
    Uint8Array.of(length, 0, 0, 0, ...bytes)
  );
  put(map, prefix(0, 0, 0, 0, 0), value(1));
  put(map, prefix(8, 10, 0, 0, 0), value(2));
  put(map, prefix(17, 10, 1, 128, 0), value(3));
  const addresses = [[10, 1, 200, 1], [10, 1, 100, 1], [11, 0, 0, 0]];
  const found = addresses.map((at) => map.lookup(prefix(32, ...at))?.[0]);
  t.deepEqual(found, [3, 2, 1]);
  t.is(map.lookup(prefix(16, 10, 1, 200, 1))?.[0], 2, 'no longer than asked for');
});

const order = (seed: number): string => {
  const compiled = compile(maps, { mode: 'fast', entriesMax: { m_hash: 100 } });
  const map = new Machine(compiled, { host: quietHost, seed }).map('m_hash');
  for (let at = 0; at < 50; at += 1) put(map, key(at), value(at));
  for (let at = 0; at < 50; at += 7) map.remove(key(at));
  return map.dump().map((entry) => entry.key[0]).join(' ');
};

test('the same seed gives the same order of entries, another seed another one', (t) => {
  t.is(order(7), order(7));
  t.not(order(7), order(8));
  t.is(order(7).split(' ').length, 42);
});

test('a scan in pages meets each entry once, whatever is added meanwhile', (t) => {
  const map = machineOf(maps, { mode: 'fast', entriesMax: { m_hash: 500 } }).map('m_hash');
  for (let at = 0; at < 60; at += 1) put(map, key(at), value(at));
  const met: number[] = [];
  let page = map.scan(undefined, 7);
  for (let more = 60; ; more += 1) {
    for (let row = 0; row < page.rows.count; row += 1) met.push(page.rows.keys[row * 20]!);
    put(map, key(more), value(1));
    if (page.next === undefined) break;
    page = map.scan(page.next, 7);
  }
  const stayed = met.filter((one) => one < 60).toSorted((a, b) => a - b);
  t.deepEqual(stayed, Array.from({ length: 60 }, (_, at) => at));
});

test('two machines of one object share no state', (t) => {
  const compiled = compile(maps, { mode: 'checked' });
  const [left, right] = [1, 2].map((seed) => new Machine(compiled, { host: quietHost, seed }));
  put(left!.map('m_array'), index(1), value(9));
  t.is(right!.map('m_array').lookup(index(1))?.[0], 0);
});

test('a large array costs what was touched', (t) => {
  const machine = machineOf(maps, { mode: 'checked', entriesMax: { m_large: 10_000_000 } });
  const before = machine.memory.bytes.length;
  put(machine.map('m_large'), index(9_999_999), value(5));
  t.true(machine.memory.bytes.length - before <= 0x20000);
  t.is(machine.map('m_large').touched().filter((entry) => entry.value[0] === 5).length, 1);
});

test('variables are set by name before a machine begins, and a wrong name is refused', (t) => {
  const packet = Uint8Array.from({ length: 64 }, (_, at) => at === 14 ? 7 : at === 12 ? 8 : 0);
  for (const mode of modes) {
    const machine = machineOf(maps, { mode, variables: { salt: 0x1122334455667788n } });
    machine.runPacket('map_operation', { bytes: packet });
    t.is(text(machine.ring('m_ring').drain(1)[0]?.slice(16)), '8877665544332211');
  }
  for (const variables of [{ pepper: 1 }, { started: 2 ** 40 }, { salt: new Uint8Array(4) }]) {
    t.throws(() => compile(maps, { mode: 'fast', variables }), { instanceOf: ObjectError });
  }
});

test('a variable that was set for one compilation is not set for the next', (t) => {
  machineOf(maps, { mode: 'fast', variables: { salt: 9 } });
  const packet = Uint8Array.from(frame, (byte, at) => at === 14 ? 7 : byte);
  const machine = machineOf(maps, { mode: 'fast' });
  machine.runPacket('map_operation', { bytes: packet });
  t.is(machine.ring('m_ring').drain(1)[0]?.[16], 7);
});

test('a ring refuses records when nobody reads, and gives them in order', (t) => {
  const machine = machineOf(maps, { mode: 'checked' });
  const packet = Uint8Array.from({ length: 64 }, (_, at) => at === 14 ? 7 : at === 12 ? 8 : 0);
  for (let at = 0; at < 200; at += 1) {
    packet[18] = at;
    machine.runPacket('map_operation', { bytes: packet });
  }
  const records = machine.ring('m_ring').drain(1000);
  t.is(records.length, 127);   // 4,096 bytes less one record, 32 bytes each
  t.deepEqual(records.map((record) => record[8]), Array.from({ length: 127 }, (_, at) => at));
  machine.runPacket('map_operation', { bytes: packet });
  t.is(machine.ring('m_ring').drain(10).length, 1);
});

test('coverage names the lines that did not run', (t) => {
  const machine = machineOf(maps, { mode: 'checked' });
  machine.runPacket('map_operation', { bytes: frame });
  const before = machine.coverage().find((one) => one.function === 'ring');
  t.is(before?.missed.length, before?.instructionCount);
  t.regex(before?.missed[0]?.place?.file ?? '', /maps\.bpf\.c$/);
  const packet = Uint8Array.from(frame, (byte, at) => at === 14 ? 7 : byte);
  machine.runPacket('map_operation', { bytes: packet });
  t.true(machine.coverage().find((one) => one.function === 'ring')!.missed.length < 10);
});

test('clocks are what the host set, also beyond 2^53 nanoseconds', (t) => {
  const machine = machineOf(maps, { mode: 'fast' });
  machine.setClock(2 ** 50 + 7, 5);
  t.is(machine.memory.view.getBigUint64(0x1008, true), (2n ** 50n + 7n) * 1000n);
  t.is(machine.memory.view.getBigUint64(0x1010, true), 5000n);
});

const damaged = test.macro({
  exec: (t, _: string, damage: (file: Uint8Array) => Uint8Array) => {
    t.throws(() => loadObject(damage(objectBytes())), { instanceOf: ObjectError });
  },
  title: (_, name) => `${name} is refused`,
});
test(damaged, 'an empty file', () => new Uint8Array());
test(damaged, 'a text', () => new TextEncoder().encode('#!/bin/sh\n'.repeat(20)));
test(damaged, 'an object for another machine', (file) => file.with(18, 62));
test(damaged, 'half an object', (file) => file.slice(0, file.length >> 1));
test(damaged, 'an object of 32 bits', (file) => file.with(4, 1));

function objectBytes(): Uint8Array {
  return Uint8Array.from(readFileSync(join(root, 'test/vm/fixtures/maps.bpf.o')));
}
