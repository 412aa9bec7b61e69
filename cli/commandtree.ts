import type { Command } from 'commander';

/** A command as completion and reference pages see it. */
export interface TreeCommand {
  /** From `fairlead` down to this command. */
  readonly path: readonly string[];
  readonly description: string;
  /** Names and aliases of its subcommands. */
  readonly words: readonly string[];
  /** Its flags, short and long, those of its parents included. */
  readonly flags: readonly string[];
  /** Every command below it, parents first. */
  readonly below: readonly TreeCommand[];
}

/** The command tree as data, from what is registered. */
export function treeOf(command: Command, parents: readonly Command[] = []): TreeCommand {
  const line = [...parents, command];
  const own = line.flatMap((of) => of.options.flatMap(({ short, long }) => [short, long]));
  const flags = [...own, '-h', '--help'].filter((flag) => flag !== undefined);
  const children = command.commands.map((child) => treeOf(child, line));
  return {
    path: line.map((of) => of.name()),
    description: command.description(),
    words: command.commands.flatMap((child) => [child.name(), ...child.aliases()]),
    flags: [...new Set(flags)],
    below: children.flatMap((child) => [child, ...child.below]),
  };
}
