// Builds the native addon with the C compiler alone: `node bpf/addon/build.real.ts` prints where it
// is. The result carries a hash of its sources in its name, so that changed sources are never met
// by an old build, and nothing happens when nothing changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync,
} from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../../lb/result.ts';

/** Why there is no addon. `text` is one sentence that says what is missing and what gives it. */
export interface AddonError {
  readonly kind: 'platform' | 'compiler' | 'headers' | 'compile' | 'load';
  readonly text: string;
}

const folder = import.meta.dirname;
const root = join(folder, '..', '..');
const flags = ['-std=gnu11', '-O2', '-fPIC', '-shared', '-Wall', '-Wextra', '-Wl,-z,now'];

/** Platform of the addon that is built; undefined where none is. Builds nothing. */
export function builtAddon(): string | undefined {
  if (!existsSync(targetOf(sourcesHere()))) return undefined;
  // Looking up the names of connected peers would take seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as { readonly header: object };
  return `linux-${process.arch}-${'glibcVersionRuntime' in header ? 'glibc' : 'musl'}`;
}

function sourcesHere(): string[] {
  return readdirSync(folder).filter((name) => /\.[ch]$/u.test(name)).toSorted();
}

function targetOf(sources: readonly string[]): string {
  return join(root, '.fairlead', 'addon', `${digest(sources)}-${process.arch}.node`);
}

/** Path of the built addon, built now if it is missing: about a second with `cc`. */
export function buildAddon(): Result<string, AddonError> {
  if (process.platform !== 'linux') {
    return err({ kind: 'platform', text: 'the kernel parts need Linux' });
  }
  const sources = sourcesHere();
  const target = targetOf(sources);
  if (existsSync(target)) return ok(target);
  const headers = nodeHeaders();
  if (headers === undefined) {
    const text = 'the headers of Node are missing: npm ci brings them with node-linux-';
    return err({ kind: 'headers', text: `${text}${process.arch}` });
  }
  return compile(sources.filter((name) => name.endsWith('.c')), { headers, target });
}

function digest(sources: readonly string[]): string {
  const hash = createHash('sha256').update(flags.join(' '));
  for (const name of sources) hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest('hex').slice(0, 16);
}

function nodeHeaders(): string | undefined {
  const places = [
    join(root, 'node_modules', `node-linux-${process.arch}`, 'include', 'node'),
    join(process.execPath, '..', '..', 'include', 'node'),
  ];
  return places.find((place) => existsSync(join(place, 'node_api.h')));
}

function compile(
  files: readonly string[], { headers, target }: { headers: string; target: string },
): Result<string, AddonError> {
  try {
    mkdirSync(join(target, '..'), { recursive: true });
    accessSync(join(target, '..'), constants.W_OK);
  } catch {
    const place = join(root, '.fairlead');
    return err({ kind: 'compile', text: `the addon is not built: ${place} cannot be written` });
  }
  // Two processes may build at once; whoever is last renames the same bytes into place.
  const fresh = `${target}.${process.pid}`;
  const command = [...flags, `-I${headers}`, '-o', fresh, ...files, '-lbpf'];
  const { error, status, stderr } = spawnSync('cc', command, { cwd: folder, encoding: 'utf8' });
  if (error !== undefined) {
    return err({ kind: 'compiler', text: 'no C compiler: the Debian package gcc gives cc' });
  }
  if (status !== 0) return err(compileError(stderr));
  renameSync(fresh, target);
  return ok(target);
}

// What the compiler says when one of the files that it needs is not there.
const missing = [
  [/bpf\/\w+\.h: No such file|cannot find -lbpf/u, 'libbpf 1.1 or newer', 'libbpf-dev'],
  [/linux\/\w+\.h: No such file/u, 'the kernel headers', 'linux-libc-dev'],
  [/\w+\.h: No such file/u, 'the headers of the C library', 'libc6-dev'],
] as const;

function compileError(stderr: string): AddonError {
  const found = missing.find(([pattern]) => pattern.test(stderr));
  if (found === undefined) return { kind: 'compile', text: `the addon does not build: ${stderr}` };
  const [, what, debianPackage] = found;
  const text = `the addon needs ${what}: the Debian package ${debianPackage} gives it`;
  return { kind: 'headers', text };
}

if (import.meta.main) {
  const built = buildAddon();
  if (built.ok) process.stdout.write(`${built.value}\n`);
  else process.stderr.write(`fairlead: ${built.error.text}\n`);
  process.exitCode = built.ok ? 0 : 1;
}
