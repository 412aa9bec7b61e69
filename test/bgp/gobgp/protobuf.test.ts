import test from 'ava';
import fc from 'fast-check';
import { v3, v4, wrapped } from '../../../bgp/gobgp/dialect.ts';
import { prefixNlri } from '../../../bgp/gobgp/messages.ts';
import {
  bool, bytes, decode, encode, int32, MalformedMessage, message, packed, repeated, string, uint,
} from '../../../bgp/gobgp/protobuf.ts';

const everything = {
  count: uint(1), port: int32(2), flag: bool(3), name: string(4), raw: bytes(5),
  inner: message(6, { asn: uint(1) }), names: repeated(string(7)), numbers: packed(20),
};

const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex');
const unhex = (text: string): Uint8Array => Buffer.from(text, 'hex');

test('values come back as they were', (t) => {
  fc.assert(fc.property(fc.record({
    count: fc.nat({ max: Number.MAX_SAFE_INTEGER }), port: fc.integer(), flag: fc.boolean(),
    name: fc.string({ unit: 'grapheme' }), raw: fc.uint8Array({ maxLength: 20 }),
    inner: fc.record({ asn: fc.nat({ max: 0xffff_ffff }) }),
    names: fc.array(fc.string()), numbers: fc.array(fc.nat({ max: 0xffff_ffff })),
  }), (value) => {
    t.deepEqual(decode(everything, encode(everything, value)), value);
  }));
  t.pass();
});

const encodes = test.macro({
  exec: (t, value: object, expected: string) => t.is(hex(encode(everything, value)), expected),
  title: (_, value, expected) => `${JSON.stringify(value)} is '${expected}'`,
});

test(encodes, { count: 150 }, '089601');
test(encodes, { port: -1 }, '10ffffffffffffffffff01');
test(encodes, { count: 0, flag: false, name: '' }, '');
test(encodes, { inner: {} }, '3200');
test(encodes, { names: ['', 'a'] }, '3a003a0161');
test(encodes, { numbers: [1, 300] }, 'a2010301ac02');

test('fields that nobody knows are passed over', (t) => {
  // Fields 110, 99 and 98: bytes, eight and four of them.
  const others = 'f206026162' + '99060000000000000000' + '950600000000';
  t.is(decode({ count: uint(1) }, unhex(`${others}0805`)).count, 5);
});

const refused = test.macro({
  exec: (t, text: string) => void t.throws(
    () => decode(everything, unhex(text)), { instanceOf: MalformedMessage },
  ),
  title: (_, text) => `${text} is no message`,
});

test(refused, '08');
test(refused, '22056162');
test(refused, '08ffffffffffffffffffffff');
test(refused, '0b');
test(refused, '0d0000');

// As GoBGP 3.10 and 4.8 sent it.
const typeUrl = 'type.googleapis.com/apipb.IPAddressPrefix';
const nlri3 = `0a29${Buffer.from(typeUrl).toString('hex')}12100820120c3139382e35312e3130302e31`;
const nlri4 = '0a100820120c3139382e35312e3130302e31';

for (const [dialect, text] of [[v3, nlri3], [v4, nlri4]] as const) {
  test(`GoBGP ${dialect.major} wraps a prefix as it was seen to`, (t) => {
    const made = wrapped(
      dialect, { slot: 'nlri', kind: 'IPAddressPrefix', fields: prefixNlri },
      { prefix_len: 32, prefix: '198.51.100.1' },
    );
    t.is(hex(made), text);
    t.like(dialect.unwrap('nlri', made), { kind: 'IPAddressPrefix' });
    t.is(dialect.unwrap('attribute', unhex('0a00')), undefined);
  });
}
