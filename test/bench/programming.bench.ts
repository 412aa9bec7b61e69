import { figureText, median, short, type Bench } from './bench.ts';
import { cpuMs, cpuMsOwn } from './rivals/cputime.ts';
import { guard, prefix } from './rivals/guard.ts';
import { heapBytes } from './rivals/memory.ts';
import { BenchNode } from './rivals/node.ts';
import { kernelMachine, missingFor } from './rivals/ready.ts';
import { awaitIdle, quantile, Shared, shuffled } from './rivals/rounds.ts';
import { iptables, nftables, type RuleSet } from './rivals/rulesets.ts';
import { benchServices, tested, withChangedEndpoint } from './rivals/services.ts';
import { runTool } from './rivals/tools.ts';

// R4 and R5 of datapath.md 19: all Services into fresh tables, and one endpoint of one of them.

/**
 * Milliseconds. Installations in CPU time, which an idle machine's clock would show too; what takes
 * a millisecond is taken by the clock, since a change counts when it is effective.
 */
interface Programmed {
  readonly install: number;
  /** The part of it that is system calls. */
  readonly apply: number;
  readonly changes: readonly number[];
  /** Most kernel calls, and most service records written, for one change. */
  readonly calls: number;
  readonly commits: number;
}
type Who = 'ours' | 'nftables' | 'iptables';

const ourChanges = 200;
/** Installations of ours in a sample: each is milliseconds, where a rival takes seconds. */
const ourInstalls = short ? 3 : 5;
const rivalChanges = short ? 5 : 10;
const idleMs = 500;
/** Between two events of the reconciler's clock: the next one finds it idle. */
const idleFor = 1_000_000;

/** What the first installation of all took, whose code had never run: told, not judged. */
let cold = '';

function installed(count: number): { readonly install: number; readonly apply: number } {
  const node = listed(count);
  try {
    return programmed(node);
  } finally {
    node.close();
  }
}

function listed(count: number): BenchNode {
  const found = kernelMachine();
  if ('missing' in found) throw new Error(found.missing);
  const node = new BenchNode(found.addon);
  node.list(benchServices(count));
  return node;
}

function programmed(node: BenchNode): { readonly install: number; readonly apply: number } {
  node.resetCalls();
  node.timing = true;
  const from = cpuMs();
  node.program();
  const install = cpuMs() - from - cpuMsOwn() - node.timingMs;
  node.timing = false;
  return { install, apply: node.callMs };
}

function ours(count: number): Programmed {
  // The rivals' texts are megabytes of garbage, which is not to be collected at our expense. What
  // collects them leaves a small young generation, so one installation goes by before any counts.
  heapBytes();
  const { install: uncounted } = installed(count);
  if (cold === '') cold = `the first ${count}: ${figureText(uncounted)} ms`;
  const installs = Array.from({ length: ourInstalls }, () => installed(count));
  const node = listed(count);
  try {
    node.program();
    let [calls, commits] = [0, 0];
    const changes = Array.from({ length: ourChanges }, (_, round) => {
      node.clock.pass(idleFor);
      node.resetCalls();
      const at = performance.now();
      node.change(withChangedEndpoint(tested, round));
      const took = performance.now() - at;
      calls = Math.max(calls, node.calls);
      commits = Math.max(commits, node.commits);
      return took;
    });
    // The first tenth warms what has never run before (datapath.md 19).
    return {
      install: median(installs.map((of) => of.install)),
      apply: median(installs.map((of) => of.apply)),
      changes: changes.slice(ourChanges / 10), calls, commits,
    };
  } finally {
    node.close();
  }
}

function rival(rules: RuleSet, count: number): Programmed {
  guard(undefined);
  const netns = `${prefix}rules-${rules.name}`;
  runTool(`ip netns add ${netns}`);
  try {
    const { cpu: install } = rules.install(netns, benchServices(count));
    let before = tested;
    const changes = Array.from({ length: rivalChanges }, (_, round) => {
      const after = withChangedEndpoint(tested, round);
      const { wall } = rules.change(netns, before, after);
      before = after;
      return wall;
    });
    return { install, apply: install, changes, calls: 0, commits: 0 };
  } finally {
    runTool(`ip netns del ${netns}`);
  }
}

function everyone(count: number): ReadonlyMap<Who, Programmed> {
  const order = shuffled<Who>(['ours', 'nftables', 'iptables']);
  return new Map(order.map((who) => {
    awaitIdle(idleMs);
    return [who, measured(who, count)];
  }));
}

function measured(who: Who, count: number): Programmed {
  switch (who) {
    case 'ours': return ours(count);
    case 'nftables': return rival(nftables, count);
    case 'iptables': return rival(iptables, count);
  }
}

const needed = (): string | undefined => missingFor(...nftables.tools, ...iptables.tools);

/** Figures of one size. */
class Size {
  readonly #text: string;
  readonly #long: boolean;
  readonly #shared: Shared<ReadonlyMap<Who, Programmed>>;

  constructor(count: number) {
    this.#text = `${count.toLocaleString('en')} Services`;
    this.#long = count > 1_000;
    // Minutes of a rival's time vary by a few percent: three samples of it are enough.
    this.#shared = new Shared(() => everyone(count), this.#long ? 3 : Infinity);
  }

  own(what: string, bound: Pick<Bench, 'unit' | 'ceiling'>, pick: Choice): Bench {
    const read = this.#shared.reader();
    return {
      name: `programming: ${what}, ${this.#text}`, skipped: needed, long: this.#long, ...bound,
      run: () => pick(sampleOf(read(), 'ours')),
    };
  }

  ratio(against: Who, { what, pick, floor }: Compared): Bench {
    const read = this.#shared.reader();
    let notes = '';
    return {
      name: `programming: ${what}, ${this.#text}, ${against} ÷ ours`, unit: '×',
      skipped: needed, long: this.#long, ...(floor === undefined ? {} : { floor }),
      run: () => {
        const sample = read();
        const [theirs, own] = [pick(sampleOf(sample, against)), pick(sampleOf(sample, 'ours'))];
        notes = `${figureText(theirs)} ms ÷ ${figureText(own)} ms; ${cold}`;
        return theirs / own;
      },
      notes: () => notes,
    };
  }

  installs({ nft, restore }: { readonly nft: Floors; readonly restore: Floors }): Bench[] {
    const whole = 'listings to last commit';
    return [
      this.ratio('nftables', { what: 'apply', pick: apply, floor: nft.apply }),
      this.ratio('nftables', { what: whole, pick: install, floor: nft.whole }),
      this.ratio('iptables', { what: 'apply', pick: apply, floor: restore.apply }),
      this.ratio('iptables', { what: whole, pick: install, floor: restore.whole }),
    ];
  }

  changes(floor: number | undefined): Bench[] {
    return [
      this.ratio('nftables', { what: 'one endpoint, median', pick: p50, floor }),
      this.ratio('nftables', { what: 'one endpoint, p99', pick: p99, floor }),
      this.ratio('iptables', { what: 'one endpoint, median', pick: p50, floor: undefined }),
      this.own('kernel calls for one endpoint', { unit: 'calls', ceiling: 10 }, (of) => of.calls),
      this.own('commits of one endpoint', { unit: 'writes', ceiling: 1 }, (of) => of.commits),
    ];
  }
}

type Choice = (of: Programmed) => number;
interface Compared {
  readonly what: string;
  readonly pick: Choice;
  readonly floor: number | undefined;
}
interface Floors {
  readonly apply: number | undefined;
  readonly whole: number | undefined;
}

function sampleOf(sample: ReadonlyMap<Who, Programmed>, who: Who): Programmed {
  const found = sample.get(who);
  if (found === undefined) throw new Error(`${who} was not measured`);
  return found;
}

const install = (of: Programmed): number => of.install;
const apply = (of: Programmed): number => of.apply;
const p50 = (of: Programmed): number => median(of.changes);
const p99 = (of: Programmed): number => quantile(of.changes, 0.99);

const free = { apply: undefined, whole: undefined } as const;
const [thousand, five, ten] = [new Size(1_000), new Size(5_000), new Size(10_000)];

export const benches: readonly Bench[] = [
  ...thousand.installs({ nft: free, restore: free }),
  ...thousand.changes(undefined),
  ...five.installs({ nft: { apply: 100, whole: 50 }, restore: { apply: 10, whole: 5 } }),
  ...ten.installs({ nft: free, restore: free }),
  ten.own('system calls', { unit: 'ms', ceiling: 100 }, apply),
  ten.own('listings to last commit', { unit: 'ms', ceiling: 1_500 }, install),
  ...ten.changes(50),
  ten.own('one endpoint, median', { unit: 'ms', ceiling: 3 }, p50),
  ten.own('one endpoint, p99', { unit: 'ms', ceiling: 3.8 }, p99),
];
