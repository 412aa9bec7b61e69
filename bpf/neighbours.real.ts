import { programsOn, type LinkHook } from './hooks.real.ts';
import type { Addon } from './native.real.ts';
import type { ForeignProgram, NeighbourFacts } from './neighbours.ts';
import { isRefused } from './refusal.real.ts';
import { runTool } from './tool.real.ts';

/**
 * What the node's network namespace holds of others. A tool that is not installed finds nothing:
 * who installed rules has the tool too, but perhaps in another image, so this warns and never more.
 */
export function readNeighbours(
  addon: Addon,
  { devices, cgroup }: { readonly devices: readonly Device[]; readonly cgroup: string | undefined },
): NeighbourFacts {
  const sockets: readonly LinkHook[] = cgroup === undefined ? []
    : [connect4, connect6].map((attach) => ({ kind: 'cgroup', path: cgroup, attach }));
  const hooks = [...sockets, ...devices.flatMap(({ ifindex }) => (
    (['ingress', 'egress'] as const).map((direction) => (
      { kind: 'tcx', ifindex, direction } as const
    ))
  ))];
  return {
    devices: devices.map(({ name }) => name),
    nftables: runTool('nft', ['list', 'tables']).out.split('\n')
      .flatMap((line) => /^table (.+)$/u.exec(line)?.[1] ?? []),
    iptables: runTool('iptables-save', []).out + runTool('ip6tables-save', []).out,
    programs: hooks.flatMap((hook) => foreignPrograms(addon, hook)),
  };
}

interface Device {
  readonly name: string;
  readonly ifindex: number;
}

// enum bpf_attach_type.
const [connect4, connect6] = [10, 11] as const;

function foreignPrograms(addon: Addon, hook: LinkHook): readonly ForeignProgram[] {
  const ids = programsOn(addon, hook);
  return (ids.ok ? ids.value : []).flatMap((id) => {
    const names = addon.programNames(id);
    // A program that has gone meanwhile is nobody's.
    if (isRefused(names)) return [];
    const [name = '', ...maps] = String(names).split('\n');
    return name.startsWith('fl_') ? [] : [{ name, maps }];
  });
}
