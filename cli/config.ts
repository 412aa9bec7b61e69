import type { Command } from 'commander';
import {
  configurationAtStart, sourcesOf, withConfig, type ConfigFlags,
} from './daemon/configflags.ts';
import { exitCodes } from './exit.ts';
import type { Session } from './session.ts';

interface ViewFlags extends ConfigFlags {
  readonly origins?: boolean;
  readonly ignored?: boolean;
  readonly schema?: boolean;
}

/** `fairlead config view`: the settings that a process with these sources would have. */
export function registerConfig(program: Command, session: Session): void {
  const config = program.command('config').description('settings of agent and controller');
  withConfig(config.command('view'))
    .description('settings in force, one a line')
    .option('--origins', 'where each value comes from')
    .option('--ignored', 'only the names that nobody reads')
    .option('--schema', 'the JSON Schema of the file instead')
    .action(async (flags: ViewFlags) => {
      const { console } = session;
      if (flags.schema === true) {
        const { configSchema } = await import('./daemon/settingschema.ts');
        console.out(`${JSON.stringify(configSchema(), undefined, 2)}\n`);
        return;
      }
      const { values, origins, ignored, warnings } = await configurationAtStart(
        sourcesOf(session, flags), exitCodes.notWell,
      );
      for (const warning of warnings) console.err(`warning: ${warning}\n`);
      if (flags.ignored === true) {
        for (const name of ignored) console.out(`${name}\n`);
        return;
      }
      const rows = Object.entries(values).map(([key, value]) => {
        const from = flags.origins === true ? `   # ${origins.get(key) ?? ''}` : '';
        return `${key}: ${JSON.stringify(value)}${from}\n`;
      });
      console.out(rows.join(''));
    });
}
