import type { Micros } from '../../lb/ports.ts';

/** What becomes of frames that would cross a cut. */
export type CutForm =
  | { readonly kind: 'drop' }
  | { readonly kind: 'slow'; readonly delay: Micros }
  | { readonly kind: 'queue' };

export interface CutOptions {
  /** Owners (machines) that cannot reach `to`. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** True cuts both ways. */
  readonly symmetric: boolean;
  readonly form?: CutForm;
}

const heldMax = 10_000;

/** A cut between groups of machines of one segment (`net.partition`). */
export class Cut {
  readonly form: CutForm;
  #from: ReadonlySet<string>;
  #to: ReadonlySet<string>;
  #symmetric: boolean;
  #held: (() => void)[] = [];

  constructor(options: CutOptions) {
    this.form = options.form ?? { kind: 'drop' };
    this.#from = new Set(options.from);
    this.#to = new Set(options.to);
    this.#symmetric = options.symmetric;
  }

  /** True when frames from one machine to the other meet this cut. */
  parts(source: string, target: string): boolean {
    if (this.#from.has(source) && this.#to.has(target)) return true;
    return this.#symmetric && this.#from.has(target) && this.#to.has(source);
  }

  /** Keeps a frame of form `queue` until the cut heals; false when there is no room. */
  hold(proceed: () => void): boolean {
    if (this.#held.length >= heldMax) return false;
    this.#held.push(proceed);
    return true;
  }

  /** What waited, first come first. */
  release(): readonly (() => void)[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

/** Each group against all others, symmetric: the usual split of a LAN. */
export function splitGroups(groups: readonly (readonly string[])[], form?: CutForm): Cut[] {
  const cuts: Cut[] = [];
  groups.forEach((from, index) => {
    for (const to of groups.slice(index + 1)) {
      const options = { from, to, symmetric: true };
      cuts.push(new Cut(form === undefined ? options : { ...options, form }));
    }
  });
  return cuts;
}
