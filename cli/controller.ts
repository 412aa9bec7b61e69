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
      const sources = sourcesOf(session, flags);
      const configuration = await configurationAtStart(sources);
      const { runLives } = await import('./daemon/lives.ts');
      const { liveAsController: live } = await import('./daemon/controllerprocess.ts');
      await runLives({ session, sources, configuration, role: 'controller', live });
    });
}
