import { Command, CommanderError, Option } from 'commander';
import { registerAgent } from './agent.ts';
import { registerBgp } from './bgp.ts';
import { registerCompletion } from './completion.ts';
import { registerConfig } from './config.ts';
import type { Console } from './console.ts';
import { registerController } from './controller.ts';
import { registerDoctor } from './doctor.ts';
import { CommandEnd, exitCodes } from './exit.ts';
import { registerHelp } from './help.ts';
import { registerInstall } from './install.ts';
import { registerIppool } from './ippool.ts';
import { registerLab } from './lab.ts';
import { registerL2 } from './l2.ts';
import { registerLb } from './lb.ts';
import { nearestNames } from './nearest.ts';
import { registerPrepare } from './prepare.ts';
import { registerService } from './service.ts';
import type { Register, Session } from './session.ts';
import { registerDrain } from './drain.ts';
import { registerDemo } from './demo.ts';
import { registerSim } from './sim.ts';
import { registerStatus } from './status.ts';
import { registerUninstall } from './uninstall.ts';
import { registerValidate } from './validate.ts';
import { registerVersion } from './version.ts';

const subcommands: readonly Register[] = [
  registerAgent,
  registerController,
  registerStatus,
  registerDrain,
  registerService,
  registerIppool,
  registerL2,
  registerLb,
  registerBgp,
  registerValidate,
  registerSim,
  registerLab,
  registerDemo,
  registerDoctor,
  registerInstall,
  registerUninstall,
  registerPrepare,
  registerConfig,
  registerCompletion,
  registerVersion,
  registerHelp,
];

/** Runs one command line, without `node` and the script. The answer is the exit code. */
export async function run(words: readonly string[], console: Console): Promise<number> {
  const session: Session = { console, exitCode: exitCodes.ok };
  const program = programFor(session);
  try {
    await program.parseAsync(words.length === 0 ? ['help'] : [...words], { from: 'user' });
    return session.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return usageCode(error, { program, words, console });
    if (!(error instanceof CommandEnd)) throw error;
    console.err(`fairlead: ${error.message}\n`);
    return error.exitCode;
  }
}

/** The whole command tree, each command writing to `session.console` only. */
export function programFor(session: Session): Command {
  const { console } = session;
  const program = new Command('fairlead')
    .description('LoadBalancer addresses for Kubernetes, and a simulator of all of it')
    .addOption(new Option('--color <when>', 'colour of words that carry a verdict')
      .choices(['auto', 'always', 'never']).default('auto').env('FAIRLEAD_COLOR'))
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => console.out(text),
      writeErr: (text) => console.err(text),
      // An unknown command gets a sentence of its own, with the nearest names.
      outputError: (text, write) => {
        if (!text.startsWith('error: unknown command'))
          write(text.replace(/^error: /, 'fairlead: '));
      },
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const register of subcommands) register(program, session);
  return program;
}

function usageCode(
  error: CommanderError,
  { program, words, console }: { program: Command; words: readonly string[]; console: Console },
): number {
  if (error.exitCode === 0) return exitCodes.ok;
  if (error.code === 'commander.help') return exitCodes.usage;
  if (error.code === 'commander.unknownCommand') console.err(unknownCommand(program, words));
  return exitCodes.usage;
}

// The first word that names no command at its place, and what it may have meant.
function unknownCommand(program: Command, words: readonly string[]): string {
  let place = program;
  for (const word of words.filter((each) => !each.startsWith('-'))) {
    const next = place.commands.find((of) => of.name() === word || of.aliases().includes(word));
    if (next === undefined) {
      const known = place.commands.flatMap((of) => [of.name(), ...of.aliases()]);
      const nearest = nearestNames(word, known);
      const path = commandPath(place);
      const hint = nearest.length === 0
        ? `'${path} --help' lists the commands`
        : `did you mean ${nearest.map((name) => `'${path} ${name}'`).join(' or ')}?`;
      return `fairlead: no command '${word}'; ${hint}\n`;
    }
    place = next;
  }
  return `fairlead: ${commandPath(place)} needs a subcommand; see --help\n`;
}

function commandPath(command: Command): string {
  const parent = command.parent;
  return parent === null ? command.name() : `${commandPath(parent)} ${command.name()}`;
}

/** Every command below `program`, parents first. */
export function allCommands(program: Command): Command[] {
  return program.commands.flatMap((command) => [command, ...allCommands(command)]);
}
