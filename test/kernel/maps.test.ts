import anyTest from 'ava';
import type { KernelMap } from '../../bpf/kernelmap.real.ts';
import type { MapBatch } from '../../lb/ports.ts';
import { kernelTests } from './machine.ts';
import { Rig } from './rig.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const packet = new Uint8Array(64);

function withRig(body: (rig: Rig) => void): void {
  const rig = new Rig(addon, 'test/kernel/fixtures/probe.bpf.o');
  try {
    body(rig);
  } finally {
    rig.close();
  }
}

const word = (number: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
};
const long = (number: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number), true);
  return bytes;
};
const number = (bytes: Uint8Array | undefined): number => {
  if (bytes === undefined) return -1;
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
};

test('per-CPU values are read as their sum and written as one', (t) => {
  withRig((rig) => {
    const stats = rig.map('t_stats');
    rig.run('t_count', { packet, repeat: 300 });
    t.is(number(stats.lookup(word(0))), 300);
    t.true(stats.update({ key: word(0), value: long(7) }, 'any').ok);
    t.is(number(stats.lookup(word(0))), 7);
    rig.run('t_count', { packet, repeat: 3 });
    t.deepEqual(stats.dump().map(({ value }) => number(value)), [10, 0]);
  });
});

test('a per-CPU hash gives and takes rows like any other', (t) => {
  withRig((rig) => {
    const map = rig.map('t_percpu');
    const rows: MapBatch = {
      count: 3, keys: Buffer.concat([1, 2, 3].map(word)),
      values: Buffer.concat([10, 20, 30].map(long)),
    };
    t.deepEqual(map.updateMany(rows, 'any'), { written: 3 });
    t.is(number(map.lookup(word(2))), 20);
    t.deepEqual(map.removeMany(rows), { written: 3 });
    t.deepEqual(map.dump(), []);
  });
});

test('raw values of every CPU are there for who asks the addon', (t) => {
  withRig((rig) => {
    const { handle, facts } = rig.map('t_stats');
    rig.run('t_count', { packet, repeat: 9 });
    const raw = new Uint8Array(facts.valueBytes);
    t.is(facts.valueBytes, facts.cpus * 8);
    t.is(addon.mapLookup(handle, word(0), raw), 0);
    const each = Array.from({ length: facts.cpus }, (_, cpu) => number(raw.subarray(cpu * 8)));
    t.deepEqual(each.toSorted((left, right) => right - left)[0], 9);
  });
});

function prefix(bits: number, last: number): Uint8Array {
  const bytes = new Uint8Array(20);
  bytes.set(word(bits));
  bytes[4] = last;
  return bytes;
}

test('a trie finds the longest prefix, refuses when it is full, and is walked', (t) => {
  withRig((rig) => {
    const trie = rig.map('t_lpm');
    trie.update({ key: prefix(8, 1), value: word(8) }, 'any');
    trie.update({ key: prefix(0, 0), value: word(1) }, 'any');
    t.deepEqual([...trie.lookup(prefix(128, 1))!], [...word(8)]);
    t.deepEqual([...trie.lookup(prefix(128, 2))!], [...word(1)]);
    const keys = Array.from({ length: 16 }, (_, index) => prefix(8, index + 2));
    const rows = {
      count: 16, keys: Buffer.concat(keys), values: Buffer.concat(keys.map(() => word(1))),
    };
    t.deepEqual(trie.updateMany(rows, 'any'), { written: 14, error: { kind: 'ENOSPC' } });
    t.is(trie.dump().length, 16);
    t.deepEqual(trie.removeMany(rows), { written: 16 });
    t.is(trie.dump().length, 2);
  });
});

test('a full LRU map takes new rows all the same', (t) => {
  withRig((rig) => {
    const lru = rig.map('t_lru');
    const numbers = Array.from({ length: 3_000 }, (_, index) => index);
    const rows = {
      count: 3_000,
      keys: Buffer.concat(numbers.map(word)), values: Buffer.concat(numbers.map(long)),
    };
    t.deepEqual(lru.updateMany(rows, 'any'), { written: 3_000 });
    t.true(lru.dump().length <= 1_024);
    t.is(number(lru.lookup(word(2_999))), 2_999);
  });
});

test('mapped cells are what programs read and write', (t) => {
  withRig((rig) => {
    const mapped = rig.map('t_mapped');
    const raw = new Uint8Array(8);
    t.true(mapped.update({ key: word(2), value: long(5) }, 'any').ok);
    t.is(addon.mapLookup(mapped.handle, word(2), raw), 0);
    t.is(number(raw), 5);
    t.is(addon.mapUpdate(mapped.handle, word(3), long(6), 0), 0);
    t.is(number(mapped.lookup(word(3))), 6);
  });
});

/** Walks the whole map in pages of `rowsMax`, calling `between` after each page. */
function walk(map: KernelMap, rowsMax: number, between: (page: number) => void): Set<number> {
  const seen = new Set<number>();
  let from: Uint8Array | undefined;
  let page = 0;
  do {
    const { rows, next } = map.scan(from, rowsMax);
    for (let row = 0; row < rows.count; row += 1) {
      seen.add(new DataView(rows.keys.buffer, rows.keys.byteOffset + row * 4).getUint32(0, true));
    }
    from = next;
    between(page++);
  } while (from !== undefined && page < 10_000);
  return seen;
}

test('a walk meets every row that stays, while others come and go', (t) => {
  withRig((rig) => {
    const hash = rig.map('t_hash');
    const stay = Array.from({ length: 2_000 }, (_, index) => index);
    hash.updateMany({
      count: 2_000, keys: Buffer.concat(stay.map(word)), values: Buffer.concat(stay.map(long)),
    }, 'any');
    const seen = walk(hash, 64, (page) => {
      hash.update({ key: word(100_000 + page), value: long(1) }, 'any');
      hash.remove(word(100_000 + page - 5));
    });
    t.true(stay.every((one) => seen.has(one)));
  });
});
