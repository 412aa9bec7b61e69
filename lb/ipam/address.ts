import { ipFromNumber, ipNumber, type Family, type Ip } from '../ip.ts';

/**
 * An address as the allocator counts: a number is IPv4, a BigInt is IPv6. Both are map keys by
 * value; text stays at the edges (lb-ipam.md 13).
 */
export type Address = number | bigint;

export function addressOf(ip: Ip): Address {
  if (ip.includes(':')) return ipNumber(ip);
  let number = 0;
  let octet = 0;
  for (let index = 0; index < ip.length; index += 1) {
    const code = ip.charCodeAt(index);
    if (code === dot) {
      number = number * 256 + octet;
      octet = 0;
    } else {
      octet = octet * 10 + code - zero;
    }
  }
  return number * 256 + octet;
}

const dot = 0x2e;
const zero = 0x30;

export function ipOf(address: Address): Ip {
  if (typeof address === 'bigint') return ipFromNumber(address, 'IPv6');
  const high = `${address >>> 24}.${(address >>> 16) & 0xff}`;
  return `${high}.${(address >>> 8) & 0xff}.${address & 0xff}` as Ip;
}

export function addressFamily(address: Address): Family {
  return typeof address === 'number' ? 'IPv4' : 'IPv6';
}

/** IPv4 before IPv6, then by value. */
export function compareAddress(left: Address, right: Address): number {
  if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** An inclusive range of one family. */
export interface Span {
  readonly first: Address;
  readonly last: Address;
}

/** The span between two integers of a family; they must lie in it. */
export function spanOf(family: Family, ends: { first: bigint; last: bigint }): Span {
  if (family === 'IPv6') return ends;
  return { first: Number(ends.first), last: Number(ends.last) };
}

export function spanSize(span: Span): bigint {
  return BigInt(span.last) - BigInt(span.first) + 1n;
}

export function spanText(span: Span): string {
  return `${ipOf(span.first)}-${ipOf(span.last)}`;
}

/** True when the spans share an address; never across families. */
export function spansOverlap(left: Span, right: Span): boolean {
  if (typeof left.first !== typeof right.first) return false;
  return left.first <= right.last && right.first <= left.last;
}

/**
 * Spans in ascending order, overlapping and adjoining ones merged: what a set of blocks covers,
 * each address once.
 */
export function mergeSpans(spans: readonly Span[]): readonly Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => compareAddress(a.first, b.first))) {
    const before = merged.at(-1);
    const joins = before !== undefined && typeof before.last === typeof span.first
      && BigInt(span.first) <= BigInt(before.last) + 1n;
    if (!joins) merged.push(span);
    else if (span.last > before.last) merged[merged.length - 1] = { ...before, last: span.last };
  }
  return merged;
}

/** Index of the span that contains `address` in ascending disjoint `spans`, or -1. */
export function findSpan(spans: readonly Span[], address: Address): number {
  let low = 0;
  let high = spans.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const span = spans[middle];
    if (span === undefined) return -1;
    if (compareAddress(address, span.first) < 0) high = middle - 1;
    else if (compareAddress(address, span.last) > 0) low = middle + 1;
    else return middle;
  }
  return -1;
}
