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
  addon: Addon, of: { readonly devices: readonly string[]; readonly hooks: readonly LinkHook[] },
): NeighbourFacts {
  return {
    devices: of.devices,
    nftables: runTool('nft', ['list', 'tables']).out.split('\n')
      .flatMap((line) => /^table (.+)$/u.exec(line)?.[1] ?? []),
    iptables: runTool('iptables-save', []).out + runTool('ip6tables-save', []).out,
    programs: of.hooks.flatMap((hook) => foreignPrograms(addon, hook)),
  };
}

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
