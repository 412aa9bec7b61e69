import type { Keywords } from './schema.ts';

// Servers take `::ffff:192.0.2.1` for either family; here its family is ambiguous (lb-ipam.md 2.1),
// as is that of the older `::192.0.2.1`. Judged on texts that are addresses only.
const mapped = '^((0{0,4}:){1,7}[fF]{4}:([0-9]+[.][0-9.]+|[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4})'
  + '|::[0-9]+[.][0-9.]+)(/[0-9]+)?$';

// Servers parse prefixes as they always have, and take 010.0.0.0/8 for 10.0.0.0/8 (CVE-2021-29923).
const zeroLed = '(^|[.:])0[0-9]+[.]|[./]0[0-9]';

/** An IPv4 address without leading zeros. */
export const ipv4Keywords: Keywords = { format: 'ipv4', not: { pattern: `:|${zeroLed}` } };

/** An address, one of both: no leading zeros, no zone, not IPv4-mapped. For `anyOf`. */
export const addressKeywords: readonly Keywords[] = [
  ipv4Keywords,
  { format: 'ipv6', not: { pattern: `${mapped}|${zeroLed}` } },
];

/** An address with a prefix length; host bits may be set. */
export const prefixKeywords: Keywords = {
  format: 'cidr', not: { pattern: `${mapped}|${zeroLed}` },
};

const group = '[0-9a-fA-F]{1,4}';

/** RFC 4291, 2.2 without dotted parts: where a zone follows, which no format of OpenAPI allows. */
export const ipv6Text = [
  `(${group}:){7}${group}`,
  ...[6, 5, 4, 3, 2, 1].map((count) => `(${group}:){${7 - count}}(:${group}){1,${count}}`),
  `(${group}:){1,7}:`,
  `:(:${group}){1,7}`,
  '::',
].join('|');
