import type { Cfg, Options } from '../../bpf/layout.gen.ts';
import type { Rows } from './fixture.ts';

/**
 * One case of datapath.md 21 as every executor can run it (datapath.md 18): configuration, typed
 * map contents, packets with hook, clock and draws; and what comes of each.
 */
export interface Vector {
  readonly name: string;
  readonly options?: Partial<Options>;
  readonly cfg?: Partial<Cfg>;
  readonly rows: Rows;
  readonly steps: readonly Step[];
}

export type TcProgram = 'fl_from_pod' | 'fl_to_pod' | 'fl_uplink_in' | 'fl_uplink_out';

export interface Step {
  readonly program: TcProgram;
  readonly device: 'uplink' | 'pod';
  readonly packet: Uint8Array;
  /** Monotonic clock. */
  readonly seconds: number;
  /** What the first draw gives, unsigned 32-bit. */
  readonly draw?: number;
  /** Rows that the agent writes before this packet. */
  readonly rows?: Rows;
  readonly mark?: number;
  readonly repeat?: number;
  readonly verdict: 'next' | 'drop' | 'redirect';
  /** Of a drop or a refusal, as its event tells it. */
  readonly reason?: string;
  /** Default: as the packet came; of a redirect they are checked where given. */
  readonly bytes?: Uint8Array;
  /** `type reason client front endpoint`; checked where given. */
  readonly events?: readonly string[];
  /** Rows that exist afterwards, as text; checked where given. */
  readonly left?: readonly string[];
  /** Where a redirect leads. Not visible under the kernel's test run. */
  readonly redirect?: 'uplink' | 'pod';
}

const golden = 0x9e3779b97f4a7c15n;
const mask = (1n << 64n) - 1n;

/** The state of SplitMix64 from which the next draw is `draw`: its steps undone (Steele 2014). */
export function drawState(draw: number): bigint {
  let z = BigInt(draw) << 32n;
  z = unshifted(z, 31n) * inverse(0x94d049bb133111ebn) & mask;
  z = unshifted(z, 27n) * inverse(0xbf58476d1ce4e5b9n) & mask;
  return (unshifted(z, 30n) - golden) & mask;
}

// The inverse of z ^ z >> bits.
function unshifted(value: bigint, bits: bigint): bigint {
  let z = value;
  for (let known = bits; known < 64n; known += bits) z = value ^ (z >> bits);
  return z;
}

// Newton's iteration doubles the right bits each time; any odd number is its own inverse mod 8.
function inverse(odd: bigint): bigint {
  let x = odd;
  for (let turn = 0; turn < 5; turn += 1) x = x * (2n - odd * x) & mask;
  return x & mask;
}
