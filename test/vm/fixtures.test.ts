import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest from 'ava';
import { root } from '../tidy/sources.ts';
import { compileFixture, fixtures } from './fixtures/build.ts';

const found = spawnSync('clang-14', ['--version']).status === 0;
if (!found) process.stderr.write('fixtures are not compiled again: there is no clang-14\n');
const test = found ? anyTest : anyTest.skip;

for (const name of fixtures) {
  test(`the object of fixture ${name} is what its source compiles to`, (t) => {
    const path = join(root, 'test/vm/fixtures', `${name}.bpf.o`);
    t.true(Buffer.from(compileFixture(name)).equals(readFileSync(path)));
  });
}
