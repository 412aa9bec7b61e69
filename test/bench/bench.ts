/** One figure that `npm run bench` measures. */
export interface Bench {
  /** Unique; what is measured, as the report prints it. */
  readonly name: string;
  readonly unit: string;
  /** The figure must not be lower. */
  readonly floor?: number;
  /** The figure must not be higher. */
  readonly ceiling?: number;
  /** Takes more than ten seconds; left out of a short run. */
  readonly long?: boolean;
  /** One measurement in `unit`; called several times, interleaved with the other benches. */
  run(): number;
  /** Why this machine cannot measure it; the figure is then left out, with CI set it has failed. */
  skipped?(): string | undefined;
  /** What the last measurement compared, for the end of the line. */
  notes?(): string;
  /** False when a control of the same rounds shows that the machine is too noisy for a verdict. */
  steady?(): boolean;
}

/** A run of two minutes at most: fewer rounds and smaller sizes. */
export const short = process.argv.includes('--short');

export type Verdict = 'ok' | 'noisy' | 'BELOW' | 'ABOVE';

/**
 * The verdict over a figure. Measured `once`, on a busy machine, a miss counts only when the bound
 * is missed by half; a smaller one is `noisy` and passes, as any miss does where controls differ.
 */
export function verdictOf(bench: Bench, figure: number, once: boolean): Verdict {
  const { floor = -Infinity, ceiling = Infinity } = bench;
  if (figure >= floor && figure <= ceiling) return 'ok';
  if (bench.steady?.() === false) return 'noisy';
  if (once && figure >= floor / 2 && figure <= ceiling * 2) return 'noisy';
  return figure < floor ? 'BELOW' : 'ABOVE';
}

export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  if (sorted.length % 2 === 1) return upper;
  return ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** `12,345`, or four significant digits below a thousand. */
export function figureText(figure: number): string {
  if (!Number.isFinite(figure)) return '-';
  if (Math.abs(figure) < 1000) return String(Number(figure.toPrecision(4)));
  return String(Math.round(figure)).replaceAll(/\B(?=(?:[0-9]{3})+$)/g, ',');
}
