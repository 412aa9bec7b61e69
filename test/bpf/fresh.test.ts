import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  compileObject, embedded, embedObject, generateLayout, generated, objects,
} from '../../bpf/build.real.ts';
import { root } from '../tidy/sources.ts';

// Debian 12's compiler and bpftool; others give other bytes. With CI set they must be there.
const missing = ['clang-14', 'llvm-strip-14', 'bpftool'].filter((tool) => !runs(tool));
const fresh = missing.length === 0 || process.env['CI'] !== undefined ? test : test.skip;
if (missing.length > 0) process.stderr.write(`objects are not rebuilt: no ${missing.join()}\n`);

for (const { source, target } of objects) {
  fresh(`${target} is what its sources compile to`, (t) => {
    t.deepEqual(readFileSync(join(root, 'bpf', target)), Buffer.from(compileObject(source)));
  });
}

fresh('the codecs are those of the C structs', (t) => {
  t.is(readFileSync(join(root, 'bpf', generated), 'utf8'), generateLayout());
});

test('the simulator executes the object that the kernel loads', (t) => {
  const object = readFileSync(join(root, 'bpf', objects[0].target));
  t.is(readFileSync(join(root, 'bpf', embedded), 'utf8'), embedObject(object));
});

function runs(tool: string): boolean {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
