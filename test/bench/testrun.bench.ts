import { figureText, median, short, type Bench } from './bench.ts';
import { missingFor, missingPrograms } from './rivals/ready.ts';
import { awaitIdle, seed, Shared, shuffled, spreadText } from './rivals/rounds.ts';
import { TestRun } from './rivals/testrun.ts';
import { pinned } from './rivals/tools.ts';

// R1, R2 and R9 of datapath.md 19, and the price of a new flow: `fl_uplink_in` by test run.

interface Series {
  readonly established: number[];
  readonly notOurs: number[];
  /** First packets of flows, the cost of a single run subtracted. */
  readonly fresh: number[];
}
type Case = 'one' | 'control' | 'many' | 'events';
type Sample = ReadonlyMap<Case, Series>;

const runs = short ? 5 : 7;
const repeat = short ? 200_000 : 1_000_000;
const flows = 2_000;
const idleMs = 100;
const noiseMax = 0.05;

const skipped = (): string | undefined => (
  missingFor('taskset') ?? missingPrograms(['fl_uplink_in'])
);

/** One Service and `count` of them, side by side; `control` is one Service once more. */
class Comparison {
  readonly count: number;
  readonly #shared = new Shared(() => pinned(() => this.#measure()));
  #cases: ReadonlyMap<Case, TestRun> | undefined;

  constructor(count: number) {
    this.count = count;
  }

  figure(name: string, bounds: Pick<Bench, 'unit' | 'ceiling'>, parts: Parts): Bench {
    const read = this.#shared.reader();
    let sample: Sample = new Map();
    const controls: number[] = [];
    return {
      name: `test run: ${name}`, long: this.count > 1_000, skipped, ...bounds,
      run: () => {
        sample = read();
        controls.push(control(sample));
        const { of, over } = parts(sample);
        return median(of) / (over === undefined ? 1 : median(over));
      },
      steady: () => Math.abs(median(controls) - 1) <= noiseMax,
      notes: () => {
        const { of, over } = parts(sample);
        const other = over === undefined ? '' : ` ÷ ${spreadText(over)}`;
        return `${spreadText(of)}${other}, A/A ${figureText(median(controls))}, seed ${seed}`;
      },
    };
  }

  #measure(): Sample {
    this.#cases ??= new Map<Case, TestRun>([
      ['one', new TestRun(1, 'off')], ['control', new TestRun(1, 'off')],
      ['many', new TestRun(this.count, 'off')], ['events', new TestRun(1, 'all')],
    ]);
    const sample = new Map([...this.#cases.keys()].map((of) => [of, emptySeries()] as const));
    for (let run = 0; run < runs; run += 1) {
      awaitIdle(idleMs);
      for (const [of, testRun] of shuffled([...this.#cases])) take(testRun, sample.get(of));
    }
    return sample;
  }
}

type Parts = (sample: Sample) => { readonly of: number[]; readonly over?: number[] };

function emptySeries(): Series {
  return { established: [], notOurs: [], fresh: [] };
}

function take(testRun: TestRun, into: Series | undefined): void {
  testRun.forgetFlows();
  into?.established.push(testRun.established(repeat));
  const notOurs = testRun.notOurs(repeat);
  into?.notOurs.push(notOurs);
  const single = median(testRun.singles(flows)) - notOurs;
  into?.fresh.push(median(testRun.newFlows(flows)) - single);
}

function control(sample: Sample): number {
  return median(series(sample, 'one').established) / median(series(sample, 'control').established);
}

function series(sample: Sample, of: Case): Series {
  return sample.get(of) ?? emptySeries();
}

const thousand = new Comparison(1_000);
const most = new Comparison(100_000);

export const benches: readonly Bench[] = [
  thousand.figure('established packet, 1 Service', { unit: 'ns' }, (sample) => ({
    of: series(sample, 'one').established,
  })),
  thousand.figure('packet that is not ours, 1 Service', { unit: 'ns' }, (sample) => ({
    of: series(sample, 'one').notOurs,
  })),
  thousand.figure('established ÷ not ours', { unit: '×', ceiling: 4.5 }, (sample) => ({
    of: series(sample, 'one').established, over: series(sample, 'one').notOurs,
  })),
  thousand.figure('established, events all ÷ off', { unit: '×', ceiling: 1.2 }, (sample) => ({
    of: series(sample, 'events').established, over: series(sample, 'one').established,
  })),
  ...[thousand, most].flatMap((comparison) => {
    const count = comparison.count.toLocaleString('en');
    const flat = { unit: '×', ceiling: 1.1 } as const;
    return [
      comparison.figure(`established, ${count} ÷ 1 Services`, flat, (sample) => ({
        of: series(sample, 'many').established, over: series(sample, 'one').established,
      })),
      comparison.figure(`new flow, ${count} Services`, { unit: 'ns' }, (sample) => ({
        of: series(sample, 'many').fresh,
      })),
    ];
  }),
];
