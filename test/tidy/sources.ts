import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The top folder of the clone, without a trailing slash. */
export const root = join(import.meta.dirname, '..', '..');

const skipped: ReadonlySet<string> = new Set(['node_modules', '.git', '.fairlead', 'coverage']);

/** One text file of the clone. */
export interface Source {
  /** Relative to the top folder, with slashes. */
  readonly path: string;
  readonly lines: readonly string[];
}

/** Every file of the clone whose name ends in one of `endings`, by path. */
export function sources(...endings: readonly string[]): Source[] {
  return paths('')
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n') }));
}

function paths(folder: string): string[] {
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !skipped.has(entry.name))
    .toSorted((left, right) => (left.name < right.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return paths(path);
    return entry.isFile() ? [path] : [];
  });
}

/** `path:line` of each line that `pattern` matches. */
export function places(files: readonly Source[], pattern: RegExp): string[] {
  return files.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) =>
      pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [],
    ),
  );
}
