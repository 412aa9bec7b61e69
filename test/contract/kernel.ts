import anyTest, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { KernelPort, MapBatch, MapEntry, MapFlag } from '../../lb/ports.ts';

/** One kernel for one test. Keys of every map are 20 bytes and values 16, but for `array`. */
export interface KernelBench {
  readonly kernel: KernelPort;
  /** A hash with room for thousands. */
  readonly hash: string;
  /** A hash with room for exactly four; asked for at most once, and then `hash` is left alone. */
  small(): string;
  readonly array: ArrayMap;
  /** Another process on the same kernel, that can die. */
  holder(): { readonly kernel: KernelPort; die(): void };
  /** Lets happen what is due: callbacks of locks. */
  pass(): Promise<void>;
  close(): void;
}

export interface ArrayMap {
  readonly name: string;
  readonly cells: number;
  readonly valueSize: number;
}

export interface KernelContract {
  /** Begins every title. */
  readonly name: string;
  readonly skip?: boolean;
  setup(): KernelBench;
}

const keyOf = (number: number): Uint8Array => {
  const key = new Uint8Array(20);
  new DataView(key.buffer).setUint32(0, number, true);
  return key;
};
const valueOf = (number: number): Uint8Array => new Uint8Array(16).fill(number);
const entry = (key: number, value = key): MapEntry => ({ key: keyOf(key), value: valueOf(value) });
const batch = (numbers: readonly number[], value?: number): MapBatch => ({
  count: numbers.length,
  keys: Buffer.concat(numbers.map(keyOf)),
  values: Buffer.concat(numbers.map((number) => valueOf(value ?? number))),
});
const index = (number: number): Uint8Array => {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, number, true);
  return key;
};
const cell = ({ valueSize }: ArrayMap, number: number): Uint8Array => (
  new Uint8Array(valueSize).fill(number)
);

function numbersOf(entries: readonly MapEntry[]): number[] {
  return entries.map(({ key }) => new DataView(key.buffer, key.byteOffset).getUint32(0, true))
    .toSorted((left, right) => left - right);
}

/** What every `KernelPort` does, whoever stands behind it (ARCHITECTURE.md, rule 2). */
export function kernelContract(contract: KernelContract): void {
  const test = contract.skip === true ? anyTest.skip : anyTest.serial;
  const claim = (
    title: string, body: (t: ExecutionContext, bench: KernelBench) => void | Promise<void>,
  ): void => test(`${contract.name}: ${title}`, async (t) => {
    const bench = contract.setup();
    try {
      await body(t, bench);
    } finally {
      bench.close();
    }
  });
  elements(claim);
  flagRows(claim);
  refusals(claim);
  batches(claim);
  mixes(claim);
  walks(claim);
  arrays(claim);
  locks(claim);
}

type Claim = (
  title: string, body: (t: ExecutionContext, bench: KernelBench) => void | Promise<void>,
) => void;

function elements(claim: Claim): void {
  claim('a map keeps copies of what it was given, and gives copies', (t, { kernel, hash }) => {
    const given = entry(1);
    t.true(kernel.update(hash, given, 'any').ok);
    given.value[0] = 99;
    const read = kernel.lookup(hash, keyOf(1))!;
    t.deepEqual([...read], [...valueOf(1)]);
    read[0] = 99;
    t.deepEqual([...kernel.lookup(hash, keyOf(1))!], [...valueOf(1)]);
  });

}

function flagRows(claim: Claim): void {
  const flags: readonly (readonly [boolean, MapFlag, string])[] = [
    [false, 'any', 'ok'], [true, 'any', 'ok'],
    [false, 'noexist', 'ok'], [true, 'noexist', 'EEXIST'],
    [false, 'exist', 'ENOENT'], [true, 'exist', 'ok'],
  ];
  for (const [present, flag, outcome] of flags) {
    const state = present ? 'a present' : 'an absent';
    claim(`update with ${flag} of ${state} key: ${outcome}`, (t, { kernel, hash }) => {
      if (present) kernel.update(hash, entry(1, 7), 'any');
      const result = kernel.update(hash, entry(1, 8), flag);
      t.is(result.ok ? 'ok' : result.error.kind, outcome);
      const kept = kernel.lookup(hash, keyOf(1))?.[0];
      t.is(kept, outcome === 'ok' ? 8 : present ? 7 : undefined);
    });
  }

}

function refusals(claim: Claim): void {
  claim('deleting an absent key succeeds', (t, { kernel, hash }) => {
    t.true(kernel.remove(hash, keyOf(1)).ok);
    kernel.update(hash, entry(1), 'any');
    t.true(kernel.remove(hash, keyOf(1)).ok);
    t.is(kernel.lookup(hash, keyOf(1)), undefined);
  });

  claim('an unknown map is ENOENT and has nothing in it', (t, { kernel }) => {
    const refused = { ok: false, error: { kind: 'ENOENT' } };
    t.deepEqual(kernel.update('fl_none', entry(1), 'any'), refused as never);
    t.deepEqual(kernel.remove('fl_none', keyOf(1)), refused as never);
    t.is(kernel.lookup('fl_none', keyOf(1)), undefined);
    t.deepEqual(kernel.dump('fl_none'), []);
  });

  claim('sizes that are not those of the map are EINVAL', (t, { kernel, hash }) => {
    const long = { key: keyOf(1), value: new Uint8Array(17) };
    const short = { key: new Uint8Array(19), value: valueOf(1) };
    for (const wrong of [long, short]) {
      const refused = { ok: false, error: { kind: 'EINVAL' } };
      t.deepEqual(kernel.update(hash, wrong, 'any'), refused as never);
    }
    t.deepEqual(kernel.dump(hash), []);
  });

  claim('a full map refuses a new key but accepts an overwrite', (t, { kernel, ...of }) => {
    const small = of.small();
    for (const number of [1, 2, 3, 4]) t.true(kernel.update(small, entry(number), 'any').ok);
    t.deepEqual(
      kernel.update(small, entry(5), 'any'), { ok: false, error: { kind: 'E2BIG' } },
    );
    t.true(kernel.update(small, entry(4, 9), 'any').ok);
    kernel.remove(small, keyOf(1));
    t.true(kernel.update(small, entry(5), 'any').ok);
  });
}

function batches(claim: Claim): void {
  claim('a batch is written in order, thousands at once', (t, { kernel, hash }) => {
    const numbers = Array.from({ length: 2_500 }, (_, number) => number);
    t.deepEqual(kernel.updateMany(hash, batch(numbers, 7), 'any'), { written: 2_500 });
    t.deepEqual(numbersOf(kernel.dump(hash)), numbers);
    const values = kernel.lookupMany(hash, batch([0, 2_499, 2_500]));
    t.deepEqual(values.map((value) => value?.[0]), [7, 7, undefined]);
    t.deepEqual(kernel.removeMany(hash, batch(numbers)), { written: 2_500 });
    t.deepEqual(kernel.dump(hash), []);
  });

  claim('a batch stops at the first refusal and says how far it came', (t, { kernel, ...of }) => {
    const small = of.small();
    const outcome = kernel.updateMany(small, batch([1, 2, 3, 4, 5, 6]), 'any');
    t.deepEqual(outcome, { written: 4, error: { kind: 'E2BIG' } });
    t.deepEqual(numbersOf(kernel.dump(small)), [1, 2, 3, 4]);
  });

  claim('flags hold for each row of a batch', (t, { kernel, hash }) => {
    kernel.update(hash, entry(3, 9), 'any');
    t.deepEqual(
      kernel.updateMany(hash, batch([1, 2, 3, 4]), 'noexist'),
      { written: 2, error: { kind: 'EEXIST' } },
    );
    t.deepEqual(
      kernel.updateMany(hash, batch([1, 4, 2], 5), 'exist'),
      { written: 1, error: { kind: 'ENOENT' } },
    );
    const values = kernel.lookupMany(hash, batch([1, 2, 3, 4]));
    t.deepEqual(values.map((value) => value?.[0]), [5, 2, 9, undefined]);
  });

  claim('a batch removes what is there and passes over what is not', (t, { kernel, hash }) => {
    kernel.updateMany(hash, batch([1, 2, 3, 4]), 'any');
    const keys = batch([9, 1, 8, 7, 3, 1, 10]);
    t.deepEqual(kernel.removeMany(hash, keys), { written: 7 });
    t.deepEqual(numbersOf(kernel.dump(hash)), [2, 4]);
  });

  claim('an empty batch is no refusal', (t, { kernel, hash }) => {
    t.deepEqual(kernel.updateMany(hash, batch([]), 'any'), { written: 0 });
    t.deepEqual(kernel.removeMany(hash, batch([])), { written: 0 });
  });

}

function mixes(claim: Claim): void {
  claim('any mix of writes leaves what a Map would hold', (t, bench) => {
    const { kernel, hash } = bench;
    const held = new Map<number, number>();
    const step = fc.record({
      numbers: fc.array(fc.nat(40), { maxLength: 12 }), value: fc.nat(255), put: fc.boolean(),
    });
    fc.assert(fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      for (const { numbers, value, put } of steps) {
        if (put) kernel.updateMany(hash, batch(numbers, value), 'any');
        else kernel.removeMany(hash, batch(numbers));
        for (const number of numbers) {
          if (put) held.set(number, value);
          else held.delete(number);
        }
      }
      const entries = kernel.dump(hash);
      const rows = entries.map(({ value }, at) => [numbersOf([entries[at]!])[0]!, value[0]!]);
      return JSON.stringify(rows.toSorted(([a = 0], [b = 0]) => a - b))
        === JSON.stringify([...held].toSorted(([a], [b]) => a - b));
    }), { numRuns: 50, seed: 7 });
    t.pass();
  });
}

function walks(claim: Claim): void {
  claim('a walk in pages meets every row once while nobody writes', (t, { kernel, hash }) => {
    const numbers = Array.from({ length: 300 }, (_, number) => number);
    kernel.updateMany(hash, batch(numbers), 'any');
    const seen: MapEntry[] = [];
    let pages = 0;
    let from: Uint8Array | undefined;
    do {
      const page = kernel.scan(hash, from, 64);
      for (let row = 0; row < page.rows.count; row += 1) {
        const key = page.rows.keys.slice(row * 20, row * 20 + 20);
        seen.push({ key, value: page.rows.values.slice(row * 16, row * 16 + 16) });
      }
      from = page.next;
      pages += 1;
    } while (from !== undefined && pages < 100);
    t.deepEqual(numbersOf(seen), numbers);
    t.true(pages > 3 && pages < 20, `${pages} pages`);
    t.true(seen.every(({ key, value }) => value[0] === key[0]));
  });

  claim('a count in pages counts every row once', (t, { kernel, hash }) => {
    kernel.updateMany(hash, batch(Array.from({ length: 300 }, (_, number) => number)), 'any');
    let [rows, pages] = [0, 0];
    let from: Uint8Array | undefined;
    do {
      const { count, next } = kernel.tally(hash, from, 64);
      rows += count;
      pages += 1;
      from = next;
    } while (from !== undefined && pages < 100);
    t.is(rows, 300);
    t.true(pages > 3 && pages < 20, `${pages} pages`);
    t.deepEqual(kernel.tally('no such map', undefined, 64), { count: 0, next: undefined });
  });

  claim('a walk of an empty map has one empty page', (t, { kernel, hash }) => {
    t.like(kernel.scan(hash, undefined, 64), { rows: { count: 0 }, next: undefined });
  });
}

function arrays(claim: Claim): void {
  claim('an array has its cells from the start, and none beyond its end', (t, bench) => {
    const { kernel, array } = bench;
    const [last, beyond] = [array.cells - 1, array.cells];
    t.deepEqual([...kernel.lookup(array.name, index(last))!], [...cell(array, 0)]);
    t.is(kernel.lookup(array.name, index(beyond)), undefined);
    t.true(kernel.update(array.name, { key: index(last), value: cell(array, 7) }, 'exist').ok);
    t.deepEqual([...kernel.lookup(array.name, index(last))!], [...cell(array, 7)]);
  });

  claim('an array refuses insertions, deletions and indices beyond its end', (t, bench) => {
    const { kernel, array: { name, cells }, array } = bench;
    const wrong = [
      kernel.update(name, { key: index(0), value: cell(array, 1) }, 'noexist'),
      kernel.remove(name, index(0)),
      kernel.update(name, { key: index(cells), value: cell(array, 1) }, 'any'),
    ];
    t.deepEqual(
      wrong.map((result) => (result.ok ? 'ok' : result.error.kind)), ['EEXIST', 'EINVAL', 'E2BIG'],
    );
  });

  claim('a batch over an array stops at its end', (t, { kernel, array }) => {
    const keys = [array.cells - 2, array.cells - 1, array.cells].map(index);
    const rows = {
      count: 3, keys: Buffer.concat(keys),
      values: Buffer.concat([5, 6, 7].map((number) => cell(array, number))),
    };
    t.deepEqual(
      kernel.updateMany(array.name, rows, 'any'), { written: 2, error: { kind: 'E2BIG' } },
    );
    const kept = kernel.lookupMany(array.name, { count: 3, keys: rows.keys });
    t.deepEqual(kept.map((value) => value?.[0]), [5, 6, undefined]);
  });
}

function locks(claim: Claim): void {
  claim('one process holds a host lock; the next has it when that one dies', async (t, bench) => {
    const told: string[] = [];
    const holders = ['first', 'second', 'third'].map((name) => {
      const holder = bench.holder();
      holder.kernel.hostLock(`fairlead-contract-${process.pid}`, () => told.push(name));
      return holder;
    });
    t.deepEqual(told, [], 'never inside the call');
    await bench.pass();
    t.deepEqual(told, ['first']);
    holders[0]!.die();
    await bench.pass();
    t.is(told.length, 2);
    for (const [at, name] of ['second', 'third'].entries()) {
      if (told.includes(name)) holders[at + 1]!.die();
    }
    await bench.pass();
    t.deepEqual(told.toSorted(), ['first', 'second', 'third']);
    for (const holder of holders) holder.die();
  });

  claim('the boot id is a UUID and stays', (t, { kernel }) => {
    t.regex(kernel.bootId, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u);
    t.is(kernel.bootId, kernel.bootId);
  });
}
