import { Option, type Command } from 'commander';
import { writeFileSync } from 'node:fs';
import { ScenarioError } from '../sim/scenario/error.ts';
import type { Run, RunInput } from '../sim/scenario/run.ts';
import type { RunVerdict } from '../sim/scenario/verdict.ts';
import type { Paint } from './console.ts';
import { usageError } from './exit.ts';
import { paintOf, printDocument, type Format } from './output.ts';
import type { ScenarioFile } from './scenariofile.ts';
import type { Session } from './session.ts';

interface RunFlags {
  readonly seed: string;
  readonly seeds: string;
  readonly twice?: boolean;
  readonly verbose?: boolean;
  readonly junit?: string;
  readonly build?: readonly string[];
  readonly order: 'fifo' | 'uniform';
  readonly output: Format;
}

/** `fairlead sim run FILE…`: scenarios with their assertions (simulator.md 7.2). */
export function registerSimRun(sim: Command, session: Session): void {
  const command = sim
    .command('run')
    .description('run scenario files and judge them')
    .argument('<file...>', 'scenario files')
    .option('--seed <n>', 'first seed', '0')
    .option('--seeds <n>', 'how many seeds from there', '1')
    .option('--twice', 'run each twice and compare the hashes of all events')
    .option('--verbose', 'print every change of state with its virtual time')
    .option('--junit <file>', 'write verdicts as JUnit XML')
    .option('--build <name=folder...>', 'other versions of fairlead that scenarios name')
    .addOption(
      new Option('--order <mode>', 'order of events of one instant')
        .choices(['fifo', 'uniform'])
        .default('fifo'),
    )
    .addOption(
      new Option('-o, --output <format>', 'shape of the answer')
        .choices(['table', 'json', 'yaml'])
        .default('table'),
    );
  command.action(async (files: string[], flags: RunFlags) => {
    await runFiles(files, flags, { session, paint: paintOf(session.console, command) });
  });
}

interface RunPlace {
  readonly session: Session;
  readonly paint: Paint;
}

async function runFiles(files: readonly string[], flags: RunFlags, place: RunPlace): Promise<void> {
  const { session, paint } = place;
  const { console } = session;
  const { readScenario } = await import('./scenariofile.ts');
  const { runScenario } = await import('../sim/scenario/run.ts');
  const { readBuilds } = await import('./simbuilds.ts');
  const builds = await readBuilds(flags.build ?? []);
  const { exitClass, exitCodes, gravest } = await import('../sim/scenario/verdict.ts');
  const first = wholeNumber('--seed', flags.seed);
  const count = wholeNumber('--seeds', flags.seeds);
  const style = { paint, verbose: flags.verbose === true };
  const results: Judged[] = [];
  for (const file of files) {
    const read = await readScenario(console, file);
    for (let seed = first; seed < first + count; seed += 1) {
      const input = { ...inputOf(read, { seed, order: flags.order }), builds };
      const run = runAs(file, () => runScenario(input));
      const twice = flags.twice === true;
      const difference = twice ? differenceOfRuns(runScenario, input, run) : undefined;
      const judged = { file, verdict: run.verdict, difference };
      results.push(judged);
      if (flags.output === 'table') console.out(linesOf(judged, run, style));
    }
  }
  if (flags.junit !== undefined) {
    const { junitOf } = await import('./junit.ts');
    writeFileSync(flags.junit, junitOf(results));
  }
  if (flags.output === 'json' || flags.output === 'yaml') {
    const items = results.map(documentOf);
    const document = { kind: 'RunList', source: 'manifests' as const, warnings: [], items };
    await printDocument(console, flags.output, document);
  }
  const classes = results.map(({ verdict, difference }) => {
    return difference === undefined ? exitClass(verdict) : 'non-determinism';
  });
  session.exitCode = exitCodes[gravest(classes)];
}

// A name that the cluster does not have is the author's mistake, not a bug of ours.
function runAs(file: string, start: () => Run): Run {
  try {
    return start();
  } catch (error) {
    if (error instanceof ScenarioError) throw usageError(`${file}: ${error.message}`);
    throw error;
  }
}

/** One run with what a second run of the same input showed. */
export interface Judged {
  readonly file: string;
  readonly verdict: RunVerdict;
  /** Where two runs parted; undefined when they did not, or nobody asked. */
  readonly difference: string | undefined;
}

export function wholeNumber(flag: string, text: string): number {
  if (!/^\d{1,9}$/u.test(text)) throw usageError(`${flag} takes a whole number, not '${text}'`);
  return Number(text);
}

function inputOf(read: ScenarioFile, run: { seed: number; order: 'fifo' | 'uniform' }): RunInput {
  const { scenario, objects, files } = read;
  return { scenario, objects, files, seed: BigInt(run.seed), order: run.order };
}

type Runner = (input: RunInput) => Run;

/**
 * Runs the same input again and finds the first event in which the two differ (simulator.md 3.3,
 * V2).
 */
function differenceOfRuns(runScenario: Runner, input: RunInput, run: Run): string | undefined {
  const again = runScenario(input);
  if (run.verdict.hash === again.verdict.hash && run.verdict.unseed === again.verdict.unseed)
    return undefined;
  const block = run.verdict.blocks.findIndex((hash, index) => hash !== again.verdict.blocks[index]);
  const captureBlock = block < 0 ? run.verdict.blocks.length : block;
  const [left, right] = [
    runScenario({ ...input, captureBlock }),
    runScenario({ ...input, captureBlock }),
  ].map((one) => one.cluster.world.trace.captured);
  const index = (left ?? []).findIndex(
    (record, place) => JSON.stringify(record) !== JSON.stringify(right?.[place]),
  );
  const [one, other] = [left?.[index], right?.[index]].map((record) => JSON.stringify(record));
  return `first difference in block ${captureBlock}: ${one} and ${other}`;
}

interface LineStyle {
  readonly paint: Paint;
  readonly verbose: boolean;
}

function linesOf(judged: Judged, run: Run, { paint, verbose }: LineStyle): string {
  const { verdict, difference } = judged;
  const failed = [
    ...verdict.checks
      .filter((check) => !check.passed)
      .map((check) => `check ${check.what} (${check.path}): ${check.message}`),
    ...verdict.expectations
      .filter((one) => !one.passed)
      .map((one) => `expect ${one.name}: ${one.message}`),
    ...verdict.findings.map(
      (finding) =>
        `${finding.oracle} ${finding.object} at ${seconds(finding.time)}: ${finding.text}`,
    ),
    ...(difference === undefined ? [] : [`not deterministic: ${difference}`]),
  ];
  const word = failed.length === 0 ? paint('green', 'ok  ') : paint('red', 'FAIL');
  const sum = verdict.checks.length + verdict.expectations.length;
  const head =
    `${word}   ${verdict.scenario}   seed ${verdict.seed}   ${sum} expectations   ` +
    `${seconds(verdict.duration)} virtual   ${verdict.events} events   ` +
    `hash ${verdict.hash}   unseed ${verdict.unseed}\n`;
  const story = verbose
    ? run.cluster.world.notes.map(
        (note) =>
          `  ${seconds(note.time).padStart(11)}   ${note.entity.padEnd(18)}   ` +
          `${note.code.padEnd(20)}   ${note.text}\n`,
      )
    : [];
  const warnings = verdict.warnings.map(
    (finding) => `  warn   ${finding.oracle} ${finding.object}: ${finding.text}\n`,
  );
  const replay =
    failed.length === 0
      ? []
      : [`  repeat: fairlead sim run ${judged.file} --seed ${verdict.seed} --verbose\n`];
  return [...story, head, ...warnings, ...failed.map((line) => `  ${line}\n`), ...replay].join('');
}

function seconds(micros: number): string {
  return `${(micros / 1_000_000).toFixed(3)}s`;
}

/** The verdict of each check and expectation, for scripts (simulator.md 7.2). */
function documentOf({ file, verdict, difference }: Judged): unknown {
  const finding = (one: RunVerdict['findings'][number]): unknown => ({
    oracle: one.oracle,
    type: one.type,
    object: one.object,
    timeMs: one.time / 1000,
    text: one.text,
  });
  return {
    file,
    scenario: verdict.scenario,
    seed: Number(verdict.seed),
    passed:
      difference === undefined &&
      verdict.findings.length === 0 &&
      [...verdict.checks, ...verdict.expectations].every((one) => one.passed),
    checks: verdict.checks.map(({ path, what, at, passed, message }) => ({
      path,
      what,
      timeMs: at / 1000,
      passed,
      message,
    })),
    expectations: verdict.expectations,
    findings: verdict.findings.map(finding),
    warnings: verdict.warnings.map(finding),
    durationMs: verdict.duration / 1000,
    events: verdict.events,
    hash: verdict.hash,
    unseed: verdict.unseed,
    ...(difference === undefined ? {} : { difference }),
  };
}
