import { InvalidArgumentError, type Command } from 'commander';

/**
 * Collects a flag that may stand several times; one value each, so that no argument is swallowed.
 */
export function repeated(value: string, before: readonly string[] | undefined): readonly string[] {
  if (value === '') throw new InvalidArgumentError('it must not be empty');
  return [...(before ?? []), value];
}

/** Adds `-f` and `-R`. */
export function withManifests(command: Command): Command {
  return command
    .requiredOption('-f, --filename <path>', 'file, folder, or - for stdin; repeatable', repeated)
    .option('-R, --recursive', 'folders below as well');
}

/** Adds `-f` and `-R` where a command has another source besides. */
export function withManifestsOrLive(command: Command): Command {
  return command
    .option('-f, --filename <path>', 'file, folder, or - for stdin; repeatable', repeated)
    .option('-R, --recursive', 'folders below as well');
}

/** Adds what a command needs to run a folder in a simulated cluster. */
export function withCluster(command: Command): Command {
  return command
    .option('--nodes <n>', 'nodes to assume where the folder has none', '3')
    .option('--set <key=value>', 'a setting, as in fairlead-config; repeatable', repeated);
}
