import { spawnSync } from 'node:child_process';
import {
  chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest from 'ava';
import { root } from '../tidy/sources.ts';

const absent = spawnSync('cc', ['--version']).error !== undefined;
if (absent) process.stderr.write('the addon is not built: no cc\n');
const test = absent && process.env['CI'] === undefined ? anyTest.skip : anyTest;

/** A clone with nothing but what the build needs. */
function inClone(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-addon-'));
  try {
    for (const name of ['bpf/addon', 'lb/result.ts', 'package.json']) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      cpSync(join(root, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function build(folder: string, path = process.env['PATH']) {
  const command = [join(folder, 'bpf/addon/build.real.ts')];
  return spawnSync(process.execPath, command, { encoding: 'utf8', env: { PATH: path } });
}

/** A compiler that says what a real one says when something is not there. */
function saying(folder: string, text: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'cc'), `#!/bin/sh\necho "${text}" >&2\nexit 1\n`);
  chmodSync(join(bin, 'cc'), 0o755);
  return `${bin}:/usr/bin:/bin`;
}

test('the addon is built once, and again when a source changes', (t) => {
  inClone((folder) => {
    const first = build(folder);
    t.is(first.stderr, '');
    t.is(first.status, 0);
    t.is(build(folder, '').stdout, first.stdout, 'the second time without a compiler');
    writeFileSync(join(folder, 'bpf/addon/lock.c'), '\n', { flag: 'a' });
    t.not(build(folder).stdout, first.stdout);
    const built = readdirSync(join(folder, '.fairlead/addon'));
    t.is(built.length, 2);
    t.true(built.every((name) => name.endsWith(`-${process.arch}.node`)));
  });
});

test('the sources give no warning', (t) => {
  const include = `-I${join(root, 'node_modules', `node-linux-${process.arch}`, 'include/node')}`;
  const files = readdirSync(join(root, 'bpf/addon')).filter((name) => name.endsWith('.c'));
  const flags = ['-std=gnu11', '-O2', '-fPIC', '-Wall', '-Wextra', '-Werror', '-fsyntax-only'];
  const { stderr } = spawnSync('cc', [...flags, include, ...files], {
    cwd: join(root, 'bpf/addon'), encoding: 'utf8',
  });
  t.is(stderr, '');
});

const missing = anyTest.macro({
  exec: (t, said: string, told: RegExp) => {
    inClone((folder) => {
      const { stderr, stdout, status } = build(folder, saying(folder, said));
      t.regex(stderr, told);
      t.is(stderr.trim().split('\n').length, 1);
      t.is(stdout, '');
      t.is(status, 1);
    });
  },
  title: (_, said) => `"${said}" is told as the package that is missing`,
});
anyTest(missing, 'fatal error: bpf/bpf.h: No such file or directory', /libbpf-dev/);
anyTest(missing, '/usr/bin/ld: cannot find -lbpf', /libbpf-dev/);
anyTest(missing, 'fatal error: linux/bpf.h: No such file or directory', /linux-libc-dev/);
anyTest(missing, 'fatal error: errno.h: No such file or directory', /libc6-dev/);
anyTest(missing, 'error: expected a semicolon', /does not build: error: expected/);

anyTest('without a compiler one sentence says what gives it', (t) => {
  inClone((folder) => {
    const { stderr, status } = build(folder, '');
    t.is(stderr, 'fairlead: no C compiler: the Debian package gcc gives cc\n');
    t.is(status, 1);
  });
});

anyTest('where nothing can be written one sentence says so', (t) => {
  inClone((folder) => {
    writeFileSync(join(folder, '.fairlead'), 'a file in the way');
    const { stderr, status } = build(folder);
    t.regex(stderr, /^fairlead: the addon is not built: .*\.fairlead cannot be written\n$/);
    t.is(status, 1);
  });
});
