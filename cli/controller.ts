import type { Command } from 'commander';
import {
  configurationAtStart, sourcesOf, withConfig, type ConfigFlags,
} from './daemon/configflags.ts';
import type { Session } from './session.ts';

/** `fairlead controller`: the process of the cluster, one of whose replicas leads. */
export function registerController(program: Command, session: Session): void {
  withConfig(program.command('controller'))
    .description('the process of the cluster: allocates addresses and writes conditions')
    .action(async (flags: ConfigFlags) => {
      const configuration = await configurationAtStart(sourcesOf(session, flags));
      const { runController } = await import('./daemon/controllerprocess.ts');
      await runController(session, configuration);
    });
}
