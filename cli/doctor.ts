import { Option, type Command } from 'commander';
import {
  configurationAtStart, sourcesOf, withConfig, type ConfigFlags,
} from './daemon/configflags.ts';
import type { Examined } from './doctor/examination.ts';
import { withLive } from './cluster.ts';
import { exitCodes, usageError } from './exit.ts';
import type { KubeFlags } from './kubeconfig.ts';
import { paintOf, printDocument, type Format } from './output.ts';
import type { Session } from './session.ts';
import { alignRows } from './table.ts';

interface DoctorFlags extends ConfigFlags, KubeFlags {
  readonly check?: string;
  readonly output: Format;
}

/** `fairlead doctor`: prerequisites, left-overs and traps of this machine and its cluster. */
export function registerDoctor(program: Command, session: Session): void {
  const command = withLive(withConfig(program.command('doctor')))
    .description('prerequisites, left-overs, environment; fairlead help CHECK says more')
    .option('--check <expression>', 'only checks whose name it matches')
    .addOption(new Option('-o, --output <format>', 'shape of the answer')
      .choices(['table', 'json', 'yaml']).default('table').env('FAIRLEAD_OUTPUT'));
  command.action(async (flags: DoctorFlags) => {
    const { console } = session;
    const { checks } = await import('./doctor/checks.ts');
    const { examine } = await import('./doctor/examination.ts');
    const expression = expressionOf(flags.check ?? '');
    const chosen = checks.filter(({ name }) => expression.test(name));
    if (chosen.length === 0) {
      throw usageError(`no check matches; there are ${checks.map(({ name }) => name).join(', ')}`);
    }
    const configuration = await configurationAtStart(sourcesOf(session, flags), exitCodes.notWell);
    const examined = await examine(chosen, configuration, { flags, env: console.env });
    if (flags.output === 'json' || flags.output === 'yaml') {
      await printDocument(console, flags.output, {
        kind: 'CheckList', source: 'cluster', items: examined, warnings: [],
      });
    } else console.out(tableOf(examined, paintOf(console, command)));
    const failed = examined.some(({ result }) => result === 'FAIL');
    session.exitCode = failed ? exitCodes.notWell : exitCodes.ok;
  });
}

function expressionOf(text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    throw usageError(`--check ${text}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const colours = { OK: 'green', WARN: 'yellow', FAIL: 'red', SKIP: 'yellow' } as const;

function tableOf(examined: readonly Examined[], paint: ReturnType<typeof paintOf>): string {
  const head = ['CHECK', 'RESULT', 'DETAIL'];
  const rows = examined.map(({ check, result, detail, next }) => (
    [check, result, next === undefined ? detail : `${detail}   next: ${next}`]
  ));
  const [first = '', ...lines] = alignRows([head, ...rows]).split('\n');
  // Colour comes after alignment, because an escape sequence has no width.
  const painted = examined.map(({ result }, index) => (
    (lines[index] ?? '').replace(` ${result}`, ` ${paint(colours[result], result)}`)
  ));
  return `${[first, ...painted].join('\n')}\n`;
}
