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
      const sources = sourcesOf(session, flags);
      const configuration = await configurationAtStart(sources);
      const { runLives } = await import('./daemon/lives.ts');
      const { liveAsAgent: live } = await import('./daemon/agentprocess.ts');
      await runLives({ session, sources, configuration, role: 'agent', live });
    });
}
