// Compiles the programs and writes the codecs: `node bpf/build.real.ts`, where clang 14 and bpftool
// are. Both outputs are committed, so nothing else needs a compiler.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLayout, type BtfType } from './btf.ts';
import { layoutText } from './layout.ts';

const folder = import.meta.dirname;

/** Objects that are committed, by the source that includes the others. */
export const objects = [
  { source: 'fairlead.c', target: 'fairlead.bpf.o' },
  { source: 'socket_test.c', target: 'socket-test.bpf.o' },
] as const;

export const generated = 'layout.gen.ts';

/** The object once more as text, for those that cannot read files: the simulator is one. */
export const embedded = 'object.gen.ts';

/**
 * The object of one source, byte for byte the same on every machine with this clang. Sources are
 * named relative to their folder, and DWARF, which would name the compiler's directories, is
 * stripped: BTF carries what loader and verifier show.
 */
export function compileObject(source: string): Uint8Array {
  return scratch((place) => {
    const target = join(place, 'object.o');
    execFileSync('clang-14', [
      '-target', 'bpf', '-mcpu=v3', '-O2', '-g', '-std=gnu11', '-Wall', '-Wextra', '-Werror',
      // Headers are summed as words: clang 14 drops the store of a zero checksum before the sum.
      '-fno-strict-aliasing',
      '-fdebug-prefix-map=/usr/include=include', `-fdebug-prefix-map=${folder}/src=.`,
      '-fdebug-compilation-dir=.', '-I/usr/include/x86_64-linux-gnu', '-c', source, '-o', target,
    ], { cwd: join(folder, 'src'), stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync('llvm-strip-14', ['-g', target]);
    return readFileSync(target);
  });
}

/** The text of `layout.gen.ts` as the C sources have it now. */
export function generateLayout(): string {
  const bytes = compileObject('layout.c');
  return scratch((place) => {
    const path = join(place, 'layout.o');
    writeFileSync(path, bytes);
    const dump = execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', path], { encoding: 'utf8' });
    const layout = readLayout((JSON.parse(dump) as { types: BtfType[] }).types);
    if (layout.ok) return layoutText(layout.value);
    throw new Error(`${layout.error.place}: ${layout.error.kind} in the layout`);
  });
}

/** The text of `object.gen.ts` for an object. */
export function embedObject(bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString('base64').match(/.{1,96}/g) ?? [];
  return [
    '// Written by bpf/build.real.ts: fairlead.bpf.o in base64 (RFC 4648 section 4).',
    '/* oxlint-disable max-lines -- one object, which nobody reads as text */',
    'export const objectText = `', ...lines, '`;', '',
  ].join('\n');
}

function scratch<T>(work: (place: string) => T): T {
  const place = mkdtempSync(join(tmpdir(), 'fairlead-build-'));
  try {
    return work(place);
  } finally {
    rmSync(place, { recursive: true });
  }
}

if (import.meta.main) {
  for (const { source, target } of objects) {
    writeFileSync(join(folder, target), compileObject(source));
  }
  writeFileSync(join(folder, generated), generateLayout());
  writeFileSync(join(folder, embedded), embedObject(readFileSync(join(folder, objects[0].target))));
}
