import { cpus } from 'node:os';
import { figureText, median } from '../bench.ts';

/** Printed once, so that the order of a run can be had again by `BENCH_SEED`. */
export const seed = Number(process.env['BENCH_SEED'] ?? Date.now() % 1_000_000);

let state = seed;

/** A random order of what is measured: nobody always runs after the same neighbour. */
export function shuffled<T>(items: readonly T[]): T[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const at = Math.floor(draw() * (last + 1));
    const [one, other] = [order[last], order[at]];
    if (one !== undefined) order[at] = one;
    if (other !== undefined) order[last] = other;
  }
  return order;
}

// The generator of Numerical Recipes: its high bits are good enough to shuffle ten things.
function draw(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

/**
 * One measurement that several figures read: each reader gets each sample once, in order, and the
 * first one who asks for the next sample has it measured. After `samplesMax` they begin anew, for
 * what takes minutes and hardly varies.
 */
export class Shared<T> {
  readonly #measure: () => T;
  readonly #samplesMax: number;
  readonly #samples: T[] = [];

  constructor(measure: () => T, samplesMax = Infinity) {
    this.#measure = measure;
    this.#samplesMax = samplesMax;
  }

  reader(): () => T {
    let next = 0;
    return () => {
      const at = next % this.#samplesMax;
      next += 1;
      if (at === this.#samples.length) this.#samples.push(this.#measure());
      const sample = this.#samples[at];
      if (sample === undefined) throw new Error('samples are read in order');
      return sample;
    };
  }
}

/** `86.2 (84–90)`: median and the middle half of the figures. */
export function spreadText(figures: readonly number[]): string {
  const sorted = figures.toSorted((left, right) => left - right);
  const quarter = (share: number): string => (
    figureText(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN)
  );
  return `${figureText(median(figures))} (${quarter(0.25)}–${quarter(0.75)})`;
}

/** The figure that `share` of the others do not exceed. */
export function quantile(figures: readonly number[], share: number): number {
  const sorted = figures.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

const probeMs = 20;
const busyMax = 0.1;

/** Waits until the CPUs have nothing to do, for `limitMs` at most: somebody always builds. */
export function awaitIdle(limitMs: number): void {
  const until = performance.now() + limitMs;
  while (performance.now() < until) {
    const before = cpuTimes();
    pause(probeMs);
    const after = cpuTimes();
    if (after.busy - before.busy <= busyMax * (after.all - before.all)) return;
  }
}

/** Lets others run for some milliseconds. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function cpuTimes(): { readonly busy: number; readonly all: number } {
  let [busy, all] = [0, 0];
  for (const { times } of cpus()) {
    const used = times.user + times.nice + times.sys + times.irq;
    busy += used;
    all += used + times.idle;
  }
  return { busy, all };
}
