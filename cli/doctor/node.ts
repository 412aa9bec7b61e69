import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isRefused } from '../../bpf/refusal.real.ts';
import { lockPath, runFolder } from '../../bpf/pins.real.ts';
import { pinRoot } from '../../bpf/pinnedmaps.real.ts';
import { changedSysctls, nodesWithSysctls } from '../../bpf/sysctl.real.ts';
import { ok, skip, warn, type Check, type Finding, type Surroundings } from './check.ts';

function configuration({ configuration: { warnings, ignored } }: Surroundings): Finding {
  const [warning] = warnings;
  if (warning !== undefined) return warn(warning, 'fairlead config view --origins');
  const unread = ignored.length === 0 ? '' : `; ${ignored.length} names of others are ignored`;
  return ok(`valid${unread}`);
}

/** What agents left on this machine, where none of them runs. */
function leftovers({ addon }: Surroundings): Finding {
  if (process.getuid?.() !== 0) return skip('pins and locks are root\'s alone; run it as root');
  const root = pinRoot();
  const pinned = root.ok && existsSync(root.value) ? readdirSync(root.value) : [];
  // In bpffs a dot of a node's name is an underscore.
  const named = pinned.map((name) => name.replaceAll('_', '.'));
  const nodes = new Set([...named, ...nodesWithSysctls()]);
  const running: string[] = [];
  const left: string[] = [];
  for (const node of [...nodes].toSorted()) {
    if (addon !== undefined && holdsLock(addon, node)) running.push(node);
    else {
      const sysctls = changedSysctls(node).length;
      const folder = node.replaceAll('.', '_');
      const pins = root.ok && pinned.includes(folder) ? countIn(join(root.value, folder)) : 0;
      left.push(`${node}: ${pins} pins, ${sysctls} sysctls`);
    }
  }
  const [first] = left;
  if (first !== undefined) {
    return warn(left.join('; '), 'start the agent again, or fairlead uninstall --node');
  }
  if (running.length > 0) return ok(`an agent of ${running.join(', ')} runs`);
  return ok(`nothing below ${root.ok ? root.value : '/sys/fs/bpf'} and ${runFolder}`);
}

function holdsLock(addon: NonNullable<Surroundings['addon']>, node: string): boolean {
  const path = lockPath(node);
  if (!existsSync(path)) return false;
  const lock = addon.fileLock(path);
  if (isRefused(lock)) return true;
  addon.close(lock as Exclude<typeof lock, number>);
  return false;
}

function countIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory()).length;
}

/** What this node was told and what was left on it. */
export const nodeChecks: readonly Check[] = [
  {
    name: 'config', asks: 'Is the configuration valid?',
    page: 'A configuration that is invalid at start ends agent and controller with 78; later the '
      + 'last good one stays in force. Names that nobody reads are listed by '
      + '`fairlead config view --ignored`.',
    look: configuration,
  },
  {
    name: 'leftovers', asks: 'Is anything left of an agent that does not run?',
    page: 'Maps and links stay pinned when an agent stops, so that Services go on. On a node that '
      + 'is to be without fairlead, `fairlead uninstall --node` takes them away and puts back the '
      + 'sysctls that were changed.',
    look: leftovers,
  },
];
