import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { root } from './sources.ts';

/** What the lint says about a folder: `path:line rule`, by path. */
function lint(folder: string): string[] {
  const tool = join(root, 'node_modules/.bin/oxlint');
  const { stdout, stderr } = spawnSync(tool, ['--format=json'], { cwd: folder, encoding: 'utf8' });
  const parsed = JSON.parse(stdout === '' ? stderr : stdout) as { diagnostics: Finding[] };
  return parsed.diagnostics
    .map(({ filename, code, labels }) => `${filename}:${labels[0]?.span.line ?? 0} ${code}`)
    .toSorted();
}

interface Finding {
  readonly filename: string;
  readonly code: string;
  readonly labels: readonly { readonly span: { readonly line: number } }[];
}

test('the sources pass every lint rule', (t) => {
  t.deepEqual(lint(root), []);
});

const planted: readonly (readonly [path: string, rule: string, code: string])[] = [
  ['lb/date.ts', 'eslint(no-restricted-globals)', 'export const at = () => Date.now();'],
  ['lb/new-date.ts', 'eslint(no-restricted-globals)', 'export const at = () => new Date();'],
  ['lb/timer.ts', 'eslint(no-restricted-globals)', 'export const arm = () => setTimeout(arm, 1);'],
  ['lb/hidden.ts', 'eslint(no-restricted-globals)', "export const f = () => globalThis['fetch'];"],
  ['lb/env.ts', 'eslint(no-restricted-globals)', 'export const f = () => process.env;'],
  ['lb/log.ts', 'eslint(no-restricted-globals)', 'export const f = () => console.log(1);'],
  ['lb/then.ts', 'eslint(no-restricted-globals)', 'export const f = () => Promise.resolve(1);'],
  ['lb/random.ts', 'eslint(no-restricted-properties)', 'export const draw = () => Math.random();'],
  [
    'lb/pow.ts',
    'eslint(no-restricted-properties)',
    'export const f = (x: number) => Math.pow(x, 2);',
  ],
  [
    'lb/log2.ts',
    'eslint(no-restricted-properties)',
    'export const f = (x: number) => Math.log2(x);',
  ],
  [
    'lb/locale.ts',
    'eslint(no-restricted-properties)',
    'export const f = (a: string, b: string) => a.localeCompare(b);',
  ],
  ['lb/async.ts', 'core(syntax)', 'export async function f() { return 1; }'],
  ['lb/arrow.ts', 'core(syntax)', 'export const f = async () => 1;'],
  ['lb/method.ts', 'core(syntax)', 'export const f = { async g() { return 1; } };'],
  ['lb/await.ts', 'core(syntax)', "export const x = await import('./date.ts');"],
  ['lb/for-in.ts', 'core(syntax)',
    'export function f(o: object) { for (const key in o) return key; return 0; }'],
  ['lb/power.ts', 'core(syntax)', 'export const f = (x: number) => x ** 2;'],
  ['lb/power-assign.ts', 'core(syntax)', 'export const f = (x: number) => { x **= 2; return x; };'],
  ['lb/let.ts', 'core(module-state)', 'let x = 1; export const f = () => (x += 1);'],
  ['lb/export-let.ts', 'core(module-state)', 'export let x = 1; export const f = () => (x += 1);'],
  ['lb/map.ts', 'core(module-state)', 'export const seen = new Map<string, number>();'],
  ['lb/list.ts', 'core(module-state)', 'export const seen: number[] = [];'],
  ['lb/static.ts', 'core(module-state)', 'export class A { static count = 0; }'],
  ['lb/fs.ts', 'eslint(no-restricted-imports)', "export { readFileSync } from 'node:fs';"],
  ['lb/timers.ts', 'eslint(no-restricted-imports)', "export { setTimeout } from 'timers';"],
  ['lb/actor.ts', 'eslint(no-restricted-imports)', "export { createActor } from 'xstate';"],
  ['lb/sort.ts', 'typescript(require-array-sort-compare)',
    'export const f = (list: string[]) => list.sort();'],
  ['lb/to-sorted.ts', 'typescript(require-array-sort-compare)',
    'export const f = (list: number[]) => list.toSorted();'],
  ['lb/case.ts', 'typescript(switch-exhaustiveness-check)',
    "export function f(x: 'a' | 'b') { switch (x) { case 'a': return 1; } return 2; }"],
  ['cli/float.ts', 'typescript(no-floating-promises)',
    'export async function f() { return 1; }\nexport function g() { f(); }'],
  ['lb/any.ts', 'typescript(no-explicit-any)', 'export const f = (x: any) => x as string;'],
  ['lb/bang.ts', 'typescript(no-non-null-assertion)', 'export const f = (x?: string) => x!;'],
  ['lb/four.ts', 'eslint(max-params)',
    'export const f = (a: number, b: string, c: bigint, d: boolean) => [a, b, c, d];'],
  ['lb/long.ts', 'eslint(max-lines-per-function)',
    `export function f(x: number) {\n${'  x += 1;\n'.repeat(60)}return x; }`],
  ['lb/huge.ts', 'eslint(max-lines)', `${'export {};\n'.repeat(401)}`],
  ['kube/one.ts', 'import(no-cycle)', "import { b } from './two.ts'; export const a = () => b;"],
  ['kube/two.ts', 'import(no-cycle)', "import { a } from './one.ts'; export const b = () => a;"],
  ['agent.ts', 'eslint(no-restricted-globals)', 'export const at = () => Date.now();'],
  ['sim/date.ts', 'eslint(no-restricted-globals)', 'export const at = () => Date.now();'],
];

const accepted: readonly (readonly [path: string, code: string])[] = [
  [
    'kube/client.real.ts',
    "import { readFileSync } from 'node:fs';\nexport const f = async () => [readFileSync('a'), Date.now()];",
  ],
  ['cli/clock.ts', 'export const f = async () => Date.now();'],
  ['test/clock.ts', 'export const f = async () => Date.now();'],
  ['lb/table.ts', "export const known: ReadonlySet<string> = new Set(['a']);"],
  ['lb/none.ts', 'export const none: readonly string[] = [];'],
  ['lb/sorted.ts', 'export const f = (list: string[]) => list.sort((a, b) => (a < b ? -1 : 1));'],
  ['lb/pure.ts', "export { setup, transition } from 'xstate';"],
  ['lb/field.ts', 'export const f = (lease: { Date: string }) => lease.Date;'],
];

test('each planted leak is found, under its rule, and nothing else is', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-lint-'));
  try {
    for (const name of ['.oxlintrc.json', '.ci/lint.mjs', 'tsconfig.json', 'package.json']) {
      cpSync(join(root, name), join(folder, name));
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, '.gitignore'), 'node_modules\n');
    const files = [...planted.map(([path, , code]) => [path, code] as const), ...accepted];
    for (const [path, code] of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), `${code}\n`);
    }
    const found = new Set(lint(folder).map((row) => row.replace(/:[0-9]+ /, ' ')));
    for (const [path, rule] of planted) t.true(found.delete(`${path} ${rule}`), `${path} ${rule}`);
    t.deepEqual([...found], []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
