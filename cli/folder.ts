import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  parseManifests,
  type ManifestFault,
  type ManifestObject,
  type Manifests,
} from '../kube/manifest.ts';
import { compareText } from '../lb/table.ts';
import type { Console } from './console.ts';
import { CommandEnd, exitCodes } from './exit.ts';

export interface FolderFlags {
  /** Files, folders, or `-` for stdin. */
  readonly filename: readonly string[];
  readonly recursive?: boolean;
}

const endings = ['.yaml', '.yml', '.json'];

/** Reads manifests in the order of their paths. A path that cannot be read ends the command. */
export async function readFolder(console: Console, flags: FolderFlags): Promise<Manifests> {
  const objects: ManifestObject[] = [];
  const faults: ManifestFault[] = [];
  for (const path of flags.filename.flatMap((named) => filesOf(named, flags.recursive === true))) {
    const text = path === '-' ? await console.input() : readFileSync(path, 'utf8');
    const read = parseManifests(text, path === '-' ? 'stdin' : path);
    objects.push(...read.objects);
    faults.push(...read.faults);
  }
  return { objects, faults };
}

function filesOf(named: string, recursive: boolean): string[] {
  if (named === '-') return [named];
  const stat = statSync(named, { throwIfNoEntry: false });
  if (stat === undefined) throw new CommandEnd(exitCodes.unreachable, `${named} does not exist`);
  if (!stat.isDirectory()) return [named];
  const entries = readdirSync(named, { withFileTypes: true })
    .toSorted((left, right) => compareText(left.name, right.name));
  return entries.flatMap((entry) => {
    const path = join(named, entry.name);
    if (entry.isDirectory()) return recursive ? filesOf(path, true) : [];
    return endings.some((ending) => entry.name.endsWith(ending)) ? [path] : [];
  });
}
