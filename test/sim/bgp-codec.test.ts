import test from 'ava';
import fc from 'fast-check';
import { ip, parsePrefix, type Family, type Prefix } from '../../lb/ip.ts';
import { decodeMessage, encodeMessage, MessageStream } from '../../sim/bgp/codec.ts';
import type { BgpMessage, PathAttributes } from '../../sim/bgp/message.ts';

const external = { asn4: true, external: true };
const internal = { asn4: true, external: false };
const marker = 'f'.repeat(32);

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16));
}

function decode(hex: string, context = external): unknown {
  return decodeMessage(bytesOf(marker + hex), context);
}

const prefix = (text: string): Prefix => {
  const parsed = parsePrefix(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.value.prefix;
};

/** Messages that daemons sent, as captured from their sockets, without the marker. */
const captured = test.macro({
  exec: (t, hex: string, expected: BgpMessage) =>
    t.deepEqual(decode(hex), { ok: true, value: expected }),
  title: (name) => `reads ${name}`,
});

const both: readonly Family[] = ['IPv4', 'IPv6'];
const restart = (flags: { restarting: boolean; notification: boolean }) => ({
  ...flags, time: 120, families: both.map((family) => ({ family, forwarding: false })),
});

test('an OPEN of gobgpd 3.10 with a large number', captured,
  '004d01045ba0005a0a63000530022e0200490402766d000104000100010104000200014104fa56ea01' +
  '400a407800010100000201000506000100010002', {
    kind: 'open', asn: 4_200_000_001, asn4: true, holdTime: 90, routerId: ip('10.99.0.5'),
    capabilities: {
      families: both, routeRefresh: true, extendedNextHop: true,
      restart: restart({ restarting: false, notification: true }),
    },
  });
test('an OPEN of BIRD 2.0.12', captured,
  '004b0104fdfc00f00a6300052e022c01040001000101040002000102000506000100010002' +
  '400a0078000101000002010041040000fdfc46004700', {
    kind: 'open', asn: 65_020, asn4: true, holdTime: 240, routerId: ip('10.99.0.5'),
    capabilities: {
      families: both, routeRefresh: true, extendedNextHop: true,
      restart: restart({ restarting: false, notification: false }),
    },
  });
test('an IPv4 UPDATE of gobgpd with communities', captured,
  '004a020000002e400101004002060201fa56ea014003040a630005c00808fde8000affffff01' +
  'c0200c0000fde9000000010000000220c6336401', {
    kind: 'update', withdrawn: [],
    announced: [{ nextHop: ip('10.99.0.5'), prefixes: [prefix('198.51.100.1/32')] }],
    attributes: {
      origin: 'igp', asPath: [{ kind: 'sequence', asns: [4_200_000_001] }],
      communities: [0xfde8_000a, 0xffff_ff01], large: [[65_001, 1, 2]],
    },
  });
test('an IPv6 UPDATE of gobgpd', captured,
  '004d0200000036400101024002060201fa56ea01800e2600020110fd000099000000000000000000000005' +
  '008020010db8000000000000000000000001', {
    kind: 'update', withdrawn: [],
    announced: [{ nextHop: ip('fd00:99::5'), prefixes: [prefix('2001:db8::1/128')] }],
    attributes: {
      origin: 'incomplete', asPath: [{ kind: 'sequence', asns: [4_200_000_001] }],
      communities: [], large: [],
    },
  });
test('End-of-RIB for IPv4', captured, '00170200000000',
  { kind: 'update', withdrawn: [], announced: [], endOfRib: 'IPv4' });
test('End-of-RIB for IPv6', captured, '001d0200000006800f03000201',
  { kind: 'update', withdrawn: [], announced: [], endOfRib: 'IPv6' });
test('a KEEPALIVE', captured, '001304', { kind: 'keepalive' });

test('a large number is written as 23456 and in its capability (RFC 6793)', (t) => {
  const capabilities = { families: [], routeRefresh: false, extendedNextHop: false };
  const bytes = encodeMessage({
    kind: 'open', asn: 4_200_000_001, asn4: true, holdTime: 9, routerId: ip('10.0.0.1'),
    capabilities,
  }, external);
  t.is(Buffer.from(bytes).toString('hex'),
    `${marker}00250104` + '5ba0' + '0009' + '0a000001' + '0802064104fa56ea01');
});

/** Faulty messages: length and type of the header are there, the marker is not. */
const refused = test.macro({
  exec: (t, hex: string, code: string) => {
    const answer = decodeMessage(bytesOf(hex), external);
    t.is(answer.ok ? 'taken' : `${answer.error.code}/${answer.error.subcode}`, code);
  },
  title: (name, _, code) => `${name} is answered with ${code}`,
});
test('a wrong marker', refused, `${'0'.repeat(32)}001304`, '1/1');
test('a KEEPALIVE with a body', refused, `${marker}00140400`, '1/2');
test('a length of 18', refused, `${marker}001204`, '1/2');
test('type 9', refused, `${marker}001309`, '1/3');
test('version 3', refused, `${marker}001d0103fde8005a0a00000100`, '2/1');
test('AS 0', refused, `${marker}001d01040000005a0a00000100`, '2/2');
test('identifier 0.0.0.0', refused, `${marker}001d0104fde8005a0000000000`, '2/3');
test('an authentication parameter', refused,
  `${marker}00200104fde8005a0a00000103010100`, '2/4');
test('a hold time of 2 s', refused, `${marker}001d0104fde800020a00000100`, '2/6');
test('more attributes than bytes', refused, `${marker}001702000000ff`, '3/1');
test('a well-known attribute nobody knows', refused,
  `${marker}001a0200000003406300`, '3/2');
test('a prefix of 33 bits', refused, `${marker}001d0200000000` + '21c633640100', '3/10');
test('MP_REACH with a next hop of 5 bytes', refused,
  `${marker}0024020000000d800e0a000101050a0000010000`, '3/9');

/** RFC 7606: what is announced is withdrawn, the session stays. */
const withdrawn = test.macro({
  exec: (t, attributes: string, why: string) => {
    const size = attributes.length / 2;
    const length = 19 + 4 + size + 5;
    const head = `${length.toString(16).padStart(4, '0')}020000`;
    const read = decode(`${head}${size.toString(16).padStart(4, '0')}${attributes}20c6336401`);
    t.deepEqual(read, { ok: true, value: {
      kind: 'update', withdrawn: ['198.51.100.1/32'], announced: [], malformed: why,
    } });
  },
  title: (name) => `${name} withdraws what it announces`,
});
const origin = '400101' + '00';
const path = '4002060201' + '0000fde9';
const hop = '400304' + '0a000001';
test('ORIGIN 3', withdrawn, '40010103' + path + hop, 'attribute 1 is malformed');
test('an optional ORIGIN', withdrawn, '80010100' + path + hop, 'attribute 1 has wrong flags');
test('no ORIGIN', withdrawn, path + hop, 'ORIGIN is missing');
test('no AS_PATH', withdrawn, origin + hop, 'AS_PATH is missing');
test('no NEXT_HOP', withdrawn, origin + path, 'NEXT_HOP is missing');
test('a segment of no numbers', withdrawn, `${origin}4002020200${hop}`, 'attribute 2 is malformed');
test('three bytes of communities', withdrawn, `${origin}${path}${hop}c00803fde800`,
  'attribute 8 is malformed');
test('eight bytes of large communities', withdrawn, `${origin}${path}${hop}c020080000fde900000001`,
  'attribute 32 is malformed');
test('an attribute longer than the list', withdrawn, `${origin}${path}${hop}c008ff`,
  'attribute 8 is longer than the list');

test('a wrong AGGREGATOR is discarded alone', (t) => {
  const list = `${origin}${path}${hop}c007020001`;
  const read = decode(`003702000000${(list.length / 2).toString(16)}${list}20c6336401`);
  t.like(read, { ok: true, value: { kind: 'update', withdrawn: [] } });
});

test('LOCAL_PREF of another system is not believed', (t) => {
  const update = announce({ localPref: 150 });
  const bytes = encodeMessage(update, internal);
  t.like(decodeMessage(bytes, internal), { value: { attributes: { localPref: 150 } } });
  const outside = decodeMessage(bytes, external);
  t.true(outside.ok && outside.value.kind === 'update' &&
    outside.value.attributes?.localPref === undefined);
});

function announce(more: Partial<PathAttributes>): BgpMessage {
  return {
    kind: 'update', withdrawn: [],
    announced: [{ nextHop: ip('10.0.0.1'), prefixes: [prefix('198.51.100.1/32')] }],
    attributes: { origin: 'igp', asPath: [], communities: [], large: [], ...more },
  };
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const asn = fc.integer({ min: 1, max: 0xffff_ffff });
const address4 = u32.map((number) =>
  ip([24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')));
const address6 = fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 7, maxLength: 7 })
  .map((words) => ip(`2001:${words.map((word) => word.toString(16)).join(':')}`));
const prefix4 = fc.tuple(address4, fc.integer({ min: 0, max: 32 }))
  .map(([address, bits]) => prefix(`${address}/${bits}`));
const prefix6 = fc.tuple(address6, fc.integer({ min: 16, max: 128 }))
  .map(([address, bits]) => prefix(`${address}/${bits}`));
const attributes: fc.Arbitrary<PathAttributes> = fc.record({
  origin: fc.constantFrom('igp', 'egp', 'incomplete'),
  asPath: fc.array(fc.record({
    kind: fc.constantFrom('set', 'sequence'), asns: fc.array(asn, { minLength: 1, maxLength: 5 }),
  }), { maxLength: 3 }),
  med: u32, localPref: u32,
  communities: fc.array(u32, { maxLength: 4 }),
  large: fc.array(fc.tuple(u32, u32, u32), { maxLength: 3 }),
}, { requiredKeys: ['origin', 'asPath', 'localPref', 'communities', 'large'] });
const reach = fc.oneof(
  fc.record({ nextHop: address4, prefixes: fc.array(prefix4, { minLength: 1, maxLength: 20 }) }),
  fc.record({ nextHop: address6, prefixes: fc.array(prefix6, { minLength: 1, maxLength: 20 }) }),
  fc.record({ nextHop: address6, prefixes: fc.array(prefix4, { minLength: 1, maxLength: 20 }) }),
);
const updates: fc.Arbitrary<BgpMessage> = fc.record({
  kind: fc.constant('update'), withdrawn: fc.array(prefix4, { maxLength: 5 }),
  announced: reach.map((one) => [one]), attributes,
});
const opens: fc.Arbitrary<BgpMessage> = fc.record({
  kind: fc.constant('open'), asn, asn4: fc.constant(true),
  holdTime: fc.integer({ min: 3, max: 65_535 }),
  routerId: address4.filter((id) => id !== '0.0.0.0'),
  capabilities: fc.record({
    families: fc.uniqueArray(fc.constantFrom<Family>('IPv4', 'IPv6')),
    routeRefresh: fc.boolean(), extendedNextHop: fc.boolean(),
    restart: fc.record({
      restarting: fc.boolean(), notification: fc.boolean(), time: fc.integer({ min: 0, max: 4095 }),
      families: fc.array(fc.record({
        family: fc.constantFrom<Family>('IPv4', 'IPv6'), forwarding: fc.boolean(),
      }), { maxLength: 2 }),
    }),
  }, { requiredKeys: ['families', 'routeRefresh', 'extendedNextHop'] }),
});
const notes: fc.Arbitrary<BgpMessage> = fc.record({
  kind: fc.constant('notification'), code: fc.integer({ min: 1, max: 6 }),
  subcode: fc.integer({ min: 0, max: 10 }), data: fc.uint8Array({ maxLength: 30 }),
});
const messages = fc.oneof(updates, opens, notes);

test('a message survives its bytes', (t) => {
  fc.assert(fc.property(messages, (message) => {
    t.deepEqual(decodeMessage(encodeMessage(message, internal), internal),
      { ok: true, value: message });
  }), { numRuns: 300 });
});

test('large numbers pass an old speaker in AS4_PATH', (t) => {
  const old = { asn4: false, external: false };
  fc.assert(fc.property(updates, (message) => {
    t.deepEqual(decodeMessage(encodeMessage(message, old), old), { ok: true, value: message });
  }), { numRuns: 100 });
});

test('a stream gives the same messages however its bytes are cut', (t) => {
  const some = fc.array(messages, { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(some, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
    (sent, cuts) => {
      const encoded = sent.map((message) => encodeMessage(message, internal));
      const all = Buffer.concat(encoded);
      const stream = new MessageStream();
      const got: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < all.length; turn += 1) {
        const size = cuts[turn % cuts.length]!;
        got.push(...stream.push(all.subarray(at, at + size)));
        at += size;
      }
      t.deepEqual(got.map((one) => Buffer.from(one)), encoded.map((one) => Buffer.from(one)));
    }), { numRuns: 100 });
});

test('no bytes make the decoder fail', (t) => {
  fc.assert(fc.property(messages, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))),
    (message, changes) => {
      const bytes = encodeMessage(message, internal);
      for (const [at, value] of changes) bytes[19 + (at % (bytes.length - 18))] = value;
      const read = decodeMessage(bytes, internal);
      t.true(read.ok || read.error.kind === 'notification');
    }), { numRuns: 500 });
});
