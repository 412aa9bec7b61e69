import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Made, LabRecord } from './record.ts';
import { ip, killCgroup, processesOf, removeCgroup } from './site.ts';

/** What `lab down` took away. */
export interface Dismantled {
  readonly processes: number;
  readonly namespaces: number;
  readonly cgroups: number;
}

const processesMs = 5_000;

/**
 * Takes away everything that the record names, whoever made it and whatever of it is still there.
 * Processes go first: what they had mounted, pinned and attached for themselves goes with them.
 */
export async function dismantle(record: LabRecord): Promise<Dismantled> {
  const made = record.made();
  const cgroups = made.flatMap((each) => (each.kind === 'cgroup' ? [each.path] : []));
  const processes = cgroups.flatMap(processesOf).length;
  for (const cgroup of cgroups) killCgroup(cgroup);
  for (const cgroup of cgroups) await emptied(cgroup);
  let namespaces = 0;
  for (const name of namesOf(made).filter(namespacePresent)) {
    ip('netns', 'del', name);
    namespaces += 1;
  }
  let removed = 0;
  for (const cgroup of cgroups.toReversed().filter((path) => existsSync(path))) {
    removeCgroup(cgroup);
    removed += 1;
  }
  record.end();
  return { processes, namespaces, cgroups: removed };
}

function namesOf(made: readonly Made[]): readonly string[] {
  return [...new Set(made.flatMap((each) => (each.kind === 'namespace' ? [each.name] : [])))];
}

/** Namespaces that were not wanted, or came after the record was read, do not count. */
export function namespacePresent(name: string): boolean {
  return existsSync('/run/netns') && readdirSync('/run/netns').includes(name);
}

/** A killed process is of its cgroup until the kernel has buried it. */
export async function emptied(cgroup: string): Promise<void> {
  const until = performance.now() + processesMs;
  while (processesOf(cgroup).length > 0) {
    if (performance.now() > until) {
      throw new Error(`processes ${processesOf(cgroup).join()} of ${cgroup} do not die`);
    }
    await pause(5);
  }
}
