import { existsSync, rmSync } from 'node:fs';
import { loadAddon } from '../bpf/native.real.ts';
import { readKubeProxyRules, removeKubeProxyRules } from '../bpf/kubeproxy.real.ts';
import { ruleCount } from '../bpf/kubeproxy.ts';
import { uninstallNode, type Uninstalled } from '../bpf/uninstall.real.ts';
import { configurationAtStart } from './daemon/configflags.ts';
import type { ConfigSources, Configuration } from './daemon/configuration.ts';
import { nodeNameOf, textOf } from './daemon/values.ts';
import { CommandEnd, exitCodes } from './exit.ts';
import { giveUpLeases } from './nodeleases.ts';
import type { Session } from './session.ts';

interface CleanFlags {
  readonly force?: boolean;
  readonly stay?: boolean;
  readonly kubeProxyRules?: boolean;
}

/** What was done to a node. */
interface Cleaned extends Uninstalled {
  readonly sockets: number;
  readonly leases: number;
  readonly rules: number;
  /** What could not be removed, with the reason. */
  readonly left: readonly string[];
}

/** `fairlead uninstall --node`: in the network namespace that it is called in. */
export async function cleanNode(
  session: Session, flags: CleanFlags, sources: ConfigSources,
): Promise<void> {
  const configuration = await configurationAtStart(sources, exitCodes.usage);
  const addon = loadAddon();
  if (!addon.ok) throw new CommandEnd(exitCodes.unreachable, addon.error.text);
  const node = nodeNameOf(configuration.values);
  const { force = false } = flags;
  const uninstalled = uninstallNode(addon.value, node, { force });
  if (!uninstalled.ok) throw new CommandEnd(exitCodes.notWell, uninstalled.error);
  // Nothing answers any more, so that others may take over at once.
  const leases = await giveUpLeases(node, configuration, session.console.env);
  const cleaned: Cleaned = {
    ...uninstalled.value, sockets: removeSocket(configuration), leases: leases.count,
    rules: flags.kubeProxyRules === true ? removeRules() : 0,
    left: leases.left === undefined ? [] : [leases.left],
  };
  session.console.out(`${cleanedText(cleaned)}\n`);
  if (flags.stay === true) await signalled();
}

function signalled(): Promise<void> {
  // A pending promise holds no process: what listens for signals has to be alive.
  const alive = setInterval(() => undefined, 60_000);
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.once(name, () => {
        clearInterval(alive);
        resolve();
      });
    }
  });
}

function removeRules(): number {
  const count = ruleCount(readKubeProxyRules());
  const removed = removeKubeProxyRules();
  if (!removed.ok) throw new CommandEnd(exitCodes.notWell, removed.error);
  return count - ruleCount(readKubeProxyRules());
}

function removeSocket({ values }: Configuration): number {
  const path = textOf(values['api.socket']);
  if (path === undefined || !existsSync(path)) return 0;
  rmSync(path);
  return 1;
}

/** `removed 14 links, 11 pins; restored 2 sysctls; kept: nothing`, or that nothing was there. */
export function cleanedText(cleaned: Cleaned): string {
  const { links, pins, sockets, leases, rules, restored, kept, left } = cleaned;
  const removed = [
    counted(links, 'link'), counted(pins, 'pin'), counted(sockets, 'socket'),
    counted(leases, 'lease'), counted(rules, 'kube-proxy rule'),
  ].filter((text) => !text.startsWith('0 '));
  const stays = [...kept.map((path) => `${path} (changed by others since)`), ...left];
  const nothing = removed.length === 0 && restored.length === 0 && stays.length === 0;
  if (nothing) return 'nothing to do';
  return `removed ${removed.length === 0 ? 'nothing' : removed.join(', ')}; `
    + `restored ${counted(restored.length, 'sysctl')}; kept: ${stays.join(', ') || 'nothing'}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
