import { Option, type Command } from 'commander';
import type { Paint } from './console.ts';
import { exitCodes, usageError } from './exit.ts';
import type { Finding } from './finding.ts';
import { withManifests } from './flags.ts';
import type { FolderFlags } from './folder.ts';
import { paintOf, printDocument, type Format } from './output.ts';
import type { Session } from './session.ts';
import { alignRows } from './table.ts';

interface ValidateFlags extends FolderFlags {
  readonly strict?: boolean;
  readonly output: Format;
}

/** `fairlead validate -f DIR`: what is wrong with manifests, before a cluster sees them. */
export function registerValidate(program: Command, session: Session): void {
  const command = withManifests(program.command('validate'))
    .description('offline check of manifests: schema, rules, and what one object means for another')
    .option('--strict', 'warnings fail too')
    .addOption(new Option('-o, --output <format>', 'shape of the answer')
      .choices(['table', 'json', 'yaml']).default('table').env('FAIRLEAD_OUTPUT'));
  command.action(async (flags: ValidateFlags) => {
    const { console } = session;
    const { readFolder } = await import('./folder.ts');
    const { findingsOf } = await import('./findings.ts');
    const folder = await readFolder(console, flags);
    if (folder.objects.length === 0 && folder.faults.length === 0) {
      throw usageError(`no manifest in ${flags.filename.join(', ')}; -R also looks below`);
    }
    const findings = findingsOf(folder);
    if (flags.output === 'json' || flags.output === 'yaml') {
      await printDocument(console, flags.output, {
        kind: 'FindingList',
        source: 'manifests',
        items: findings,
        warnings: [],
      });
    } else {
      console.out(findingLines(findings, paintOf(console, command)));
      console.err(summary(findings, folder.objects.length));
    }
    const failed = findings.some(({ severity }) => severity === 'error' || flags.strict === true);
    session.exitCode = failed ? exitCodes.notWell : exitCodes.ok;
  });
}

/** `file:line:col   ERROR   code   path: message`, one line a finding (interface.md 4.7). */
export function findingLines(findings: readonly Finding[], paint: Paint): string {
  const text = alignRows(findings.map((finding) => [
    `${finding.file}:${finding.line}:${finding.column}`,
    wordOf(finding),
    finding.code,
    finding.path === '' ? finding.message : `${finding.path}: ${finding.message}`,
  ]));
  // Colour comes after alignment, because an escape sequence has no width.
  const lines = text.split('\n');
  return findings.map((finding, index) => {
    const word = wordOf(finding);
    const colour = finding.severity === 'error' ? 'red' : 'yellow';
    return `${(lines[index] ?? '').replace(word, paint(colour, word))}\n`;
  }).join('');
}

function wordOf({ severity }: Finding): string {
  return severity === 'error' ? 'ERROR' : 'WARN';
}

function summary(findings: readonly Finding[], objectCount: number): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  return `${objectCount} objects, ${errors} errors, ${findings.length - errors} warnings\n`;
}
