import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';

const folder = join(import.meta.dirname, 'fixtures');
const sources = readdirSync(folder).filter((name) => name.endsWith('.bpf.c'));

/** The object of one source, as bpf/build.real.ts makes those of the datapath. */
function compiled(source: string): Buffer {
  const place = mkdtempSync(join(tmpdir(), 'fairlead-fixture-'));
  try {
    const target = join(place, 'object.o');
    execFileSync('clang-14', [
      '-target', 'bpf', '-mcpu=v3', '-O2', '-g', '-std=gnu11', '-Wall', '-Wextra', '-Werror',
      '-Wno-unused-parameter', '-fdebug-prefix-map=/usr/include=include',
      '-fdebug-compilation-dir=.', '-I/usr/include/x86_64-linux-gnu', '-c', source, '-o', target,
    ], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync('llvm-strip-14', ['-g', target]);
    return readFileSync(target);
  } finally {
    rmSync(place, { recursive: true });
  }
}

const absent = spawnSync('clang-14', ['--version']).error !== undefined;
if (absent) process.stderr.write('fixtures are not rebuilt: no clang-14\n');
const fresh = absent && process.env['CI'] === undefined ? test.skip : test;

for (const source of sources) {
  fresh(`the object of ${source} is what it compiles to`, (t) => {
    t.deepEqual(readFileSync(join(folder, source.replace(/c$/u, 'o'))), compiled(source));
  });
}
