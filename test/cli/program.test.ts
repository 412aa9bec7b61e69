import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { paintFor, type ColourWish } from '../../cli/console.ts';
import { printListing, type OutputFlags } from '../../cli/output.ts';
import { fairlead } from './session.ts';

const root = join(import.meta.dirname, '..', '..');
const main = join(root, 'cli/main.ts');

test('X1: an unknown command exits 64, names the nearest on stderr and prints nothing', async (t) => {
  const { exitCode, out, err } = await fairlead(['vlaidate', '-f', 'x']);
  t.is(exitCode, 64);
  t.is(out, '');
  t.is(err, "fairlead: no command 'vlaidate'; did you mean 'fairlead validate'?\n");
});

test('an unknown command without a near name points at the list', async (t) => {
  const { exitCode, err } = await fairlead(['frobnicate']);
  t.is(exitCode, 64);
  t.is(err, "fairlead: no command 'frobnicate'; 'fairlead --help' lists the commands\n");
});

const refused = test.macro({
  exec: async (t, line: string, sentence: RegExp) => {
    const { exitCode, out, err } = await fairlead(line.split(' '));
    t.is(exitCode, 64);
    t.is(out, '');
    t.regex(err, sentence);
  },
  title: (_, line: string) => `fairlead ${line} is wrong usage`,
});

test(refused, 'validate', /--filename/);
test(refused, 'validate -f x --frobnicate', /unknown option/);
test(refused, 'validate -f x -o xml', /table, json, yaml/);
test(refused, 'completion', /shell/);
test(refused, 'completion tcsh', /bash, zsh, fish/);
test(refused, 'version extra', /too many arguments/);
test(refused, '--color=sometimes version', /auto, always, never/);

test('no command, --help and help print the command list on stdout', async (t) => {
  for (const words of [[], ['--help'], ['help']]) {
    const { exitCode, out, err } = await fairlead(words);
    t.is(exitCode, 0);
    t.regex(out, /^Usage: fairlead .*Commands:\n.*validate/su);
    t.is(err, '');
  }
});

test('version names client, addon, programs and Node', async (t) => {
  const { exitCode, out } = await fairlead(['version', '--client']);
  t.is(exitCode, 0);
  const parts = [
    'client [0-9.]+', 'addon (?:absent|linux-\\w+-\\w+)', 'ebpf [0-9a-f]{8}', 'node 24[0-9.]+',
  ];
  t.regex(out, new RegExp(`^${parts.join(' {3}')}\n$`, 'u'));
});

const coloured = test.macro({
  exec: (t, wish: ColourWish, circumstances: string, expected: boolean) => {
    const words = circumstances.split(' ').filter((word) => word.includes('='));
    const console = {
      env: Object.fromEntries(words.map((word) => word.split('=') as [string, string])),
      outTty: circumstances.includes('tty'),
      out: () => undefined,
      err: () => undefined,
      input: () => Promise.resolve(''),
    };
    t.is(paintFor(console, wish)('red', 'x') !== 'x', expected);
  },
  title: (_, wish, circumstances, expected) =>
    `--color=${wish} with '${circumstances}' is ${expected ? 'coloured' : 'plain'}`,
});

test(coloured, 'auto', '', false);
test(coloured, 'auto', 'tty', true);
test(coloured, 'auto', 'tty NO_COLOR=1', false);
test(coloured, 'auto', 'tty NO_COLOR=', true);
test(coloured, 'auto', 'FORCE_COLOR=1', true);
test(coloured, 'auto', 'FORCE_COLOR=0', false);
test(coloured, 'auto', 'tty FORCE_COLOR=1 NO_COLOR=1', false);
test(coloured, 'auto', 'tty TERM=dumb', false);
test(coloured, 'always', 'NO_COLOR=1', true);
test(coloured, 'never', 'tty FORCE_COLOR=1', false);

const bad = join(root, 'kind/examples/bad');

test('X2: a file or pipe gets no escape byte, --color=always does, NO_COLOR on a terminal does not',
  async (t) => {
    const escape = /[\u001B\r]/;
    const words = ['validate', '-f', bad];
    t.notRegex((await fairlead(words)).out, escape);
    t.regex((await fairlead([...words, '--color=always'])).out, escape);
    t.regex((await fairlead(['--color=always', ...words])).out, escape);
    t.regex((await fairlead(words, { outTty: true })).out, escape);
    t.notRegex((await fairlead(words, { outTty: true, env: { NO_COLOR: '1' } })).out, escape);
  });

test('X3: JSON and YAML hold equal values, without null, and a second run is byte-equal',
  async (t) => {
    const words = ['validate', '-f', bad, '-o'];
    const json = await fairlead([...words, 'json']);
    const yaml = await fairlead([...words, 'yaml']);
    t.deepEqual(parse(yaml.out), JSON.parse(json.out));
    t.notRegex(json.out, /\bnull\b/);
    t.is((await fairlead([...words, 'json'])).out, json.out);
    const { apiVersion, kind, source } = JSON.parse(json.out) as Record<string, unknown>;
    t.deepEqual([apiVersion, kind, source], ['fairlead.dev/v1', 'FindingList', 'manifests']);
  });

const listing = {
  kind: 'PoolList',
  source: 'manifests',
  items: [{ name: 'lan', note: undefined }, { name: 'dmz', note: 'b' }],
  warnings: ['two pools overlap'],
  columns: [{ head: 'NAME', cell: (item: { name: string }) => item.name }],
  rows: [{ name: 'lan' }, { name: 'dmz' }],
  name: (item: { name: string }) => `pool/${item.name}`,
} as const;

async function printed(flags: Partial<OutputFlags>): Promise<{ out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const console = {
    out: (text: string) => void out.push(text),
    err: (text: string) => void err.push(text),
    outTty: false,
    env: {},
    input: () => Promise.resolve(''),
  };
  await printListing(console, { output: 'table', headers: true, ...flags }, listing);
  return { out: out.join(''), err: err.join('') };
}

test('X4: names are sorted, heads can be left out, a column can order', async (t) => {
  t.is((await printed({ output: 'name' })).out, 'pool/dmz\npool/lan\n');
  t.is((await printed({ headers: false })).out, 'lan\ndmz\n');
  t.is((await printed({ sortBy: 'name' })).out, 'NAME\ndmz\nlan\n');
  await t.throwsAsync(printed({ sortBy: 'age' }), { message: 'no column age; there are NAME' });
});

test('warnings are on stderr with a table and in the document otherwise', async (t) => {
  const table = await printed({});
  t.is(table.err, 'warning: two pools overlap\n');
  const json = await printed({ output: 'json' });
  t.is(json.err, '');
  t.deepEqual(JSON.parse(json.out), {
    apiVersion: 'fairlead.dev/v1',
    kind: 'PoolList',
    source: 'manifests',
    items: [{ name: 'lan' }, { name: 'dmz', note: 'b' }],
    warnings: ['two pools overlap'],
  });
});

test('X4: the bash completion script is valid and completes commands and flags', async (t) => {
  const { out } = await fairlead(['completion', 'bash']);
  const complete = (line: string): string[] => {
    const words = line.split(' ');
    const script = `${out}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_fairlead; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const done = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    t.is(done.stderr, '');
    return done.stdout.split('\n').filter((word) => word !== '');
  };
  t.deepEqual(complete('fairlead val'), ['validate']);
  t.deepEqual(complete('fairlead validate --str'), ['--strict']);
  t.deepEqual(complete('fairlead validate -o j'), ['json']);
});

test('the zsh and fish scripts name every command', async (t) => {
  for (const shell of ['zsh', 'fish']) {
    const { out, exitCode } = await fairlead(['completion', shell]);
    t.is(exitCode, 0);
    for (const word of ['validate', 'version', 'completion']) t.true(out.includes(word), word);
  }
});

test('X1: a reader that closes early ends the command with 0 and without a message', (t) => {
  const command = `set -o pipefail; '${process.execPath}' '${main}' completion zsh | true`;
  const { status, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
  t.is(stderr, '');
  t.is(status, 0);
});

test('a folder that is not there is unreachable, an empty one is wrong usage', async (t) => {
  const missing = await fairlead(['validate', '-f', '/nonexistent']);
  t.deepEqual([missing.exitCode, missing.err], [3, 'fairlead: /nonexistent does not exist\n']);
  const empty = await fairlead(['validate', '-f', '-'], { input: '---\n' });
  t.is(empty.exitCode, 64);
});
