import { randomInt } from 'node:crypto';
import type { Random } from './ports.ts';

/** Chance from the entropy of this machine. */
export const realRandom: Random = {
  // `randomInt` takes what is below 2^48 and leaves no bias; a bound of 1 leaves no choice.
  below: (bound) => (bound <= 1 ? 0 : randomInt(bound)),
  rare: () => false,
};
