import type { Command } from 'commander';
import type { Session } from './session.ts';
import { registerSimRun } from './simrun.ts';
import { registerSimUp } from './simup.ts';
import { registerWhatIf } from './whatif.ts';

/** `fairlead sim …`: the simulator (simulator.md 7.2). */
export function registerSim(program: Command, session: Session): void {
  const sim = program
    .command('sim')
    .description('a cluster in virtual time: scenarios, faults, answers');
  registerSimUp(sim, session);
  registerSimRun(sim, session);
  registerWhatIf(sim, session);
}
