import { parseIp, parsePrefix, type AddressError, type Family, type Ip } from '../ip.ts';
import type { Pool, PoolBlock } from '../model.ts';
import { err, ok, type Result } from '../result.ts';
import { compileSelector, type Matcher } from '../selector.ts';
import {
  addressFamily, addressOf, mergeSpans, spanOf, spanSize, spansOverlap, spanText,
  type Address, type Span,
} from './address.ts';

/** One block of a good configuration, in spec order. */
export interface Block extends Span {
  readonly family: Family;
  /** `spec.blocks[2]`: where an operator finds it. */
  readonly path: string;
  /** First and last address where `allowFirstLastIPs` is `No`; never more than two. */
  readonly reserved: readonly Address[];
}

/** What a pool gives while its spec is good: blocks, selector and options as one unit. */
export interface PoolConfig {
  readonly blocks: readonly Block[];
  /** What the blocks cover, ascending and disjoint. */
  readonly covered: readonly Span[];
  readonly size: bigint;
  readonly reserved: ReadonlySet<Address>;
  readonly matches: Matcher;
}

export type PoolFaultReason =
  | 'empty_block' | 'missing_start' | 'invalid_address' | 'mixed_families' | 'reversed_range'
  | 'invalid_selector' | 'invalid_option';

export type PoolJudgement =
  | { readonly kind: 'invalid'; readonly reason: PoolFaultReason; readonly message: string }
  | { readonly kind: 'warned'; readonly config: PoolConfig; readonly message: string }
  | { readonly kind: 'valid'; readonly config: PoolConfig };

interface PoolFault {
  readonly reason: PoolFaultReason;
  readonly path: string;
  readonly text: string;
}

interface ReadBlock {
  readonly block: Block;
  readonly warnings: readonly string[];
}

/** Whether a pool's spec can be used, and as what (lb-ipam.md 2.1). One fault spoils all of it. */
export function judgePool(pool: Pool): PoolJudgement {
  // What could not be read counts as unset, which would only be a second fault of the same block.
  const faults = pool.faults.filter(({ path }) => path.startsWith('spec')).map(decodingFault);
  const unread = faults.map((fault) => fault.path);
  const told = (path: string): boolean => unread.some((place) => place.startsWith(path));
  const read: ReadBlock[] = [];
  const reserving = pool.allowFirstLastIps === 'No';
  for (const [index, stored] of pool.blocks.entries()) {
    const path = `spec.blocks[${index}]`;
    const block = readBlock(stored, { path, reserving });
    if (block.ok) read.push(block.value);
    else if (!told(path)) faults.push(block.error);
  }
  if (!told('spec.allowFirstLastIPs')) faults.push(...optionFaults(pool));
  const selector = compileSelector(pool.serviceSelector);
  if (!selector.ok && !told('spec.serviceSelector')) {
    const path = `spec.serviceSelector.${selector.error.path}`;
    faults.push({ reason: 'invalid_selector', path, text: selector.error.message });
  }
  if (faults.length > 0 || !selector.ok) return invalid(faults.toSorted(inSpecOrder));
  const config = configOf(read.map(({ block }) => block), selector.value);
  const warnings = read.flatMap((item) => item.warnings);
  if (warnings.length === 0) return { kind: 'valid', config };
  return { kind: 'warned', config, message: warnings.join('; ') };
}

function configOf(blocks: readonly Block[], matches: Matcher): PoolConfig {
  const covered = mergeSpans(blocks);
  const size = covered.reduce((sum, span) => sum + spanSize(span), 0n);
  const reserved = new Set(blocks.flatMap((block) => block.reserved));
  return { blocks, covered, size, reserved, matches };
}

function optionFaults(pool: Pool): PoolFault[] {
  const option = pool.allowFirstLastIps;
  if (option === undefined || option === 'Yes' || option === 'No') return [];
  const text = `'${option}' is neither Yes nor No`;
  return [{ reason: 'invalid_option', path: 'spec.allowFirstLastIPs', text }];
}

function decodingFault(fault: { path: string; message: string }): PoolFault {
  const { path, message: text } = fault;
  if (path.includes('elector')) return { reason: 'invalid_selector', path, text };
  if (/blocks|cidrs/u.test(path)) return { reason: 'invalid_address', path, text };
  return { reason: 'invalid_option', path, text };
}

function invalid(faults: readonly PoolFault[]): PoolJudgement {
  const [first] = faults;
  if (first === undefined) return { kind: 'invalid', reason: 'invalid_option', message: '' };
  const more = faults.length === 1 ? '' : `; and ${faults.length - 1} more`;
  const message = `${first.path}: ${first.text}${more}`;
  return { kind: 'invalid', reason: first.reason, message };
}

// Blocks by index, then what stands after them; equal ranks keep the order they were found in.
function inSpecOrder(left: PoolFault, right: PoolFault): number {
  return specRank(left.path) - specRank(right.path);
}

function specRank(path: string): number {
  const index = /blocks\[([0-9]{1,9})\]/u.exec(path)?.[1];
  if (index !== undefined) return Number(index);
  if (/blocks/u.test(path)) return -1;
  const tail = ['cidrs', 'allowFirstLastIPs', 'disabled', 'serviceSelector'];
  const place = tail.findIndex((name) => path.includes(name));
  return 1e9 + (place < 0 ? tail.length : place);
}

interface BlockPlace {
  readonly path: string;
  readonly reserving: boolean;
}

function readBlock(stored: PoolBlock, place: BlockPlace): Result<ReadBlock, PoolFault> {
  const { path } = place;
  if (stored.cidr !== undefined && stored.cidr !== '') return readCidr(stored, place);
  if (stored.start === undefined || stored.start === '') {
    const empty = stored.stop === undefined || stored.stop === '';
    const reason = empty ? 'empty_block' : 'missing_start';
    const text = empty ? 'needs cidr or start' : `stop ${stored.stop} has no start`;
    return err({ reason, path, text });
  }
  const start = parseIp(stored.start);
  if (!start.ok) return err(badAddress(`${path}.start`, start.error));
  const hasStop = stored.stop !== undefined && stored.stop !== '';
  const stop = hasStop ? parseIp(stored.stop ?? '') : start;
  if (!stop.ok) return err(badAddress(`${path}.stop`, stop.error));
  return rangeBlock({ start: start.value, stop: stop.value }, path);
}

function rangeBlock(ends: { start: Ip; stop: Ip }, path: string): Result<ReadBlock, PoolFault> {
  const first = addressOf(ends.start);
  const last = addressOf(ends.stop);
  const range = `${ends.start} to ${ends.stop}`;
  if (typeof first !== typeof last) {
    return err({ reason: 'mixed_families', path, text: `${range} mixes IPv4 and IPv6` });
  }
  if (first > last) return err({ reason: 'reversed_range', path, text: `${range} runs backwards` });
  const block = { first, last, family: addressFamily(first), path, reserved: [] };
  return ok({ block, warnings: warn(block, specialWarnings(block)) });
}

function readCidr(stored: PoolBlock, place: BlockPlace): Result<ReadBlock, PoolFault> {
  const { path, reserving } = place;
  const parsed = parsePrefix(stored.cidr ?? '');
  if (!parsed.ok) return err(badAddress(`${path}.cidr`, parsed.error));
  const { family, hostBits } = parsed.value;
  const span = spanOf(family, parsed.value);
  const large = parsed.value.last - parsed.value.first > 1n;
  const reserved = reserving && large ? [span.first, span.last] : [];
  const block = { ...span, family, path, reserved };
  const notes: string[] = [];
  if (hostBits) notes.push(`host bits of ${stored.cidr} are cleared`);
  if (stored.start !== undefined || stored.stop !== undefined) {
    notes.push('start and stop beside cidr are ignored');
  }
  if (family === 'IPv6' && large && reserved.length === 0) {
    notes.push('the all-zero host part is the subnet-router anycast address (RFC 4291 2.6.1)');
  }
  return ok({ block, warnings: warn(block, [...notes, ...specialWarnings(block)]) });
}

function badAddress(path: string, error: AddressError): PoolFault {
  const why = {
    'syntax': 'is no address',
    'zoned': 'names a zone',
    'mapped': 'is IPv4-mapped, which makes its family ambiguous',
    'prefix-length': 'has no fitting prefix length',
  }[error.kind];
  return { reason: 'invalid_address', path, text: `'${error.text}' ${why}` };
}

function warn(block: Block, notes: readonly string[]): readonly string[] {
  if (notes.length === 0) return [];
  return [`${block.path}: ${notes.join(', ')}; the range is ${spanText(block)}`];
}

const special: readonly (Span & { readonly name: string })[] = [
  { name: 'unspecified', first: 0, last: 0 },
  { name: 'loopback', first: 0x7f00_0000, last: 0x7fff_ffff },
  { name: 'link-local', first: 0xa9fe_0000, last: 0xa9fe_ffff },
  { name: 'multicast', first: 0xe000_0000, last: 0xefff_ffff },
  { name: 'unspecified', first: 0n, last: 0n },
  { name: 'loopback', first: 1n, last: 1n },
  { name: 'IPv4-mapped', first: 0xffff_0000_0000n, last: 0xffff_ffff_ffffn },
  { name: 'link-local', first: 0xfe80n << 112n, last: (0xfec0n << 112n) - 1n },
  { name: 'multicast', first: 0xff00n << 112n, last: (1n << 128n) - 1n },
];

function specialWarnings(span: Span): readonly string[] {
  const found = special.filter((range) => spansOverlap(range, span)).map(({ name }) => name);
  return found.length === 0 ? [] : [`has ${found.join(' and ')} addresses`];
}
