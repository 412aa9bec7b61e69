import { Option, type Command } from 'commander';
import { settingTable } from '../../settingtable.ts';
import { CommandEnd, exitCodes } from '../exit.ts';
import type { Session } from '../session.ts';
import type { ConfigSources, Configuration } from './configuration.ts';

/** Names of flags and variables are the table's: `l2.onApiOutage` is `--l2-on-api-outage`. */
function dashed(key: string): string {
  return key.replaceAll('.', '-').replaceAll(/([a-z0-9])([A-Z])/gu, '$1-$2').toLowerCase();
}

export function flagOf(key: string): string {
  return `--${dashed(key)}`;
}

/** `l2.onApiOutage` as `FAIRLEAD_L2_ON_API_OUTAGE`. */
export function variableOf(key: string): string {
  return `FAIRLEAD_${dashed(key).replaceAll('-', '_').toUpperCase()}`;
}

/** Flags of a command that has a configuration. */
export interface ConfigFlags {
  readonly config?: string;
  readonly [attribute: string]: unknown;
}

/** Adds `--config` and a flag for each setting, which the help names as one line. */
export function withConfig(command: Command): Command {
  command.option('--config <file>', 'config.yaml; FAIRLEAD_CONFIG names it too');
  for (const { key, about } of settingTable) {
    command.addOption(new Option(`${flagOf(key)} <value>`, about).hideHelp());
  }
  return command.addHelpText('after', '\nEach setting is a flag as well: --l2-session-renew 1s;'
    + ' config view --schema lists them.');
}

/** Where the settings of a command line come from. */
export function sourcesOf({ console }: Session, flags: ConfigFlags): ConfigSources {
  const given = settingTable.flatMap(({ key }): [string, string][] => {
    const value = flags[new Option(`${flagOf(key)} <value>`).attributeName()];
    return typeof value === 'string' ? [[key, value]] : [];
  });
  return {
    file: flags.config ?? console.env['FAIRLEAD_CONFIG'], env: console.env,
    flags: Object.fromEntries(given),
  };
}

/** The configuration of a process at its start; an invalid one ends it with 78, or `code`. */
export async function configurationAtStart(
  sources: ConfigSources, code: number = exitCodes.config,
): Promise<Configuration> {
  const { faultText, loadConfiguration } = await import('./configuration.ts');
  const loaded = loadConfiguration(sources);
  if (loaded.ok) return loaded.value;
  const lines = loaded.error.map(faultText);
  throw new CommandEnd(code, `the configuration is invalid\n${lines.join('\n')}`);
}
