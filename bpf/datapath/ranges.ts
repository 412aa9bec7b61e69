import { bitsOf, ipBytes16, ipFromNumber, parsePrefix, prefixContains } from '../../lb/ip.ts';
import type { Ip } from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import { rangeBit } from '../layout.gen.ts';
import type { ImageOwner } from './image.ts';

/** One row of `fl_range` without its list's id. */
export interface RangeRow {
  /** Counts the 32 bits of the id too. */
  readonly prefixlen: number;
  readonly addr: Uint8Array;
  readonly bits: number;
}

/** The source ranges of one generation of a service port; `text` is equal for equal lists. */
export interface RangeList {
  readonly id: number;
  readonly text: string;
  readonly rows: readonly RangeRow[];
}

const idBits = 32;
const none: readonly RangeRow[] = [];

/**
 * Rows that admit what `SourceRanges` admits: the prefixes, and, where one of them admits an
 * address of this node, each VIP as a source for itself (datapath.md 4.3). None: unrestricted.
 */
export function rangeRowsOf(
  { ranges, vips }: Pick<ImageOwner, 'ranges' | 'vips'>, nodeAddresses: readonly Ip[],
): readonly RangeRow[] {
  if (ranges.length === 0) return none;
  const prefixes = ranges.map((text) => {
    const parsed = parsePrefix(text);
    assert(parsed.ok, `${text} was judged when the list was made`);
    return parsed.value;
  });
  const rows = prefixes.map(({ first, family, prefixBits }) => ({
    prefixlen: idBits + 128 - bitsOf(family) + prefixBits,
    addr: ipBytes16(ipFromNumber(first, family)),
    bits: rangeBit.admit,
  }));
  const admits = (address: Ip): boolean => prefixes.some((of) => prefixContains(of, address));
  if (!nodeAddresses.some(admits)) return unique(rows);
  // A prefix that holds the VIP admits it already, and a longer row would hide that prefix.
  const selves = vips.filter((vip) => !admits(vip)).map((vip) => ({
    prefixlen: idBits + 128, addr: ipBytes16(vip), bits: rangeBit.self,
  }));
  return unique([...rows, ...selves]);
}

/** Equal exactly for rows that admit alike, in whatever order they come. */
export function rangeText(rows: readonly RangeRow[]): string {
  if (rows.length === 0) return '';
  return rows.map(
    ({ prefixlen, addr, bits }) => `${prefixlen} ${addr.join('.')} ${bits}`,
  ).sort(compare).join('\n');
}

function unique(rows: readonly RangeRow[]): readonly RangeRow[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const text = rangeText([row]);
    const first = !seen.has(text);
    seen.add(text);
    return first;
  });
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
