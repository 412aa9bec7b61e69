import { Option, type Command } from 'commander';
import type { FailureSummary } from '../sim/report/whatif-table.ts';
import { repeated } from './flags.ts';
import { printDocument, withOutput, type OutputFlags } from './output.ts';
import { tableText, type Column } from './table.ts';
import type { Session } from './session.ts';

export interface WhatIfFlags extends OutputFlags {
  readonly filename: readonly string[];
  readonly nodeDown?: string;
  readonly routerDown?: string;
  readonly drain?: string;
  readonly apiDown?: string;
  readonly isolate?: string;
  readonly anySingleFailure?: boolean;
  readonly seed: string;
  readonly seeds?: string;
  readonly nodes: string;
  readonly set?: readonly string[];
  readonly hints: boolean;
}

/** Flags that `npm start` and `sim what-if` share. */
export function withFailures(command: Command): Command {
  return command
    .option('--node-down <node>', 'this node loses power')
    .option('--router-down <router>', 'this router loses power')
    .option('--drain <node>', 'this node is cordoned and emptied')
    .option('--api-down <duration>', 'nobody reaches the API server for this long')
    .option('--isolate <node[:in|:out]>', 'this node is cut off on every plane')
    .option('--any-single-failure', 'each of the above in turn, and each agent killed')
    .option('--nodes <n>', 'nodes to assume where the folder has none', '3')
    .option('--set <key=value>', 'a setting, as in fairlead-config; repeatable', repeated);
}

/** `fairlead sim what-if -f DIR …`: what a failure would do to every Service (simulator.md 7.3). */
export function registerWhatIf(sim: Command, session: Session): void {
  const command = withOutput(
    withFailures(
      sim
        .command('what-if')
        .description('what a failure would do to every Service of a folder, how long, and why')
        .requiredOption(
          '-f, --filename <path>',
          'file, folder, or - for stdin; repeatable',
          repeated,
        ),
    ),
  )
    .option('--seed <n>', 'first placement', '0')
    .option('--seeds <n>', 'placements to try of each failure (200, or 50 shared by several)')
    .addOption(new Option('--no-hints', 'skip the re-runs that measure a remedy'));
  command.action(async (flags: WhatIfFlags) => {
    const { console } = session;
    const { readObjects } = await import('./scenariofile.ts');
    const { answerWhatIf } = await import('./whatifanswer.ts');
    const objects = await readObjects(console, flags.filename);
    const answer = answerWhatIf(objects, flags);
    if (flags.output === 'json' || flags.output === 'yaml') {
      await printDocument(console, flags.output, {
        kind: 'WhatIfList',
        source: 'manifests',
        items: answer.summaries.map(documentOf),
        warnings: answer.warnings,
      });
      return;
    }
    for (const warning of answer.warnings) console.err(`warning: ${warning}\n`);
    console.out(`${answer.head}\n`);
    for (const summary of answer.summaries) console.out(textOf(summary, flags));
    console.out(`${answer.replay}\n`);
  });
}

function columnsFor(placements: number): Column<Row>[] {
  return [
    { head: 'SERVICE', cell: (row) => row.service },
    { head: 'IP', cell: (row) => row.ip },
    { head: 'OWNER → NEW', cell: (row) => row.move },
    { head: placements === 1 ? 'OUTAGE' : 'OUTAGE (median / worst)', cell: (row) => row.outage },
    { head: 'WHY', cell: (row) => row.why },
  ];
}

type Row = FailureSummary['rows'][number];

/** The table of one failure, with hints below. */
export function textOf(
  summary: FailureSummary,
  flags: Pick<OutputFlags, 'headers' | 'output' | 'sortBy'>,
): string {
  const table = tableText(columnsFor(summary.placements), summary.rows, {
    wide: flags.output === 'wide',
    heads: flags.headers,
    sortBy: flags.sortBy,
  });
  const hints = summary.hints.map((hint) => `  hint: ${hint}\n`).join('');
  return `\n${summary.failure.title}\n${table.replaceAll(/^(?=.)/gmu, '  ')}${hints}`;
}

function documentOf(summary: FailureSummary): unknown {
  const { failure, placements, rows, hints } = summary;
  return {
    failure: {
      title: failure.title,
      fault: failure.fault.name,
      with: failure.fault.with,
      ...(failure.node === undefined ? {} : { node: failure.node }),
    },
    placements,
    services: rows.map((row) => ({
      namespace: row.service.split('/')[0],
      name: row.service.split('/')[1],
      ip: row.ip,
      ...(row.from === undefined ? {} : { owner: row.from }),
      ...(row.to === undefined ? {} : { newOwner: row.to }),
      ...(row.medianMs === undefined ? {} : { outageMedianMs: row.medianMs }),
      ...(row.worstMs === undefined ? {} : { outageWorstMs: row.worstMs }),
      recovered: row.worstMs !== undefined,
      neverRecoveredIn: row.neverRecovered,
      reason: row.reason,
      why: row.why,
      causes: row.causes,
    })),
    hints,
  };
}
