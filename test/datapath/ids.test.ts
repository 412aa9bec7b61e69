import test from 'ava';
import fc from 'fast-check';
import { Backends, backendQuarantine } from '../../bpf/datapath/backends.ts';
import { IdCounter, IdPool, RegionPool, type Region } from '../../bpf/datapath/ids.ts';
import {
  addressBytes, addressKey, backendKey, bytesText, frontKey, type BackendImage,
} from '../../bpf/datapath/image.ts';
import { Quarantine } from '../../bpf/datapath/quarantine.ts';
import { encodeAddrKey, encodeFrontKey } from '../../bpf/layout.gen.ts';
import { ip, ipBytes16 } from '../../lb/ip.ts';

test('ids start at 1, end before the limit, and freed ones come back first', (t) => {
  const pool = new IdPool(4);
  t.deepEqual([pool.take(), pool.take(), pool.take(), pool.take()], [1, 2, 3, undefined]);
  pool.release(2);
  t.is(pool.take(), 2);
  t.is(pool.take(), undefined);
});

test('after a restart the gaps are filled from the lowest, then new ids are given', (t) => {
  const pool = new IdPool(8);
  pool.restore(new Set([2, 5]));
  t.deepEqual([1, 2, 3, 4, 5].map(() => pool.take()), [1, 3, 4, 6, 7]);
  t.is(pool.take(), undefined);
});

test('an id is never given twice, whatever is taken and released', (t) => {
  fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (steps) => {
    const pool = new IdPool(12);
    const held: number[] = [];
    for (const take of steps) {
      if (take) {
        const id = pool.take();
        if (id === undefined) t.is(held.length, 11);
        else t.false(held.includes(id));
        if (id !== undefined) held.push(id);
      } else if (held.length > 0) pool.release(held.shift()!);
      t.is(pool.taken, held.length);
    }
  }));
});

test('regions never overlap, cell 0 is none of theirs, and all cells come back', (t) => {
  const step = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(0));
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, seed) => {
    const limit = 32;
    const pool = new RegionPool(limit);
    const held: Region[] = [];
    for (const [index, cells] of steps.entries()) {
      if (cells === 0) {
        const [gone] = held.splice((seed + index) % (held.length || 1), 1);
        if (gone !== undefined) pool.release(gone);
        continue;
      }
      const region = pool.take(cells);
      if (region !== undefined) held.push(region);
      const used = held.flatMap((of) => Array.from({ length: of.cells }, (_, at) => of.base + at));
      t.is(new Set(used).size, used.length);
      t.true(used.every((cell) => cell > 0 && cell < limit));
    }
    for (const region of held) pool.release(region);
    t.deepEqual(pool.take(limit - 1), { base: 1, cells: limit - 1 });
  }));
});

test('a region of an earlier process is reserved once, and its neighbours stay free', (t) => {
  const pool = new RegionPool(10);
  t.true(pool.reserve({ base: 3, cells: 2 }));
  t.false(pool.reserve({ base: 4, cells: 1 }));
  t.false(pool.reserve({ base: 9, cells: 2 }), 'beyond the end');
  t.true(pool.reserve({ base: 5, cells: 1 }));
  t.deepEqual([pool.take(2), pool.take(4), pool.take(1)], [
    { base: 1, cells: 2 }, { base: 6, cells: 4 }, undefined,
  ]);
  pool.release({ base: 3, cells: 2 });
  t.deepEqual(pool.take(2), { base: 3, cells: 2 });
});

test('a counter goes on after a restart, wraps, and passes over what is in use', (t) => {
  const inUse = new Set([1, 2, 5]);
  const counter = new IdCounter((id) => inUse.has(id));
  counter.restore(0xffff_fffe);
  t.deepEqual([1, 2, 3, 4].map(() => counter.take()), [0xffff_ffff, 3, 4, 6]);
});

test('what is in quarantine is told once, when its time is over and not before', (t) => {
  const quarantine = new Quarantine<string>(10);
  quarantine.add('a', 0);
  quarantine.add('b', 5);
  t.is(quarantine.nextDue, 10);
  t.deepEqual(quarantine.release(9), []);
  t.deepEqual(quarantine.release(10), ['a']);
  t.is(quarantine.nextDue, 15);
  t.deepEqual(quarantine.release(99), ['b']);
  t.deepEqual([quarantine.size, quarantine.nextDue], [0, undefined]);
});

function image(last: number): BackendImage {
  const of = { port: 80, proto: 6, flags: 0 };
  return { ...of, key: backendKey(addressKey(ip(`10.0.0.${last}`)), of) };
}

test('a backend that nobody uses keeps its id for the life of a UDP flow, and returns by itself', (t) => {
  const backends = new Backends(3);
  const first = backends.use(image(1), 0)!;
  first.written = true;
  backends.drop(first, 0);
  t.is(backends.use(image(1), 0), first, 'it returns within the quarantine');
  backends.drop(first, 1_000);
  backends.expire(backendQuarantine);
  t.is(backends.use(image(2), 0)!.id, 2, 'the first end was no end');
  t.is(backends.use(image(3), 0), undefined);
  backends.expire(backendQuarantine + 1_000);
  const next = backends.use(image(3), 0)!;
  t.is(next.id, first.id);
  t.not(next.gen, first.gen);
});

test('a backend that was never written gives its id back at once', (t) => {
  const backends = new Backends(2);
  backends.drop(backends.use(image(1), 0)!, 0);
  t.is(backends.use(image(2), 0)!.id, 1);
});

test('locality makes another backend of the same address', (t) => {
  const backends = new Backends(8);
  const near = { ...image(1), flags: 1 };
  const key = backendKey(near.key.slice(0, 16), near);
  t.not(backends.use({ ...near, key }, 0), backends.use(image(1), 0));
});

test('keys made of texts are the bytes that the codecs write', (t) => {
  const texts = ['0.0.0.0', '10.200.0.10', '255.254.253.252', '2001:db8::1', '::1'];
  for (const address of texts.map(ip)) {
    const addr = ipBytes16(address);
    t.is(addressKey(address), bytesText(encodeAddrKey({ addr })), address);
    t.deepEqual(addressBytes(addressKey(address)), addr);
    for (const port of [0, 80, 255, 256, 65_535]) {
      const key = frontKey(addressKey(address), port, 17);
      t.is(key, bytesText(encodeFrontKey({ addr, port, proto: 17 })), `${address} ${port}`);
    }
  }
});
