import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { countTests } from '../../.ci/count.ts';
import { missingEntries } from '../../.ci/lock.ts';
import { root } from './sources.ts';

function inFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-setup-'));
  try {
    for (const name of ['cli/setup.mjs', 'package.json', 'package-lock.json']) {
      cpSync(join(root, name), join(folder, name));
    }
    body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function setup(folder: string, ...rest: readonly string[]) {
  const command = [join(folder, 'cli/setup.mjs'), ...rest];
  const env = { PATH: '', npm_execpath: '/absent/npm', HOME: folder };
  return spawnSync(process.execPath, command, { encoding: 'utf8', env });
}

test('set-up is silent when nothing changed, and hands over arguments and exit code', (t) => {
  inFolder((folder) => {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(
      join(folder, 'entry.mjs'),
      'console.log(process.argv.slice(2)); process.exit(7);',
    );
    const { stdout, stderr, status } = setup(folder, 'entry.mjs', 'a', '--b');
    t.is(stderr, '');
    t.is(stdout, "[ 'a', '--b' ]\n");
    t.is(status, 7);
  });
});

test('a command that a signal ends is reported as ended by that signal', (t) => {
  inFolder((folder) => {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'entry.mjs'), "process.kill(process.pid, 'SIGTERM');");
    t.is(setup(folder, 'entry.mjs').signal, 'SIGTERM');
  });
});

test('set-up says what is missing on stderr when npm cannot be started', (t) => {
  inFolder((folder) => {
    const { stdout, stderr, status } = setup(folder, 'entry.mjs');
    t.is(stdout, '');
    t.regex(
      stderr,
      /^fairlead: installing the locked dependencies.*\nfairlead: npm did not start: /,
    );
    t.is(status, 1);
  });
});

test('an install of another lock is not taken for this one', (t) => {
  inFolder((folder) => {
    mkdirSync(join(folder, 'node_modules'));
    const old = { packages: { 'node_modules/yaml': { version: '1.0.0' } } };
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), JSON.stringify(old));
    t.regex(setup(folder, 'entry.mjs').stderr, /^fairlead: installing/);
  });
});

test('the lock names the optional packages of every platform and no address', (t) => {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  t.deepEqual(Object.keys(missingEntries(JSON.parse(text))), [], 'run: node .ci/lock.ts');
  t.notRegex(text, /"resolved"/);
});

const counts = test.macro({
  exec: (t, _: string, run: { lines: readonly string[]; exitCode: number }, counted: string) => {
    const { passed, failed } = countTests(run.lines.join('\n'), run.exitCode);
    t.is(`${passed} passed, ${failed} failed`, counted);
  },
  title: (_, name, __, counted) => `${name} is ${counted}`,
});

const green = ['  ✔ a › one (105ms)', '  ✔ two', '  ─', '', '  2 tests passed'];
test(counts, 'a green run', { lines: green, exitCode: 0 }, '2 passed, 0 failed');
const coloured = ['  \u001B[32m✔\u001B[39m a', '  - [skip] b', '  ✔ [expected fail] c'];
test(
  counts,
  'a coloured run with a skipped test',
  { lines: coloured, exitCode: 0 },
  '2 passed, 0 failed',
);
const red = ['  ✔ a', '  ✘ [fail]: a › 3 tests failed', '  1 test failed'];
test(counts, 'a run with one bad test', { lines: red, exitCode: 1 }, '1 passed, 1 failed');
const broken = ['  ✔ a', '    ℹ ✔ logged', '  ✘ x.test.ts exited with a non-zero exit code: 1'];
test(counts, 'a file that ended badly', { lines: broken, exitCode: 1 }, '1 passed, 1 failed');
const thrown = ['  ✔ a', '  2 unhandled rejections', '  1 uncaught exception'];
test(counts, 'what went wrong outside tests', { lines: thrown, exitCode: 1 }, '1 passed, 3 failed');
test(counts, 'a run without a word', { lines: [], exitCode: 1 }, '0 passed, 1 failed');
