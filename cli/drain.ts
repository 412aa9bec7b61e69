import type { Command } from 'commander';
import { askAgent, withSocket, type SocketFlags } from './agentclient.ts';
import type { Session } from './session.ts';

interface DrainFlags extends SocketFlags {
  readonly undo?: boolean;
}

/** `fairlead drain`: the node of this machine hands over what it announces and goes on serving. */
export function registerDrain(program: Command, session: Session): void {
  withSocket(program.command('drain'))
    .description('this node hands over its addresses; --undo lets it announce again')
    .option('--undo', 'announce again')
    .action(async (flags: DrainFlags) => {
      const { state } = await askAgent<{ readonly state: string }>(
        flags, 'POST /v1/drain', { undo: flags.undo === true },
      );
      session.console.out(`agent ${state}\n`);
    });
}
