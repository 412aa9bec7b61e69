import { spawnSync } from 'node:child_process';
import { programsOn, type LinkHook } from './hooks.real.ts';
import type { Addon } from './native.real.ts';
import type { ForeignProgram, NeighbourFacts } from './neighbours.ts';
import { isRefused } from './refusal.real.ts';

/**
 * What the node's network namespace holds of others. A tool that is not installed finds nothing:
 * who installed rules has the tool too, but perhaps in another image, so this warns and never more.
 */
export function readNeighbours(
  addon: Addon, of: { readonly devices: readonly string[]; readonly hooks: readonly LinkHook[] },
): NeighbourFacts {
  return {
    devices: of.devices,
    nftables: output('nft', ['list', 'tables']).split('\n')
      .flatMap((line) => /^table (.+)$/u.exec(line)?.[1] ?? []),
    iptables: output('iptables-save', []) + output('ip6tables-save', []),
    programs: of.hooks.flatMap((hook) => foreignPrograms(addon, hook)),
  };
}

/** Longer than any rule set takes to be written; what hangs is not waited for. */
const toolMsMax = 10_000;
const outputBytesMax = 256 * 1024 * 1024;
/** Where a system has its tools; npm puts programs of the same names first in its own path. */
const toolPath = '/usr/sbin:/sbin:/usr/bin:/bin';

function output(tool: string, words: readonly string[]): string {
  const { stdout } = spawnSync(tool, words, {
    encoding: 'utf8', timeout: toolMsMax, maxBuffer: outputBytesMax, env: { PATH: toolPath },
  });
  return stdout ?? '';
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
