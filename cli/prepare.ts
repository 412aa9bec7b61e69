import type { Command } from 'commander';
import {
  configurationAtStart, sourcesOf, withConfig, type ConfigFlags,
} from './daemon/configflags.ts';
import { CommandEnd, exitCodes } from './exit.ts';
import type { Session } from './session.ts';

/**
 * `fairlead prepare`: the sysctls that an agent needs, written by a privileged container that ends
 * before the agent starts, because /proc/sys is read-only for one that is not (interface.md 16).
 */
export function registerPrepare(program: Command, session: Session): void {
  withConfig(program.command('prepare'))
    .description('sysctls that the agent of this node needs; uninstall --node puts them back')
    .action(async (flags: ConfigFlags) => {
      const configuration = await configurationAtStart(sourcesOf(session, flags));
      const { bridgeNames, endRedirects, reservePorts } = await import('../bpf/sysctl.real.ts');
      const { nodeNameOf } = await import('./daemon/values.ts');
      const { settings, values } = configuration;
      const node = nodeNameOf(values);
      const refused = [
        reservePorts(node, settings.datapath.snatPorts),
        ...[...bridgeNames(), 'default'].map((name) => endRedirects(node, name)),
      ].find((text) => text !== undefined);
      if (refused !== undefined) throw new CommandEnd(exitCodes.notWell, refused);
      session.console.out(`node ${node}   prepared\n`);
    });
}
