// Plays every fail-over scenario many times in a lab and in the simulator, and prints both side by
// side: `node test/lab/measure.ts [--runs 20] [--seeds 100] [--timing fast] [--timing default]
// [--only power-off]`. Root; minutes. With `--bgp` it cuts the power of a node that announces over
// BGP instead, with the hold times of bgp.md 1.
import { parseArgs } from 'node:util';
import { strikeOnce, storyOf, type Failover } from '../../kind/lab/failover.ts';
import { bringUp } from '../../kind/lab/up.ts';
import { doubled } from '../../kind/lab/watcher.ts';
import { measureBgp } from './bgpmeasure.ts';
import {
  deliveries, labOf, predicted, readStory, storyNames, timings, type Latency, type Timing,
} from './story.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    seeds: { type: 'string', default: '100' },
    timing: { type: 'string', multiple: true, default: ['fast', 'default'] },
    bgp: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [...storyNames()] },
  },
});

const columns = [
  ['TIMING', 8], ['FAULT', 18], ['RUNS', 5], ['OUTAGE median / worst', 22], ['SIMULATED', 19],
  ['SILENCE median / worst', 23], ['SIMULATED', 19], ['ASKED', 7], ['DOUBLE', 6],
  ['API median / worst', 19],
] as const;

function print(cells: readonly (string | number)[]): void {
  const padded = cells.map((cell, index) => String(cell).padEnd(columns[index]?.[1] ?? 0));
  process.stdout.write(`${padded.join('  ').trimEnd()}\n`);
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((left, right) => left - right);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  return `${Math.round(median)} / ${Math.round(sorted.at(-1) ?? 0)} ms`;
}

async function measure(timing: Timing): Promise<void> {
  const [first = ''] = values.only;
  const up = await bringUp(
    labOf(`measure-${process.pid}`, await readStory(first, timing)), () => undefined,
  );
  if (!up.ok) throw new Error(up.error);
  const interrupted = (): void => {
    void up.value.down().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    for (const name of values.only) {
      const read = await readStory(name, timing);
      const order = {
        story: storyOf(read.scenario), watcher: 'laptop', patienceMs: timings[timing].patienceMs,
      };
      const strikes: Failover[] = [];
      const delivered: number[] = [];
      for (let run = 0; run < Number(values.runs); run += 1) {
        strikes.push(await strikeOnce(up.value, order));
        // All along: a busy machine is not busy all the time.
        delivered.push(...await deliveries(up.value, 20));
      }
      delivered.sort((left, right) => left - right);
      const latency = latencyOf(delivered);
      const sim = predicted(read, Number(values.seeds), latency);
      print([
        timing, name, strikes.length,
        spread(strikes.map(({ outageMs }) => outageMs)), spread(sim.map((run) => run.outageMs)),
        spread(strikes.map(({ silenceMs }) => silenceMs)), spread(sim.map((run) => run.silenceMs)),
        strikes.reduce((sum, { heard }) => sum + heard.asks.length, 0),
        strikes.reduce((sum, { heard }) => sum + doubled(heard), 0),
        spread(delivered),
      ]);
    }
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await up.value.down();
  }
}

/** A delivery is two messages: there and back. The slowest of some hundred are five means away. */
function latencyOf(sorted: readonly number[]): Latency {
  const [fastest = 0, slowest = 0] = [sorted[0], sorted.at(-1)];
  return { min: Math.round(fastest * 500), mean: Math.round((slowest - fastest) * 100) };
}

if (values.bgp) {
  await measureBgp(Number(values.runs));
} else {
  print(columns.map(([head]) => head));
  for (const timing of values.timing) await measure(timing === 'default' ? 'default' : 'fast');
}
