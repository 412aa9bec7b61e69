import type { CompiledObject } from '../../bpf/vm/compile.ts';
import type { KubeError, KubeObject } from '../../kube/port.ts';
import { resourceOf } from '../../kube/resource.ts';
import type { Micros } from '../../lb/ports.ts';
import { assert, type Result } from '../../lb/result.ts';
import type { TranslatedBuild } from '../cluster/builds.ts';
import { Cluster } from '../cluster/cluster.ts';
import { watchOracles, type OracleWatch } from '../check/oracles.ts';
import { applyFault, FaultSet } from '../fault/fault.ts';
import type { OrderMode } from '../world.ts';
import { ApiCalls } from './calls.ts';
import { evaluateChecks } from './checks.ts';
import { measure } from './measure.ts';
import type { Action, Scenario, Step } from './spec.ts';
import { armEvery, armWhen } from './trigger.ts';
import type { CheckVerdict, ExpectationVerdict, RunVerdict } from './verdict.ts';

export interface RunInput {
  readonly scenario: Scenario;
  /** The scenario's manifests, already read. */
  readonly objects: readonly KubeObject[];
  /** Manifests of `apply` steps by the name that the step gives. */
  readonly files: ReadonlyMap<string, readonly KubeObject[]>;
  readonly seed: bigint;
  /** The eBPF programs of the nodes; default: without checks of every access. */
  readonly programs?: CompiledObject;
  /** Other versions of fairlead that the scenario names. */
  readonly builds?: ReadonlyMap<string, TranslatedBuild>;
  readonly order?: OrderMode;
  /** As in `ClusterInput`. */
  readonly sharing?: boolean;
  /** Keeps the trace records of this block, to show where two runs part. */
  readonly captureBlock?: number;
  /** Given the cluster before it starts, to watch it or to set what no scenario says. */
  readonly built?: (cluster: Cluster) => void;
}

const pollEvery = 100_000;
const hour = 3_600_000_000;

/** One run, and the world it left for whoever wants to look closer. */
export interface Run {
  readonly verdict: RunVerdict;
  readonly cluster: Cluster;
}

/** Runs one scenario with one seed to its end and judges it. Equal inputs give equal verdicts. */
export function runScenario(input: RunInput): Run {
  const { scenario } = input;
  const cluster = new Cluster({
    seed: input.seed,
    order: input.order ?? 'fifo',
    cluster: scenario.cluster,
    network: scenario.network,
    objects: input.objects,
    traffic: scenario.traffic,
    sharing: input.sharing ?? true,
    ...(input.programs === undefined ? {} : { programs: input.programs }),
    ...(input.builds === undefined ? {} : { builds: input.builds }),
  });
  if (input.captureBlock !== undefined) cluster.world.trace.captureBlock(input.captureBlock);
  input.built?.(cluster);
  const oracles = watchOracles(cluster, scenario.expect);
  cluster.start();
  const steps = new StepRunner(cluster, input);
  steps.begin();
  cluster.world.run(24 * hour, () => steps.done);
  const unconverged = settle(cluster, scenario);
  const verdict = judge({ input, cluster, steps, oracles, unconverged });
  return { cluster, verdict };
}

/** Lets the cluster converge within the scenario's bound; what is still open then, else nothing. */
function settle(cluster: Cluster, scenario: Scenario): readonly string[] {
  const within = scenario.expect.convergedWithin;
  if (within === undefined) return [];
  const deadline = cluster.world.now + within;
  let open = cluster.unconverged();
  while (open.length > 0 && cluster.world.now < deadline) {
    cluster.world.run(Math.min(deadline, cluster.world.now + pollEvery));
    open = cluster.unconverged();
  }
  return open;
}

interface Judged {
  readonly input: RunInput;
  readonly cluster: Cluster;
  readonly steps: StepRunner;
  readonly oracles: OracleWatch;
  readonly unconverged: readonly string[];
}

function judge({ input, cluster, steps, oracles, unconverged }: Judged): RunVerdict {
  const { scenario } = input;
  const expectations = [
    ...measure(cluster, scenario.expect.measures, steps.measuredFrom),
    ...scenario.expect.sometimes.map((mark) => {
      const passed = (cluster.world.marks.get(mark) ?? 0) > 0;
      return { name: `sometimes ${mark}`, passed, message: passed ? '' : 'never happened' };
    }),
    ...scenario.expect.never.map((mark) => {
      const hits = cluster.world.marks.get(mark) ?? 0;
      return {
        name: `never ${mark}`,
        passed: hits === 0,
        message: hits === 0 ? '' : `happened ${hits} times`,
      };
    }),
    ...steps.failures,
    ...refusals(cluster),
  ];
  const { findings, warnings } = oracles.close(unconverged);
  const { world } = cluster;
  return {
    scenario: scenario.name,
    seed: input.seed,
    checks: steps.checks,
    expectations,
    findings,
    warnings,
    duration: world.now,
    events: world.trace.count,
    hash: world.trace.hash,
    blocks: world.trace.blocks,
    unseed: world.unseed(),
  };
}

/**
 * Manifests and settings that were not taken as written. Kinds that the simulator does not keep are
 * no mistake of the scenario and pass.
 */
function refusals(cluster: Cluster): ExpectationVerdict[] {
  return cluster.faults.flatMap(({ object, faults }) => {
    const known = object === undefined || resourceOf(object.apiVersion ?? '', object.kind ?? '');
    if (known === undefined) return [];
    const name = object === undefined ? 'settings' : `${object.kind} ${object.metadata?.name}`;
    const texts = faults.map(({ path, message }) =>
      path === '' ? message : `${path}: ${message}`,
    );
    const message = texts.join('; ');
    return [{ name: `${name} is taken`, passed: false, message }];
  });
}

/**
 * Walks the steps: a timed step starts when the one before it is done, a `when` waits on the side.
 */
class StepRunner {
  readonly checks: CheckVerdict[] = [];
  /** Waits that ran out, and requests of the scenario that were refused. */
  readonly failures: { name: string; passed: boolean; message: string }[] = [];
  /** When the scenario first did something to the cluster: what came before was boot. */
  measuredFrom: Micros = 0;
  done = false;
  #cluster: Cluster;
  #input: RunInput;
  #faults: FaultSet;
  #calls: ApiCalls;
  #acted = false;

  constructor(cluster: Cluster, input: RunInput) {
    this.#cluster = cluster;
    this.#input = input;
    this.#faults = new FaultSet(cluster);
    this.#calls = new ApiCalls(cluster);
  }

  begin(): void {
    this.#next(0);
  }

  #next(index: number): void {
    const step = this.#input.scenario.steps[index];
    if (step === undefined) {
      this.done = true;
      return;
    }
    const go = (): void => this.#act(step, () => this.#next(index + 1));
    const { trigger } = step;
    switch (trigger.kind) {
      case 'at':
        return this.#later(Math.max(0, trigger.time - this.#cluster.world.now), go);
      case 'after':
        return this.#later(trigger.delay, go);
      case 'when':
        armWhen(this.#cluster, trigger.when, () => this.#act(step, () => undefined));
        return this.#next(index + 1);
      case 'every':
        armEvery(this.#cluster, trigger.period, () => this.#act(step, () => undefined));
        return this.#next(index + 1);
    }
  }

  #later(delay: Micros, go: () => void): void {
    this.#cluster.world.schedule(delay, { kind: 'step', entity: 'scenario' }, go, { band: 0 });
  }

  #act(step: Step, done: () => void): void {
    const { action } = step;
    if (action.kind === 'waitFor') return this.#wait(step, action, done);
    if (action.kind !== 'check' && action.kind !== 'mark' && !this.#acted) {
      this.#acted = true;
      this.measuredFrom = this.#cluster.world.now;
    }
    if (action.kind === 'check') {
      // Looks at the finished instant, so that a step at the same time is seen.
      this.#cluster.world.schedule(
        0,
        { kind: 'check', entity: 'scenario' },
        () => {
          this.checks.push(...evaluateChecks(this.#cluster, action.checks));
          done();
        },
        { band: 2 },
      );
      return;
    }
    this.#perform(action);
    done();
  }

  #perform(action: Exclude<Action, { kind: 'waitFor' | 'check' }>): void {
    const cluster = this.#cluster;
    switch (action.kind) {
      case 'fault':
        return this.#faults.start(action.fault, applyFault(cluster, action.fault));
      case 'heal':
        this.#faults.heal(action.name, action.with);
        return undefined;
      case 'apply':
        for (const object of action.objects) this.#asked('apply', cluster.store.apply(object));
        for (const file of action.files) {
          const objects = this.#input.files.get(file);
          assert(objects !== undefined, `file ${file} was read before the run`);
          for (const object of objects) this.#asked(`apply ${file}`, cluster.store.apply(object));
        }
        return undefined;
      case 'delete':
        for (const name of action.objects)
          this.#asked(`delete ${name}`, cluster.store.remove(name));
        return undefined;
      case 'patch':
        return this.#asked(
          `patch ${action.object}`,
          cluster.store.patch(action.object, action.patch),
        );
      case 'request': {
        const { method, path } = action.request;
        const message = this.#calls.make(action.request);
        if (message === undefined) return undefined;
        this.failures.push({ name: `${method} ${path}`, passed: false, message });
        return undefined;
      }
      case 'mark':
        return cluster.world.note('scenario', {
          level: 'info',
          component: 'scenario',
          code: action.mark,
          text: `mark ${action.mark}`,
        });
    }
  }

  // What the API server refuses is what the scenario's author must hear of.
  #asked(what: string, result: Result<unknown, KubeError>): void {
    if (!result.ok)
      this.failures.push({ name: what, passed: false, message: result.error.message });
  }

  #wait(step: Step, action: Extract<Action, { kind: 'waitFor' }>, done: () => void): void {
    const deadline = this.#cluster.world.now + action.timeout;
    const look = (): void => {
      const open =
        action.state === 'quiescent' ? this.#cluster.pending() : this.#cluster.unconverged();
      if (open.length === 0) return done();
      if (this.#cluster.world.now >= deadline) {
        const message = `not ${action.state} in time: ${open.slice(0, 5).join('; ')}`;
        this.failures.push({
          name: `${step.path} waitFor ${action.state}`,
          passed: false,
          message,
        });
        return done();
      }
      this.#cluster.world.schedule(pollEvery, { kind: 'wait', entity: 'scenario' }, look, {
        band: 2,
      });
    };
    this.#cluster.world.schedule(0, { kind: 'wait', entity: 'scenario' }, look, { band: 2 });
  }
}
