import { errno } from '../errno.ts';
import type { Span } from '../memory.ts';
import type { Runtime } from '../runtime.ts';
import { unsigned, type HelperCall } from './call.ts';

/** Ones'-complement sum of two 32-bit words with the carry added back (csum_add). */
function add(left: number, right: number): number {
  const sum = (left >>> 0) + (right >>> 0);
  return sum > 0xffffffff ? sum - 0xffffffff : sum;
}

function subtract(left: number, right: number): number {
  return add(left, ~right >>> 0);
}

/** The 16-bit checksum of a 32-bit sum (csum_fold). */
function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  const twice = (once & 0xffff) + (once >>> 16);
  return ~twice & 0xffff;
}

/**
 * Sum of the bytes as 16-bit words of this machine, added to `seed` (csum_partial). Zero only if
 * everything is zero: a sum that is a multiple of 0xffff otherwise ends as 0xffffffff.
 */
function partial(runtime: Runtime, span: Span, seed: number): number {
  const { view } = runtime.memory;
  let sum = seed;
  let at = 0;
  for (; at + 4 <= span.length; at += 4) sum = add(sum, view.getUint32(span.address + at, true));
  if (at + 2 <= span.length) {
    sum = add(sum, view.getUint16(span.address + at, true));
    at += 2;
  }
  if (at < span.length) sum = add(sum, view.getUint8(span.address + at));
  return sum;
}

/** Folded to 16 bits without complement (csum_from32to16). */
function from32to16(sum: number): number {
  const swapped = ((sum << 16) | (sum >>> 16)) >>> 0;
  return ((sum + swapped) >>> 16) & 0xffff;
}

/** bpf_csum_diff as of Linux 6.13: the result is folded to 16 bits; earlier ones gave 32. */
const difference: HelperCall = {
  name: 'csum_diff', takes: ['word', 'word', 'word', 'word', 'word'], gives: 'number',
  call(runtime, words) {
    const from = { address: unsigned(words, 0), length: unsigned(words, 1) };
    const to = { address: unsigned(words, 2), length: unsigned(words, 3) };
    const seed = unsigned(words, 4);
    runtime.memory.checkRead(from);
    runtime.memory.checkRead(to);
    if (from.length > 0 && to.length > 0) {
      const added = partial(runtime, to, seed);
      return from32to16(subtract(added, partial(runtime, from, 0)));
    }
    if (to.length > 0) return from32to16(partial(runtime, to, seed));
    if (from.length > 0) return from32to16(~partial(runtime, from, ~seed >>> 0) >>> 0);
    return from32to16(seed);
  },
};

const fieldBytes = 0xf;

/** Where a checksum stands in the packet, and what changed below it. */
interface Replacement {
  readonly offset: number;
  /** Lower and upper half of the u64 `from`. */
  readonly from: number;
  readonly fromUpper: number;
  readonly to: number;
  readonly flags: number;
}

function replacementOf(words: readonly number[]): Replacement {
  return {
    offset: unsigned(words, 0), from: unsigned(words, 1), fromUpper: unsigned(words, 2),
    to: unsigned(words, 3), flags: words[4] ?? -1,
  };
}

/** Why no checksum is replaced there; 0 when it can be. */
function refusal(runtime: Runtime, { offset, flags }: Replacement, legal: number): number {
  if ((flags & ~legal) !== 0) return -errno.EINVAL;
  if (offset > 0xffff || (offset & 1) !== 0) return -errno.EFAULT;
  return runtime.packet.contains(offset, 2) ? 0 : -errno.EFAULT;
}

/** Stores a new checksum for the difference that the size in the flags names. */
function replace(runtime: Runtime, change: Replacement, isLayer3: boolean): number {
  const { from, fromUpper, to, flags } = change;
  const { view } = runtime.memory;
  const at = runtime.packet.data + change.offset;
  const old = view.getUint16(at, true);
  // The stored field is a complement; the sum below is one of the data.
  const sum = ~old >>> 0;
  switch (flags & fieldBytes) {
    case 0:
      if (from !== 0 || fromUpper !== 0) return -errno.EINVAL;
      view.setUint16(at, fold(add(to, sum)), true);
      return 0;
    case 2: {
      const [left, right] = [from & 0xffff, to & 0xffff];
      const next = isLayer3 ? replace2(old, left, right) : fold(add(subtract(sum, left), right));
      view.setUint16(at, next, true);
      return 0;
    }
    case 4:
      view.setUint16(at, fold(add(subtract(sum, from), to)), true);
      return 0;
    default: return -errno.EINVAL;
  }
}

/** csum_replace2 of include/net/checksum.h, which works on 16 bits throughout. */
function replace2(old: number, from: number, to: number): number {
  const without = add16(~old & 0xffff, ~from & 0xffff);
  return ~add16(without, to) & 0xffff;
}

function add16(left: number, right: number): number {
  const sum = left + right;
  return sum > 0xffff ? sum - 0xffff : sum;
}

function replaceLayer3(runtime: Runtime, change: Replacement): number {
  return refusal(runtime, change, fieldBytes) || replace(runtime, change, true);
}

const layer3: HelperCall = {
  name: 'l3_csum_replace', takes: ['unused', 'word', 'wide', 'word', 'flags'], gives: 'status',
  call: (runtime, words) => replaceLayer3(runtime, replacementOf(words)),
};

const layer4Flag = { pseudo: 0x10, mangledZero: 0x20, enforce: 0x40, ipv6: 0x80 } as const;
const layer4Flags = 0xff;

function replaceLayer4(runtime: Runtime, change: Replacement): number {
  const refused = refusal(runtime, change, layer4Flags);
  if (refused !== 0) return refused;
  const { view } = runtime.memory;
  const at = runtime.packet.data + change.offset;
  const keepsZero = (change.flags & layer4Flag.mangledZero) !== 0;
  const enforced = (change.flags & layer4Flag.enforce) !== 0;
  // UDP over IPv4: no checksum stays no checksum, and a computed zero is sent as 0xffff.
  if (keepsZero && !enforced && view.getUint16(at, true) === 0) return 0;
  const status = replace(runtime, change, false);
  const isZero = status === 0 && view.getUint16(at, true) === 0;
  if (keepsZero && isZero) view.setUint16(at, 0xffff, true);
  return status;
}

const layer4: HelperCall = {
  name: 'l4_csum_replace', takes: ['unused', 'word', 'wide', 'word', 'flags'], gives: 'status',
  call: (runtime, words) => replaceLayer4(runtime, replacementOf(words)),
  // oxlint-disable-next-line max-params -- the words of a call cross as they are
  direct: (runtime) => (offset, from, fromUpper, to, flags) => replaceLayer4(runtime, {
    offset: offset >>> 0, from: from >>> 0, fromUpper: fromUpper >>> 0, to: to >>> 0, flags,
  }),
};

export const checksumHelpers: ReadonlyMap<number, HelperCall> = new Map([
  [10, layer3], [11, layer4], [28, difference],
]);
