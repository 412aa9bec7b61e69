import test from 'ava';
import fc from 'fast-check';
import {
  addressOf, compareAddress, findSpan, ipOf, mergeSpans, spansOverlap, type Address, type Span,
} from '../../lb/ipam/address.ts';
import { findConflicts } from '../../lb/ipam/conflict.ts';
import { Heap } from '../../lb/heap.ts';
import { compareAge } from '../../lb/ipam/age.ts';
import { judgePool } from '../../lb/ipam/pool.ts';
import { AddressRange } from '../../lb/ipam/range.ts';
import { readRecord, sameRecord, writeRecord, type RecordItem } from '../../lb/ipam/record.ts';
import { ip, ipFromNumber, type Ip } from '../../lb/ip.ts';
import { condition, poolObject } from './objects.ts';
import type { Meta } from '../../lb/model.ts';

const runs = { numRuns: 300, seed: 4 };

const v4 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const v6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
const anyAddress: fc.Arbitrary<Address> = fc.oneof(v4, v6);

test('an address survives the way to text and back, and sorts by value', (t) => {
  fc.assert(fc.property(anyAddress, anyAddress, (left, right) => {
    const family = typeof left === 'number' ? 'IPv4' : 'IPv6';
    const order = Math.sign(compareAddress(left, right)) + Math.sign(compareAddress(right, left));
    return addressOf(ipOf(left)) === left && ipOf(left) === ipFromNumber(BigInt(left), family)
      && order === 0;
  }), runs);
  t.is(addressOf(ip('255.255.255.255')), 2 ** 32 - 1);
});

/** A range with the sets that it must agree with. */
const ranges: readonly (readonly [string, Span, readonly Address[]])[] = [
  ['three addresses', { first: 5, last: 7 }, [5, 6, 7]],
  ['a /24', { first: 0x0a000a00, last: 0x0a000aff }, [0x0a000a00, 0x0a000a07, 0x0a000a20, 0x0a000aff]],
  ['a /12 across leaves', { first: 0x0a100000, last: 0x0a1fffff }, [0x0a100000, 0x0a10ffff, 0x0a110000, 0x0a1fffff]],
  ['a /64', { first: 1n << 64n, last: (2n << 64n) - 1n }, [1n << 64n, (1n << 64n) + 1n, (1n << 64n) + 65_536n, (2n << 64n) - 1n]],
  ['an odd /100', { first: 7n, last: 7n + (1n << 28n) }, [7n, 8n, 9n, 300n, 7n + (1n << 28n)]],
  ['all of IPv6', { first: 0n, last: (1n << 128n) - 1n }, [0n, 1n, 1n << 100n, (1n << 128n) - 1n]],
];
for (const [name, span, chosen] of ranges) {
  test(`${name} agrees with a set in every order of takes and frees`, (t) => {
    const operation = fc.tuple(
      fc.constantFrom('take', 'free', 'lowest'), fc.constantFrom(...chosen),
    );
    fc.assert(fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const range = new AddressRange(span);
      const taken = new Set<Address>();
      for (const [kind, address] of operations) {
        if (kind === 'take') same(
          range.take(address), !taken.has(address) && (taken.add(address), true),
        );
        if (kind === 'free') same(range.free(address), taken.delete(address));
        if (kind === 'lowest') {
          const lowest = lowestOutside(span, taken);
          same(range.takeLowest(), lowest);
          if (lowest !== undefined) taken.add(lowest);
        }
        same(range.taken, taken.size);
        for (const other of chosen) same(range.has(other), taken.has(other));
      }
    }), { ...runs, numRuns: 100 });
    t.pass();
  });
}

function same(left: unknown, right: unknown): void {
  if (left !== right) throw new Error(`${String(left)} against ${String(right)}`);
}

function lowestOutside(span: Span, taken: ReadonlySet<Address>): Address | undefined {
  const step = typeof span.first === 'number' ? 1 : 1n;
  for (let at = span.first; at <= span.last; at = (at as number) + (step as number)) {
    if (!taken.has(at)) return at;
  }
  return undefined;
}

test('a chunk that crowds becomes dense without losing an address', (t) => {
  const first = 1n << 70n;
  const range = new AddressRange({ first, last: first + (1n << 64n) - 1n });
  for (let index = 0; index < 70_000; index += 1) t.is(
    range.takeLowest() === first + BigInt(index), true,
  );
  for (let index = 69_999; index >= 0; index -= 3) range.free(first + BigInt(index));
  t.is(range.takeLowest(), first);
  t.is(range.takeLowest(), first + 3n);
  t.is(range.taken, 70_000 - 23_334 + 2);
});

test('a full /16 refuses, and gives the one that was freed', (t) => {
  const range = new AddressRange({ first: 0x0a000000, last: 0x0a00ffff });
  for (let index = 0; index < 65_536; index += 1) range.takeLowest();
  t.true(range.full);
  t.is(range.takeLowest(), undefined);
  range.free(0x0a001234);
  t.is(range.takeLowest(), 0x0a001234);
});

const smallSpan = fc.tuple(fc.nat(60), fc.nat(12), fc.boolean()).map(([first, size, six]): Span => {
  const last = first + size;
  return six ? { first: BigInt(first), last: BigInt(last) } : { first, last };
});
const smallSpans = fc.array(smallSpan, { maxLength: 8 });

test('merged spans are disjoint, ascending and cover the same addresses', (t) => {
  fc.assert(fc.property(smallSpans, (spans) => {
    const merged = mergeSpans(spans);
    for (let number = 0; number < 80; number += 1) {
      for (const address of [number, BigInt(number)]) {
        const covered = spans.some((span) => spansOverlap(span, { first: address, last: address }));
        same(findSpan(merged, address) >= 0, covered);
      }
    }
    return merged.every((span, index) => {
      const before = merged[index - 1];
      return before === undefined || typeof before.last !== typeof span.first
        || BigInt(before.last) + 1n < BigInt(span.first);
    });
  }), runs);
  t.pass();
});

const meta: Meta = {
  namespace: '', name: 'p', uid: 'u', resourceVersion: '1', generation: 1, createdAtMs: 0,
  deleting: false, labels: {}, annotations: {},
};

test('conflicts are what comparing every block with every accepted one would find', (t) => {
  const pool = smallSpans.map(
    (spans) => spans.map((span) => `${ipOf(span.first)}-${ipOf(span.last)}`).join(' '),
  );
  fc.assert(fc.property(fc.array(pool, { maxLength: 6 }), (texts) => {
    const contenders = texts.flatMap((text, index) => {
      const judged = judgePool(poolObject(meta, text, {}));
      return judged.kind === 'invalid' ? [] : [{ name: `p${index}`, config: judged.config }];
    });
    const conflicts = findConflicts(contenders);
    const accepted: Span[] = [];
    for (const { name, config } of contenders) {
      const { blocks } = config;
      const internal = blocks.some(
        (one, index) => blocks.slice(index + 1).some((two) => spansOverlap(one, two)),
      );
      const external = blocks.some((one) => accepted.some((two) => spansOverlap(one, two)));
      same(conflicts.has(name), internal || external);
      if (!internal && !external) accepted.push(...blocks);
    }
  }), runs);
  t.pass();
});

test('the heap gives the oldest of what was added and not deleted', (t) => {
  const item = fc.record(
    {
      createdAtMs: fc.constantFrom(1, 2, undefined),
      namespace: fc.constant('n'),
      name: fc.constantFrom('a', 'b', 'c', 'd'),
    },
  );
  const operation = fc.tuple(fc.constantFrom('add', 'delete', 'pop'), item);
  fc.assert(fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
    const heap = new Heap<typeof known extends Map<string, infer V> ? V : never>(compareAge);
    const known = new Map<string, {
      createdAtMs: number | undefined; namespace: string; name: string,
    }>();
    const members = new Set<string>();
    for (const [kind, value] of operations) {
      const key = `${value.createdAtMs}/${value.name}`;
      const object = known.get(key) ?? value;
      known.set(key, object);
      if (kind === 'add') {
        heap.add(object);
        members.add(key);
      } else if (kind === 'delete') {
        heap.delete(object);
        members.delete(key);
      } else {
        const oldest = [...members].map((name) => known.get(name)!).sort(compareAge)[0];
        same(heap.pop(), oldest);
        if (oldest !== undefined) members.delete(`${oldest.createdAtMs}/${oldest.name}`);
      }
      same(heap.size, members.size);
    }
  }), runs);
  t.pass();
});

const recordItem: fc.Arbitrary<RecordItem> = fc.record({
  address: anyAddress,
  origin: fc.oneof(
    fc.constant({ kind: 'node' as const }),
    fc.record({ kind: fc.constant('pool' as const), pool: fc.constantFrom('lan', 'a.b-c', '0') }),
  ),
});

test('a record reads back as written, and its order means nothing', (t) => {
  // A mapped text is no address, so it cannot stand in a record.
  const items = fc.uniqueArray(
    recordItem, { selector: (item) => String(item.address), maxLength: 5 },
  )
    .filter((list) => list.every((item) => !(ipOf(item.address) as string).startsWith('::ffff:')));
  fc.assert(fc.property(items, (list) => {
    const written = writeRecord(list, 3);
    const stored = { ...written, lastTransitionTime: undefined };
    const read = readRecord([stored]);
    return read !== undefined && sameRecord(read, list) && sameRecord(read, list.toReversed());
  }), runs);
  t.pass();
});

const malformed = test.macro({
  exec: (t, verdict: string, message: string) => {
    t.is(readRecord([condition('fairlead.dev/IPAMAllocation', verdict, message)]), undefined);
  },
  title: (_, verdict, message) => `record ${verdict} '${message}' counts as absent`,
});

test(malformed, 'True/allocated', '');
test(malformed, 'True/allocated', '10.0.0.1');
test(malformed, 'True/allocated', '10.0.0.1=pool/');
test(malformed, 'True/allocated', '10.0.0.1=pool/a,');
test(malformed, 'True/allocated', '10.0.0.1=host');
test(malformed, 'True/allocated', '10.0.0.01=node');
test(malformed, 'True/allocated', '10.0.0.1=pool/a, 10.0.0.2=pool/a');
test(malformed, 'True/none', '10.0.0.1=pool/a');
test(malformed, 'False/none', '10.0.0.1=pool/a');
test(malformed, 'Unknown/none', '');

test('no text makes judging a pool throw', (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '10.0.0.0/8', '::/0', '0.0.0.0/0', '10.0.0.1', 'ff::1', '::ffff:1.2.3.4', '/', '1/', 'a%b',
    ),
  );
  const block = fc.record(
    {
      cidr: fc.option(text, { nil: undefined }),
      start: fc.option(text, { nil: undefined }),
      stop: fc.option(text, { nil: undefined }),
    },
  );
  const option = fc.option(text, { nil: undefined });
  fc.assert(fc.property(fc.array(block, { maxLength: 4 }), option, (blocks, first) => {
    const pool = { ...poolObject(meta, blocks, {}), allowFirstLastIps: first };
    return judgePool(pool).kind !== undefined;
  }), runs);
  t.pass();
});

test('special ranges are warned about and kept', (t) => {
  for (const [text, word] of [
    ['127.0.0.0/30', 'loopback'], ['169.254.1.0/24', 'link-local'], ['224.0.0.5', 'multicast'],
    ['0.0.0.0-0.0.0.3', 'unspecified'], ['fe80::/64', 'link-local'], ['ff02::1', 'multicast'],
    ['2001:db8::/64', 'subnet-router'],
  ] as const) {
    const judged = judgePool(poolObject(meta, text, {}));
    t.is(judged.kind, 'warned', text);
    t.true(judged.kind === 'warned' && judged.message.includes(word), text);
  }
  t.is(judgePool(poolObject(meta, '2001:db8::/64', { first: 'No' })).kind, 'valid');
  t.is(judgePool(poolObject(meta, '2001:db8::/127', {})).kind, 'valid');
});

test('the first fault in spec order is named with the number of others', (t) => {
  const faults = [{ path: 'spec.blocks[0].cidr', message: 'is not a string' }];
  const selector = {
    matchLabels: {}, matchExpressions: [{ key: 'a', operator: 'Like', values: [] }],
  };
  const judged = judgePool(
    poolObject(meta, '10.0.0.0/24 10.0.9.0/99', { first: 'yes', selector, faults }),
  );
  t.is(judged.kind, 'invalid');
  if (judged.kind !== 'invalid') return;
  t.is(judged.reason, 'invalid_address');
  t.is(judged.message, 'spec.blocks[0].cidr: is not a string; and 3 more');
});

test('a block that could not be read is one fault, with the reason of the reader', (t) => {
  const faults = [
    { path: 'spec.blocks[0].cidr', message: 'is no text' }, { path: 'status.x', message: 'is odd' },
  ];
  const unread = { cidr: undefined, start: undefined, stop: undefined };
  const judged = judgePool(poolObject(meta, [unread], { faults }));
  t.is(judged.kind === 'invalid' && judged.reason, 'invalid_address');
  t.is(judged.kind === 'invalid' && judged.message, 'spec.blocks[0].cidr: is no text');
});

test('only addresses make an Ip, so a record cannot smuggle anything else', (t) => {
  const texts: Ip[] = [ipOf(0), ipOf(2 ** 32 - 1), ipOf(0n), ipOf(1n)];
  t.deepEqual(texts as string[], ['0.0.0.0', '255.255.255.255', '::', '::1']);
});
