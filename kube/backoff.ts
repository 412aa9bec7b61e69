import type { Micros, Random } from '../lb/ports.ts';

// Integers, because powers of two in floating point are not the same everywhere (simulator.md D5).
// The last step and one request timeout stay below 30 s together, so that whatever was cut off
// has asked again within 30 s of healing (simulator.md 13, scenario 9).
const delays: readonly Micros[] = [
  800_000, 1_600_000, 3_200_000, 6_400_000, 12_800_000,
];

/**
 * The wait before attempt `failures + 1`: exponential from 0.8 s to 12.8 s, the second half of it
 * random, so that clients which failed together do not return together. Never less than the server
 * asked for. There is no last attempt.
 */
export function retryDelay(failures: number, random: Random, retryAfter: Micros = 0): Micros {
  const delay = delays[Math.min(failures, delays.length) - 1] ?? 0;
  const half = Math.floor(delay / 2);
  return Math.max(half + random.below(half + 1), retryAfter);
}
