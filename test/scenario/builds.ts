import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Build } from '../../sim/build.ts';
import type { TranslatedBuild } from '../../sim/cluster/builds.ts';
import { translateObject } from '../../sim/node/object.ts';
import { buildOtherLayout } from '../netns/otherlayout.ts';

/**
 * Builds for scenarios that name `previous`: the same code with tables that are laid out otherwise,
 * loaded beside ours from a folder of its own.
 */
export async function otherBuilds(): Promise<ReadonlyMap<string, TranslatedBuild>> {
  const other = buildOtherLayout(['l2', 'bgp', 'sim']);
  try {
    const module = pathToFileURL(join(other.sources, 'sim/build.ts')).href;
    const { build } = await import(module) as { build: Build };
    return new Map([['previous', { build, programs: translateObject('checked', build.object) }]]);
  } finally {
    other.remove();
  }
}
