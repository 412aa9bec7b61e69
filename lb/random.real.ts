import { randomInt } from 'node:crypto';
import type { Random } from './ports.ts';
import { assert } from './result.ts';

/** Chance from the entropy of this machine. */
export const realRandom: Random = {
  below: (bound) => {
    assert(bound >= 1 && bound <= 2 ** 32, `${bound} bounds a draw`);
    return randomInt(bound);
  },
  rare: () => false,
};
