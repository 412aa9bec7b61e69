import { setImmediate as turn } from 'node:timers/promises';
import anyTest from 'ava';
import { readRing, type RingReader } from '../../bpf/ringbuffer.real.ts';
import type { RingHandle } from '../../bpf/native.real.ts';
import { kernelTests } from './machine.ts';
import { Rig } from './rig.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const packet = new Uint8Array(64);

interface Bench {
  readonly rig: Rig;
  /** First word of each record read so far. */
  readonly seen: number[];
  readonly reader: RingReader;
  readonly emit: (program: string, count: number) => void;
}

async function withRing(body: (bench: Bench) => Promise<void> | void): Promise<void> {
  // 64 MiB: two million records of 32 bytes, headers included.
  const entriesMax = new Map([['t_ring', 1 << 26]]);
  const rig = new Rig(addon, 'test/kernel/fixtures/probe.bpf.o', { entriesMax });
  const seen: number[] = [];
  const reader = readRing(addon, rig.map('t_ring').handle, (record) => {
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    const [first, last] = [0, 16].map((at) => Number(view.getBigUint64(at, true)));
    seen.push(record.length === 24 && last === first! + 2 ? first! : -1);
  });
  try {
    if (!reader.ok) throw new Error(reader.error.operation);
    await body({
      rig, seen, reader: reader.value,
      emit: (program, count) => {
        rig.run(program, { packet, repeat: count });
      },
    });
  } finally {
    if (reader.ok) reader.value.close();
    rig.close();
  }
}

/** Lets the event loop turn until `done`, at most a thousand times. */
async function until(done: () => boolean): Promise<number> {
  for (let turns = 0; turns < 1_000; turns += 1) {
    if (done()) return turns;
    await turn();
  }
  return 1_000;
}

const counted = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

test('records come in order and whole', async (t) => {
  await withRing(async ({ emit, seen }) => {
    emit('t_emit', 10);
    await until(() => seen.length >= 10);
    t.deepEqual(seen, counted(10));
  });
});

test('discarded records are passed over', async (t) => {
  await withRing(async ({ emit, seen }) => {
    for (let round = 0; round < 5; round += 1) {
      emit('t_discard', 3);
      emit('t_emit', 2);
    }
    await until(() => seen.length >= 10);
    t.deepEqual(seen, counted(10));
  });
});

test('a million waiting records are read in turns between which the loop is free', async (t) => {
  await withRing(async ({ emit, seen }) => {
    emit('t_emit', 1_000_000);
    const growth: number[] = [];
    let before = 0;
    await until(() => {
      if (seen.length > before) growth.push(seen.length - before);
      before = seen.length;
      return seen.length >= 1_000_000;
    });
    t.is(seen.length, 1_000_000);
    t.true(seen.every((number, index) => number === index));
    // The loop may poll twice between two looks.
    t.true(Math.max(...growth) <= 2 * 4_096, `${Math.max(...growth)} records in a turn`);
    t.true(growth.length >= 122, `${growth.length} turns`);
  });
});

test('draining finds what is there and ends when there is nothing', async (t) => {
  await withRing(async ({ emit, seen, reader }) => {
    emit('t_emit', 20_000);
    reader.drain();
    reader.drain();
    await until(() => seen.length >= 20_000);
    t.deepEqual(seen, counted(20_000));
  });
});

test('a reader that closes itself while it is called hears no more', async (t) => {
  const rig = new Rig(addon, 'test/kernel/fixtures/probe.bpf.o');
  let heard = 0;
  const reader = readRing(addon, rig.map('t_ring').handle, () => {
    heard += 1;
    if (reader.ok) reader.value.close();
  });
  rig.run('t_emit', { packet, repeat: 5_000 });
  for (let count = 0; count < 5; count += 1) await turn();
  t.is(heard, 1);
  rig.close();
});

test('a ring is of a ring map only, and its buffer holds at least one record', (t) => {
  const rig = new Rig(addon, 'test/kernel/fixtures/probe.bpf.o');
  t.is(addon.ringOpen(rig.map('t_hash').handle), -22 as never);
  const ring = addon.ringOpen(rig.map('t_ring').handle) as RingHandle;
  rig.run('t_emit', { packet });
  t.is(addon.ringRead(ring, new Uint8Array(16)), -28 as never);
  t.deepEqual(addon.ringRead(ring, new Uint8Array(32)), [1, 32, 0]);
  t.is(addon.ringRead({} as RingHandle, new Uint8Array(32)), -22 as never);
  addon.close(ring);
  t.is(addon.ringRead(ring, new Uint8Array(32)), -9 as never);
  rig.close();
});
