import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readScenario, type ScenarioFile } from '../../cli/scenariofile.ts';
import { planSpec, type LabSpec } from '../../kind/lab/spec.ts';
import type { Lab } from '../../kind/lab/lab.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import type { Cluster } from '../../sim/cluster/cluster.ts';
import { OutageMeter } from '../../sim/net/outage.ts';
import { outageFigures } from '../../sim/scenario/measure.ts';
import { runScenario } from '../../sim/scenario/run.ts';
import type { Step } from '../../sim/scenario/spec.ts';
import { root } from '../tidy/sources.ts';

const folder = join(root, 'kind/lab/failover');

/** The two timings that l2.md 7 gives bounds for, in milliseconds. */
export const timings = {
  default: { settings: {}, crashMaxMs: 6_300, patienceMs: 6_600 },
  fast: {
    settings: { 'l2.session.duration': '1s', 'l2.session.renew': '200ms' },
    crashMaxMs: 1_300, patienceMs: 1_500,
  },
} as const;
export type Timing = keyof typeof timings;

export const gracefulMaxMs = 100;

const quiet = {
  out: () => undefined, err: () => undefined, outTty: false, env: {},
  input: () => Promise.resolve(''),
};

/** Names of the fail-over scenarios. */
export function storyNames(): readonly string[] {
  return readdirSync(folder).filter((name) => name !== 'cluster.yaml')
    .map((name) => name.replace('.yaml', '')).toSorted();
}

/** One of them, with the settings of a timing. */
export async function readStory(name: string, timing: Timing): Promise<ScenarioFile> {
  const read = await readScenario(quiet, join(folder, `${name}.yaml`));
  const { cluster, steps } = read.scenario;
  const settings = { ...cluster.settings, ...timings[timing].settings };
  const scenario = {
    ...read.scenario, cluster: { ...cluster, settings },
    steps: steps.map((step) => shortened(step, timings[timing].patienceMs / 6_600)),
  };
  return { ...read, scenario };
}

// A fault that heals by itself lasts as many terms of a session in either timing.
function shortened(step: Step, share: number): Step {
  const { action } = step;
  if (action.kind !== 'fault' || action.fault.for === undefined) return step;
  const lasts = Math.round((action.fault.for * share) / 100_000) * 100_000;
  return { ...step, action: { ...action, fault: { ...action.fault, for: lasts } } };
}

/** The lab that plays it. */
export function labOf(name: string, { scenario, objects }: ScenarioFile): LabSpec {
  const { cluster, network } = scenario;
  const spec = planSpec({ name, objects, cluster, network });
  if (!spec.ok) throw new Error(spec.error);
  return spec.value;
}

/** What the simulator sees in the same file with one seed, in milliseconds. */
export interface Predicted {
  readonly outageMs: number;
  readonly silenceMs: number;
}

/**
 * Runs a story in the simulator, once for each seed. `latency` is how long the lab's own API server
 * takes for a message, which the simulator cannot know.
 */
export function predicted(
  { scenario, objects, files }: ScenarioFile, seeds: number, latency: Latency,
): Predicted[] {
  return Array.from({ length: seeds }, (_, seed) => {
    const silence = new Silence(ip(address));
    const built = (cluster: Cluster): void => {
      cluster.path.latency = latency;
      silence.watch(cluster);
    };
    const run = { scenario, objects, files, seed: BigInt(seed), built };
    const { cluster } = runScenario(run);
    const line = cluster.traffic.line(scenario.traffic[0]?.name ?? '');
    // Requests begin once the cluster has converged: the fault is all that can fail them.
    const { longest } = outageFigures(line, 10_000_000, cluster.world.now);
    return { outageMs: longest / 1000, silenceMs: silence.longest / 1000 };
  });
}

/** Microseconds of a message: a fixed part, and the mean of an exponential one. */
export interface Latency {
  readonly min: number;
  readonly mean: number;
}

/** Address of the Service of every story. */
const address = '192.168.10.40';
const askEvery = 5_000;

/** Asks a simulated cluster as often as the lab's watcher asks the LAN. */
class Silence {
  #ip: Ip;
  #meter = new OutageMeter();
  #owned = false;
  #now = 0;

  constructor(ip: Ip) {
    this.#ip = ip;
  }

  get longest(): number {
    return this.#meter.longest(this.#now);
  }

  watch(cluster: Cluster): void {
    const { world } = cluster;
    const ask = (): void => {
      this.#now = world.now;
      // The lab's watcher is on the LAN, and hears nothing of a node that is cut off from it.
      const answered = cluster.ownersOf(this.#ip).some((name) => (
        cluster.machines.get(name).node.nics.some(({ isolated }) => !isolated.in && !isolated.out)
      ));
      this.#owned ||= answered;
      if (this.#owned) this.#meter.add(world.now, answered);
      world.schedule(askEvery, { kind: 'lab.ask', entity: 'lab' }, ask);
    };
    world.schedule(0, { kind: 'lab.ask', entity: 'lab' }, ask);
  }
}

/**
 * How long the lab's API server takes from a write to its delivery on a watch, in milliseconds,
 * sorted: `u` of l2.md 7.
 */
export async function deliveries(lab: Lab, samples: number): Promise<readonly number[]> {
  const configMaps = '/api/v1/namespaces/default/configmaps';
  const watch = await fetch(`${lab.url}${configMaps}?watch=true&resourceVersion=0`);
  const reader = watch.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) throw new Error('a watch has a body');
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    const name = `delivery-${sample}`;
    const sentAt = performance.now();
    const sent = lab.create(configMaps, {
      apiVersion: 'v1', kind: 'ConfigMap', metadata: { name },
    });
    for (let text = ''; !text.includes(name);) text += (await reader.read()).value ?? '';
    times.push(performance.now() - sentAt);
    await sent;
    await lab.remove(`${configMaps}/${name}`);
  }
  await reader.cancel();
  return times.toSorted((left, right) => left - right);
}
