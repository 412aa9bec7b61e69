import type { Command } from 'commander';
import { usageError } from './exit.ts';
import { nearestNames } from './nearest.ts';
import type { Session } from './session.ts';

/** `fairlead help [TOPIC…]`: a command, or the page of a check of the doctor. */
export function registerHelp(program: Command, session: Session): void {
  program.helpCommand(false);
  program.command('help').argument('[topic...]', 'a command, or a check of fairlead doctor')
    .description('what a command does, or what a check asks and why')
    .action(async (topic: readonly string[]) => {
      const command = commandAt(program, topic);
      const name = topic.join(' ');
      const { checks } = await import('./doctor/checks.ts');
      const check = checks.find((one) => one.name === name);
      if (check === undefined && command === undefined) {
        const commands = program.commands.map((one) => one.name());
        const nearest = nearestNames(name, [...commands, ...checks.map((one) => one.name)]);
        const hint = nearest.length === 0 ? '' : `; nearest: ${nearest.join(', ')}`;
        throw usageError(`no topic '${name}'${hint}`);
      }
      const parts = [
        ...(command === undefined ? [] : [command.helpInformation()]),
        ...(check === undefined ? [] : [`${name}: ${check.asks}\n\n${wrapped(check.page)}\n`]),
      ];
      session.console.out(parts.join('\n'));
    });
}

function commandAt(program: Command, words: readonly string[]): Command | undefined {
  let place: Command | undefined = program;
  for (const word of words) {
    place = place?.commands.find((one) => one.name() === word || one.aliases().includes(word));
  }
  return place;
}

const columnsMax = 80;

function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > columnsMax) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.join('\n');
}
