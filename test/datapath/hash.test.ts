import test from 'ava';
import fc from 'fast-check';
import { ip } from '../../lb/ip.ts';
import { maglevTable, maglevTableSizes } from '../../lb/maglev.ts';
import { affinityKey, defaultHashSeed, flowKey, mix32, murmur32 } from '../../lb/murmur.ts';
import { dropReasonNumber, dropReasons } from '../../lb/reasons.ts';
import { choose } from '../../lb/choose.ts';
import { decide, masquerades } from '../../lb/decide.ts';
import { clusterIp, nameOf, names, service, viewOf, vip } from './fixture.ts';

const seed = defaultHashSeed;
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const flow = {
  source: ip(names['X']!), sourcePort: 40_000, target: ip(vip), targetPort: 80, protocol: 'TCP',
} as const;
const settings = (size: number) => ({ size, seed, protocol: 'TCP' }) as const;
const endpoints = ['a1', 'b1', 'c1'].map((name) => ({ name, ip: ip(names[name]!), port: 8080 }));

const hashes = test.macro({
  exec: (t, bytes: Uint8Array, of: number, hash: number) => t.is(murmur32(bytes, of), hash),
  title: (name) => `datapath V66: ${name}`,
});
test('Hello, world!', hashes, ascii('Hello, world!'), 0x9747b28c, 0x24884cba);
test('the flow X:40000 → VIP:80 TCP', hashes, flowKey(flow), seed, 0xe446959a);
test('the affinity key of X', hashes, affinityKey(flow.source), seed, 0x21bb0707);
// Published values of the reference implementation, tails of each length among them.
test('nothing, seed 0', hashes, ascii(''), 0, 0);
test('nothing, seed 1', hashes, ascii(''), 1, 0x514e28b7);
test('nothing, seed 0xffffffff', hashes, ascii(''), 0xffffffff, 0x81f16f39);
test('four zero bytes', hashes, new Uint8Array(4), 0, 0x2362f9de);
test('aaaa', hashes, ascii('aaaa'), 0x9747b28c, 0x5a97808a);
test('aaa', hashes, ascii('aaa'), 0x9747b28c, 0x283e0130);
test('aa', hashes, ascii('aa'), 0x9747b28c, 0x5d211726);
test('a', hashes, ascii('a'), 0x9747b28c, 0x7fa09ea6);

test('the flow key is the same whichever way an address is written into it', (t) => {
  fc.assert(fc.property(fc.ipV4(), fc.integer({ min: 0, max: 65_535 }), (address, port) => {
    const key = flowKey({ ...flow, source: ip(address), sourcePort: port });
    const octets = address.split('.').map(Number);
    return key.slice(12, 16).every(
      (byte, index) => byte === octets[index],
    ) && key[10] === 0xff && key.length === 40;
  }), { seed: 1, numRuns: 200 });
  t.is(flowKey({ ...flow, source: ip('2001:db8::1') })[15], 1);
});

test('datapath V66: the slots of both keys in a table of 16,381 are c1 and b1', (t) => {
  const table = maglevTable(endpoints, settings(16381));
  t.is(murmur32(flowKey(flow), seed) % 16381, 2409);
  t.is(murmur32(affinityKey(flow.source), seed) % 16381, 7133);
  t.is(endpoints[table[2409]!]!.name, 'c1');
  t.is(endpoints[table[7133]!]!.name, 'b1');
});

const letters = (of: typeof endpoints): string => [...maglevTable(of, settings(13))].map(
  (index) => of[index]!.name[0],
).join(' ');
test('datapath V67: 13 slots of three endpoints, and without b1', (t) => {
  t.is(letters(endpoints), 'b c a c a c b b a a c b a');
  t.is(letters(endpoints.filter((of) => of.name !== 'b1')), 'a c a c c a c c a a c a a');
});

test('a Maglev table does not depend on the order of its endpoints', (t) => {
  fc.assert(fc.property(fc.shuffledSubarray(endpoints, { minLength: 1 }), (of) => {
    const sorted = [...of].sort((left, right) => (left.name < right.name ? -1 : 1));
    return letters(of) === letters(sorted);
  }), { seed: 2, numRuns: 100 });
  t.is(maglevTable([], settings(13)).length, 0);
});

/** Mean and largest share of slots that moved although they were not the leaver's, in percent. */
function moved(count: number): { mean: number; worst: number } {
  const all = Array.from(
    { length: count }, (_, index) => ({ ip: ip(`10.64.${index >> 8}.${index & 255}`), port: 8080 }),
  );
  const before = maglevTable(all, settings(16381));
  const shares = all.map((leaver, gone) => {
    const rest = all.filter((of) => of !== leaver);
    const after = maglevTable(rest, settings(16381));
    let strays = 0;
    for (let slot = 0; slot < before.length; slot += 1) {
      if (before[slot] !== gone && all[before[slot]!] !== rest[after[slot]!]) strays += 1;
    }
    return (100 * strays) / before.length;
  });
  return {
    mean: shares.reduce((sum, share) => sum + share, 0) / count, worst: Math.max(...shares),
  };
}

test('datapath V77: one endpoint less of 10 moves at most 0.7 % beyond its own slots', (t) => {
  const { mean, worst } = moved(10);
  t.true(mean <= 0.7, `${mean}`);
  t.true(worst <= 1.8, `${worst}`);
});

test('datapath V77: one endpoint less of 100 moves at most 1.5 % beyond its own slots', (t) => {
  const { mean, worst } = moved(100);
  t.true(mean <= 1.5, `${mean}`);
  t.true(worst <= 1.8, `${worst}`);
});

const shares = test.macro({
  exec: (t, weights: readonly number[], wanted: readonly number[]) => {
    const of = weights.map(
      (weight, index) => ({ ip: ip(`10.64.7.${index + 1}`), port: 8080, weight }),
    );
    const table = maglevTable(of, settings(16381));
    for (const [index, share] of wanted.entries()) {
      const slots = table.filter((owner) => owner === index).length;
      t.true(
        Math.abs(slots / table.length - share) <= 0.001, `endpoint ${index} has ${slots} slots`,
      );
    }
  },
  title: (
    _, weights: readonly number[], wanted: readonly number[],
  ) => `datapath V77: weights ${weights.join(':')} give shares ${wanted.join(', ')}`,
});
test(shares, [1, 3], [0.25, 0.75]);
test(shares, [1, 2, 5], [0.125, 0.25, 0.625]);

test('reasons have the numbers of datapath.md 13', (t) => {
  t.is(dropReasonNumber('none'), 0);
  t.is(dropReasonNumber('policyEmpty'), 2);
  t.is(dropReasonNumber('natExhausted'), 9);
  t.is(dropReasonNumber('l2Fence'), 23);
  t.is(dropReasons.length, 24);
});

/** What `choose` picks for X → VIP:80 in a variant of the fixture. */
function chosen(
  given: Parameters<typeof viewOf>[0], flowFacts: Partial<Parameters<typeof choose>[1]>,
): string {
  const verdict = decide(viewOf(given), { ...flow, ingress: 'external' });
  if (verdict.kind !== 'forward') return verdict.kind;
  return nameOf(choose(verdict, { tuple: flow, now: 0, draw: 0, ...flowFacts }).ip);
}

const draws = test.macro({
  exec: (t, draw: number, name: string) => t.is(chosen({}, { draw }), name),
  title: (_, draw, name) => `datapath 3: random draw ${draw} of three candidates is ${name}`,
});
test(draws, 0, 'a1'); // the local endpoint stands first
test(draws, 1, 'b1');
test(draws, 2, 'c1');
test(draws, 0xffffffff, 'a1');

const maglev = { options: { algorithm: 'maglev' } } as const;
test('datapath V57: the slot of the flow decides for Maglev, whatever the draw', (t) => {
  t.is(chosen(maglev, { draw: 0 }), 'c1');
  t.is(chosen(maglev, { draw: 1 }), 'c1');
});

test('an affinity Service under Maglev hashes the client alone', (t) => {
  t.is(chosen({ ...maglev, services: [service({ affinitySeconds: 10 })] }, {}), 'b1');
});

const affinity = test.macro({
  exec: (t, age: number, row: string, name: string) => {
    const given = { services: [service({ affinitySeconds: 10 })] };
    t.is(
      chosen(given, { now: age, affinity: { ip: ip(row), port: 8080, last: 0 }, draw: 0 }), name,
    );
  },
  title: (_, age, row, name) =>
    `datapath C24: an affinity row to ${row} of age ${age} µs gives ${name}`,
});
test(affinity, 9_999_999, names['c1']!, 'c1');
test(affinity, 10_000_000, names['c1']!, 'a1'); // as old as the timeout is expired
test(affinity, 0, '10.64.9.9', 'a1'); // no candidate any more

test('the finalizer of V49 spreads the flow to source port 57707', (t) => {
  t.is(50_000 + (mix32(murmur32(flowKey(flow), seed)) % 15_536), 57_707);
});

test('every table size on offer is a prime, so that each skip visits each slot', (t) => {
  for (const size of maglevTableSizes) {
    let divisor = 2;
    while (divisor * divisor <= size && size % divisor !== 0) divisor += 1;
    t.true(divisor * divisor > size, `${size}`);
  }
});

test('datapath V18: a pod that is its own endpoint is masqueraded where nothing else is', (t) => {
  const own = ip(names['a1']!);
  const packet = { ...flow, source: own, target: ip(clusterIp), ingress: 'pod' } as const;
  const verdict = decide(viewOf({}), packet);
  if (verdict.kind !== 'forward') return t.fail(verdict.kind);
  const seen = verdict.candidates.map(
    (of) => `${nameOf(of.ip)} ${masquerades(verdict, of, packet)}`,
  );
  t.deepEqual(seen, ['a1 true', 'b1 false', 'c1 false']);
});
