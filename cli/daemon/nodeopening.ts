import { totalmem } from 'node:os';
import { setTimeout as after } from 'node:timers/promises';
import { openNode, type NodeParts, type OpenNode } from '../../bpf/node.real.ts';
import { isListed } from '../../l2/links.ts';
import { CommandEnd, exitCodes } from '../exit.ts';
import type { Surroundings } from './lives.ts';
import { textOf, textsOf } from './values.ts';

const heldRetryMs = 1_000;

/**
 * Opens this node; while another agent has it, asks again (rule S1 of l2.md). Undefined: this life
 * is to end before it was free. A node that cannot be opened ends the command.
 */
export async function nodeWhenFree(
  parts: NodeParts, at: Surroundings,
): Promise<OpenNode | undefined> {
  const { nodeName, configuration: { values, settings } } = at;
  const socketLb = values['datapath.socketLB'] === 'hostNamespaceOnly'
    ? 'hostNamespaceOnly' as const : 'full' as const;
  for (;;) {
    const opened = openNode(parts, {
      nodeName, socketLb, datapath: settings.datapath,
      bindProtection: values['datapath.bindProtection'] === true,
      uplinks: textsOf(values['datapath.devices']),
      announces: (name) => settings.l2.enabled && isListed(name, settings.l2.devices),
      cgroup: textOf(values['datapath.cgroup']),
      allowOtherProxy: values['datapath.allowOtherProxy'] === true,
      mapDivisor: mapDivisorOf(values['datapath.mapSize']),
    });
    if (opened.ok) return opened.value;
    const { kind, text } = opened.error;
    if (kind !== 'held') throw new CommandEnd(exitCodes.unreachable, text);
    parts.journal.note({
      level: 'info', component: 'agent', code: 'agent.waits', text: `${text}; this one waits`,
    });
    if (await Promise.race([at.end, after(heldRetryMs, undefined)]) !== undefined) return undefined;
  }
}

const gibibyte = 1024 ** 3;

/** Limits of maps are written for 4 to 16 GiB; others have a quarter or four times of them. */
function mapDivisorOf(size: unknown): number {
  const divisors: Readonly<Record<string, number>> = { small: 4, medium: 1, large: 1 / 4 };
  const memory = totalmem();
  const auto = memory < 4 * gibibyte ? 'small' : memory <= 16 * gibibyte ? 'medium' : 'large';
  return divisors[String(size)] ?? divisors[auto] ?? 1;
}
