import test from 'ava';
import fc from 'fast-check';
import { ipv6Bytes, ipv6Text } from '../../lb/ipv6.ts';
import { parseIp } from '../../lb/ip.ts';

const rows: readonly (readonly [text: string, canonical: string])[] = [
  ['::', '::'], ['::1', '::1'], ['1::', '1::'], ['2001:DB8::', '2001:db8::'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], ['0:0:1::', '0:0:1::'],
  ['1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7:0'],
];

const row = test.macro({
  exec(t, text: string, canonical: string) {
    const parsed = parseIp(text);
    t.is(parsed.ok ? parsed.value : undefined, canonical as never);
  },
  title: (_, text, canonical) => `RFC 5952 4: ${text} is written ${canonical}`,
});
for (const [text, canonical] of rows) test(row, text, canonical);

const words = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });

test('every address comes back from its text, and the text says what others read in it', (t) => {
  fc.assert(fc.property(words, (address) => {
    const bytes = Uint8Array.from(address.flatMap((word) => [word >> 8, word & 0xff]));
    const text = ipv6Text(bytes, 0);
    t.deepEqual(ipv6Bytes(text), bytes);
    // The platform's reader and writer of URLs has the same rules (WHATWG, after RFC 5952).
    t.is(new URL(`http://[${text}]/`).hostname, `[${text}]`);
  }));
});
