// The two C programs of the lab, built with the compiler alone when their sources changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../../lb/result.ts';

const folder = import.meta.dirname;
const target = join(folder, '..', '..', '.fairlead', 'programs');
const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra'];

/** Path of `echo` or `probe`; the error says what is missing. */
export function labProgram(name: 'echo' | 'probe'): Result<string, string> {
  const source = join(folder, `${name}.c`);
  const digest = createHash('sha256').update(flags.join(' ')).update(readFileSync(source));
  const path = join(target, `${name}-${digest.digest('hex').slice(0, 16)}`);
  if (existsSync(path)) return ok(path);
  mkdirSync(target, { recursive: true });
  // Two processes may build at once; whoever is last renames the same bytes into place.
  const fresh = `${path}.${process.pid}`;
  const { error, status, stderr } = spawnSync(
    'cc', [...flags, '-o', fresh, source], { encoding: 'utf8' },
  );
  if (error !== undefined) return err('no C compiler: the Debian package gcc gives cc');
  if (status !== 0) return err(`${name}.c does not build: ${stderr}`);
  renameSync(fresh, path);
  return ok(path);
}
