import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Build } from '../sim/build.ts';
import type { TranslatedBuild } from '../sim/cluster/builds.ts';
import { usageError } from './exit.ts';

/**
 * Other versions of fairlead for a run, by name: each `NAME=FOLDER` names the root of one, which is
 * loaded beside this one (simulator.md 5.1).
 */
export async function readBuilds(
  flags: readonly string[],
): Promise<ReadonlyMap<string, TranslatedBuild>> {
  const builds = new Map<string, TranslatedBuild>();
  if (flags.length === 0) return builds;
  const { translateObject } = await import('../sim/node/object.ts');
  for (const flag of flags) {
    const [, name, folder] = /^([a-z0-9.-]+)=(.+)$/u.exec(flag) ?? [];
    if (name === undefined || folder === undefined || name === 'current') {
      throw usageError(`--build takes NAME=FOLDER, not '${flag}'; current is this version`);
    }
    const file = join(resolve(folder), 'sim/build.ts');
    if (statSync(file, { throwIfNoEntry: false }) === undefined) {
      throw usageError(`--build ${name}: ${folder} is no root of fairlead: no sim/build.ts`);
    }
    const { build } = await import(pathToFileURL(file).href) as { build: Build };
    builds.set(name, { build, programs: translateObject('fast', build.object) });
  }
  return builds;
}
