import { figureText, median, short, type Bench } from './bench.ts';
import { runLoad, startLoad } from './rivals/load.ts';
import { missingFor } from './rivals/ready.ts';
import { awaitIdle, pause, seed, Shared, shuffled, spreadText } from './rivals/rounds.ts';
import { iptables, nftables } from './rivals/rulesets.ts';
import { tested, testedWithSpare } from './rivals/services.ts';
import {
  buildVariant, missingFrom, ourNames, type OurName, type Variant, type VariantName,
} from './rivals/variants.ts';

// R3 and R6 of datapath.md 19: connections through namespaces, all variants alive at once.

/**
 * The first packet until its answer, and the whole connection; connections a second with some at
 * once, and the CPU time of one of them, which a busy machine stretches less than the clock's.
 */
type Field = 'connectUs' | 'wholeUs' | 'perSecond' | 'cpuUs';
type Series = Record<Field, number[]>;
type Sample = ReadonlyMap<VariantName, Readonly<Series>>;

const passes = 9;
const alone = { count: 150, inflight: 1 } as const;
const crowd = { count: short ? 300 : 600, inflight: 16 } as const;
const idleMs = 100;
const changeMs = 20;
const attempts = short ? 2_000 : 10_000;
/** A pass takes two seconds at most; after this nobody begins another one. */
const sampleMs = short ? 20_000 : 30_000;
/** A/A further apart than this is no ground for a verdict (engine.md 6). */
const noiseMax = 0.05;

const tools = (): string | undefined => missingFor(
  ...nftables.tools, ...iptables.tools, 'cc', 'sysctl',
);

/** All variants over `count` Services, measured in rounds of random order. */
class Crossing {
  readonly #count: number;
  readonly #shared = new Shared(() => this.#measure());
  #variants: readonly Variant[] | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  /** First packet, or whole connection: `theirs` ÷ `own`. */
  ratio(
    theirs: VariantName, own: VariantName,
    compared: { readonly field: Field; readonly floor?: number; readonly ceiling?: number },
  ): Bench {
    const { field, ...bounds } = compared;
    const read = this.#shared.reader();
    let sample: Sample = new Map();
    const controls: number[] = [];
    const figure = (name: VariantName): number[] => sample.get(name)?.[field] ?? [];
    const both = (of: Field): string => [theirs, own].map(
      (name) => figureText(median(sample.get(name)?.[of] ?? [])),
    ).join(' ÷ ');
    return {
      name: `paths: ${fieldTexts[field]}, ${this.#text}, ${theirs} ÷ ${own}`, unit: '×',
      long: this.#count > 1_000, ...bounds,
      skipped: () => tools() ?? missingFrom(theirs) ?? missingFrom(own),
      run: () => {
        sample = read();
        controls.push(median(figure('direct')) / median(figure('control')));
        return median(figure(theirs)) / median(figure(own));
      },
      steady: () => Math.abs(median(controls) - 1) <= noiseMax,
      notes: () => `${spreadText(figure(theirs))} ÷ ${spreadText(figure(own))},`
        + ` direct ${figureText(median(figure('direct')))},`
        + ` A/A ${figureText(median(controls))}, seed ${seed};`
        + ` whole ${both('wholeUs')} µs, rate ${both('perSecond')} 1/s`,
    };
  }

  /** R7: connections that failed while the tested Service changed its endpoints all the time. */
  broken(own: OurName): Bench {
    let changes = 0;
    return {
      name: `paths: failed connections at 50 changes/s, ${this.#text}, ${own}`,
      unit: 'connections', ceiling: 0,
      skipped: () => tools() ?? missingFrom(own),
      run: () => {
        this.#variants ??= this.#build();
        const variant = this.#variants.find(({ name }) => name === own);
        if (variant === undefined) throw new Error(`${own} was not built`);
        const outcome = churn(variant);
        changes = outcome.changes;
        return outcome.failed;
      },
      notes: () => `of ${attempts}, with ${changes} changes meanwhile`,
    };
  }

  #measure(): Sample {
    this.#variants ??= this.#build();
    const sample = new Map(this.#variants.map(({ name }) => [name, emptyFields()] as const));
    const until = performance.now() + sampleMs;
    for (let pass = 0; pass < passes && performance.now() < until; pass += 1) {
      awaitIdle(idleMs);
      for (const variant of shuffled(this.#variants)) cross(variant, sample.get(variant.name));
    }
    return sample;
  }

  #build(): readonly Variant[] {
    const names: VariantName[] = [
      'direct', 'control', 'nftables', 'iptables',
      ...ourNames.filter((name) => missingFrom(name) === undefined),
    ];
    return names.map((name) => buildVariant(name, this.#count));
  }

  get #text(): string {
    return this.#count === 1 ? '1 Service' : `${this.#count.toLocaleString('en')} Services`;
  }
}

const fieldTexts: Readonly<Record<Field, string>> = {
  connectUs: 'first packet p50', wholeUs: 'connect-request-close p50',
  perSecond: 'connections per second', cpuUs: 'client CPU of a connection',
};

function emptyFields(): Series {
  return { connectUs: [], wholeUs: [], perSecond: [], cpuUs: [] };
}

function cross(variant: Variant, into: Series | undefined): void {
  const { world, target, port, cgroup } = variant;
  variant.prepare();
  const { connectUs, wholeUs } = runLoad({ world, target, port, cgroup, ...alone });
  const { perSecond, cpuUs } = runLoad({ world, target, port, cgroup, ...crowd });
  into?.connectUs.push(connectUs);
  into?.wholeUs.push(wholeUs);
  into?.perSecond.push(perSecond);
  into?.cpuUs.push(cpuUs);
}

function churn(variant: Variant): { readonly failed: number; readonly changes: number } {
  const { world, target, port, cgroup, node } = variant;
  if (node === undefined) throw new Error(`${variant.name} has no reconciler`);
  variant.prepare();
  const load = startLoad({ world, target, port, cgroup, count: attempts, inflight: 1 });
  let changes = 0;
  while (load.running()) {
    changes += 1;
    node.change(changes % 2 === 1 ? testedWithSpare : tested);
    pause(changeMs);
    node.clock.pass(changeMs * 1_000);
  }
  node.change(tested);
  node.clock.pass(1_000_000);
  const { done, failed } = load.outcome();
  // A load that gave up early has not tried them all: what it left out counts as failed.
  return { failed: Math.max(failed, attempts - done), changes };
}

/** R3: the floor for nftables is 1.1 at each size, that for iptables grows with it. */
function firstPackets(count: number, iptablesFloor: number): Bench[] {
  const crossing = new Crossing(count);
  const socket = crossing.ratio('socket', 'direct', { field: 'wholeUs', ceiling: 1.05 });
  return [socket, ...ourNames.flatMap((own) => [
    ...(count === 1_000 ? [crossing.broken(own)] : []),
    crossing.ratio('nftables', own, { field: 'connectUs', floor: 1.1 }),
    crossing.ratio('iptables', own, { field: 'connectUs', floor: iptablesFloor }),
    crossing.ratio('nftables', own, { field: 'cpuUs', floor: 1 }),
    crossing.ratio('iptables', own, { field: 'cpuUs', floor: 1 }),
  ])];
}

export const benches: readonly Bench[] = [
  ...firstPackets(1, 1.1), ...firstPackets(1_000, 1.3), ...firstPackets(10_000, 1.7),
];
