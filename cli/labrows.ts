import { join } from 'node:path';
import type { Lab } from '../kind/lab/lab.ts';
import type { Machine } from '../kind/lab/machine.ts';
import { processesOf } from '../kind/lab/site.ts';
import type { Column } from './table.ts';

interface StatusRow {
  readonly machine: string;
  readonly kind: string;
  readonly addresses: string;
  readonly state: string;
  readonly pods: string;
}

export const statusColumns: readonly Column<StatusRow>[] = [
  { head: 'MACHINE', cell: (row) => row.machine },
  { head: 'KIND', cell: (row) => row.kind },
  { head: 'ADDRESSES', cell: (row) => row.addresses },
  { head: 'STATE', cell: (row) => row.state },
  { head: 'PODS', cell: (row) => row.pods },
];

/** One row for each machine, as it is now. */
export function statusRows(lab: Lab): readonly StatusRow[] {
  const { cables, control } = lab.spec.blueprint;
  return [...lab.machines.values()].map((machine): StatusRow => {
    const { name, plan: { kind } } = machine;
    const ips = cables.filter((cable) => cable.machine === name).flatMap((cable) => cable.ips);
    const shown = kind === 'control' ? [control] : ips;
    return {
      machine: name, kind, addresses: shown.length === 0 ? '-' : shown.join(','),
      state: stateOf(machine),
      pods: kind === 'node' ? String(processesOf(join(machine.cgroup, 'pods')).length) : '-',
    };
  });
}

function stateOf(machine: Machine): string {
  const runs = (part: string): boolean => processesOf(join(machine.cgroup, part)).length > 0;
  switch (machine.plan.kind) {
    case 'node':
      if (machine.init() === undefined) return 'off';
      return runs('agent') ? 'agent runs' : 'agent stopped';
    case 'control':
      return ['controlplane', 'controller'].every(runs) ? 'runs' : 'stopped';
    case 'switch': case 'router': case 'client': case 'host': return 'up';
  }
}
