// Completes package-lock.json: `node .ci/lock.ts`, after each `npm install`.
//
// A registry mirror may carry only the packages of its own platform. npm then leaves the others
// out of the lock, and `npm ci` refuses such a lock everywhere. What is missing are optional
// packages whose name says the platform, so version and platform are written here; npm skips them
// on every other platform without asking for them.
import { readFileSync, writeFileSync } from 'node:fs';

const systems = ['linux', 'darwin', 'win32', 'freebsd', 'openharmony', 'android'];
const machines = ['x64', 'arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'wasm32'];

interface LockEntry {
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

/** The entries that `lock` lacks, by path. */
export function missingEntries(lock: Lock): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {};
  for (const parent of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`;
      if (lock.packages[path] === undefined) missing[path] = entryOf(parent, { name, version });
    }
  }
  return missing;
}

function entryOf(parent: LockEntry, { name, version }: { name: string; version: string }) {
  const words = name.split(/[/-]/);
  const pick = (known: readonly string[]): string[] => known.filter((word) => words.includes(word));
  const starts = (text: string): boolean => words.some((word) => word.startsWith(text));
  return {
    version,
    cpu: pick(machines),
    ...(parent.dev ? { dev: true } : {}),
    ...(starts('musl') ? { libc: ['musl'] } : {}),
    ...(starts('gnu') ? { libc: ['glibc'] } : {}),
    optional: true,
    os: pick(systems),
  };
}

if (import.meta.main) {
  const file = new URL('../package-lock.json', import.meta.url);
  const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock;
  const packages = { ...lock.packages, ...missingEntries(lock) };
  const sorted = Object.keys(packages).sort((a, b) => (a < b ? -1 : 1));
  const complete = {
    ...lock,
    packages: Object.fromEntries(sorted.map((path) => [path, packages[path]])),
  };
  writeFileSync(file, `${JSON.stringify(complete, undefined, 2)}\n`);
}
