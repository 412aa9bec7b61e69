import { assert } from '../lb/result.ts';

/** Raw draws of all streams of a world so far; part of its trace. */
export interface DrawCounter {
  draws: number;
}

/** A raw draw has 32 bits. */
const drawSpan = 0x1_0000_0000;

/** Integer quantiles of the exponential distribution with mean 1,024, at (i + 0.5) / 1,024. */
const exponentialQuantiles = buildQuantiles();

/**
 * One named stream of random integers: xoshiro128** seeded by MurmurHash3 x86-128 of
 * (seed as 8 bytes little-endian, stream name) (simulator.md 3.1). No floating-point probability.
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  #counter: DrawCounter;

  constructor(seed: bigint, stream: string, counter: DrawCounter = { draws: 0 }) {
    this.#counter = counter;
    const state: number[] = murmur128(seedBytes(seed, stream));
    if (!state.some((word) => word !== 0)) state[0] = 1;
    this.#a = state[0] ?? 0;
    this.#b = state[1] ?? 0;
    this.#c = state[2] ?? 0;
    this.#d = state[3] ?? 0;
  }

  /** Remembers this place of the stream; the returned function goes back to it. */
  mark(): () => void {
    const [a, b, c, d] = [this.#a, this.#b, this.#c, this.#d];
    return () => {
      this.#a = a;
      this.#b = b;
      this.#c = c;
      this.#d = d;
    };
  }

  /** A uniform unsigned 32-bit integer. */
  next(): number {
    this.#counter.draws += 1;
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotate(this.#d, 11);
    return result;
  }

  /** Uniform in [0, bound), bound from 1 to 2^32; rejection sampling, so without bias. */
  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= drawSpan, `${bound} bounds a draw`);
    const unbiased = drawSpan - (drawSpan % bound);
    for (;;) {
      const draw = this.next();
      if (draw < unbiased) return draw % bound;
    }
  }

  /** Uniform in [low, high], both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with probability `numerator / denominator`. */
  ratio(numerator: number, denominator: number): boolean {
    if (numerator <= 0) return false;
    return this.below(denominator) < numerator;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    assert(item !== undefined, 'a list to pick from has no holes');
    return item;
  }

  /** A shuffled copy (Fisher and Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let index = copy.length - 1; index > 0; index -= 1) {
      const other = this.below(index + 1);
      const moved = copy[index] as T;
      copy[index] = copy[other] as T;
      copy[other] = moved;
    }
    return copy;
  }

  /** An exponential draw with that mean, in the mean's unit; at most 7.6 times the mean. */
  exponential(mean: number): number {
    if (mean === 0) return 0;
    const quantile = exponentialQuantiles[this.below(1024)] ?? 0;
    return Math.floor((mean * quantile) / 1024);
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

// -ln(1 - p) by integers: transcendental functions differ between engines (simulator.md D5), so the
// table is summed from the series of -ln(1 - p) in 2^-60 fixed point, argument-reduced by halving.
function buildQuantiles(): readonly number[] {
  const one = 1n << 60n;
  const ln2 = 799_144_290_325_165_979n; // ln 2 in 2^-60
  return Array.from({ length: 1024 }, (_, index) => {
    let rest = (one * BigInt(2 * (1024 - index) - 1)) / 2048n;
    let sum = 0n;
    while (rest < one / 2n) {
      rest *= 2n;
      sum += ln2;
    }
    const p = one - rest;
    let power = p;
    for (let term = 1n; power > 0n && term < 80n; term += 1n) {
      sum += power / term;
      power = (power * p) / one;
    }
    return Number((sum * 1024n) / one);
  });
}

function seedBytes(seed: bigint, stream: string): Uint8Array {
  const name = Array.from(stream, (letter) => letter.charCodeAt(0) & 0xff);
  const bytes = new Uint8Array(8 + name.length + 1);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, seed), true);
  bytes.set(name, 8);
  return bytes;
}

/**
 * MurmurHash3 x86 128-bit with seed 0, as four 32-bit words (reference: Austin Appleby, public
 * domain).
 */
export function murmur128(bytes: Uint8Array): number[] {
  const constants = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93];
  const spins = [15, 16, 17, 18];
  const turns = [19, 17, 15, 13];
  const adds = [0x561ccd1b, 0x0bcaa747, 0x96cd1c35, 0x32ac3b17];
  const state = [0, 0, 0, 0];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const blocks = Math.floor(bytes.length / 16);
  const scramble = (word: number, lane: number): number => {
    const mixed = rotate(Math.imul(word, constants[lane] ?? 0), spins[lane] ?? 0);
    return Math.imul(mixed, constants[(lane + 1) % 4] ?? 0);
  };
  for (let block = 0; block < blocks; block += 1) {
    for (let lane = 0; lane < 4; lane += 1) {
      const mixed =
        (state[lane] ?? 0) ^ scramble(view.getUint32(block * 16 + lane * 4, true), lane);
      const turned = (rotate(mixed, turns[lane] ?? 0) + (state[(lane + 1) % 4] ?? 0)) | 0;
      state[lane] = (Math.imul(turned, 5) + (adds[lane] ?? 0)) | 0;
    }
  }
  for (let lane = 0; lane < 4; lane += 1) {
    let tail = 0;
    for (let index = 0; index < 4; index += 1) {
      tail |= (bytes[blocks * 16 + lane * 4 + index] ?? 0) << (8 * index);
    }
    state[lane] = (state[lane] ?? 0) ^ scramble(tail, lane);
  }
  return finish(state.map((word) => word ^ bytes.length));
}

function finish(words: number[]): number[] {
  const spread = (input: number[]): number[] => {
    const first = input.reduce((sum, word) => (sum + word) | 0, 0);
    return [first, ...input.slice(1).map((word) => (word + first) | 0)];
  };
  const mix = (word: number): number => {
    let mixed = word ^ (word >>> 16);
    mixed = Math.imul(mixed, 0x85ebca6b);
    mixed ^= mixed >>> 13;
    mixed = Math.imul(mixed, 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  };
  return spread(spread(words).map(mix)).map((word) => word >>> 0);
}
