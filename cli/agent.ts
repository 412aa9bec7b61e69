import type { Command } from 'commander';
import {
  configurationAtStart, sourcesOf, withConfig, type ConfigFlags,
} from './daemon/configflags.ts';
import type { Session } from './session.ts';

/** `fairlead agent`: the process of one node. */
export function registerAgent(program: Command, session: Session): void {
  withConfig(program.command('agent'))
    .description('the process of one node: serves Services and announces their addresses')
    .action(async (flags: ConfigFlags) => {
      const configuration = await configurationAtStart(sourcesOf(session, flags));
      const { runAgent } = await import('./daemon/agentprocess.ts');
      await runAgent(session, configuration);
    });
}
