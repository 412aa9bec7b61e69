import test from 'ava';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { allCommands, programFor } from '../../cli/program.ts';
import { parseScenario } from '../../sim/scenario/parse.ts';
import { runScenario } from '../../sim/scenario/run.ts';
import { exitClass } from '../../sim/scenario/verdict.ts';
import { manifestsOf } from '../sim/fixture.ts';

const root = join(import.meta.dirname, '..', '..');
const pages = ['README.md', 'ARCHITECTURE.md'].map((name) =>
  readFileSync(join(root, name), 'utf8'),
);
const [readme = ''] = pages;

test('the scenario of the README runs and holds', (t) => {
  const block = /```yaml\n([\s\S]*?)```/u.exec(readme)?.[1] ?? '';
  const parsed = parseScenario(parse(block));
  if (!parsed.ok) return t.deepEqual(parsed.error, []);
  t.deepEqual(parsed.value.manifests, ['../kind/examples/homelab']);
  const folder = 'kind/examples/homelab';
  const objects = manifestsOf(
    ...['fairlead', 'nodes', 'services'].map((name) => `${folder}/${name}.yaml`),
  );
  const input = { scenario: parsed.value, objects, files: new Map(), seed: 0n };
  const { verdict } = runScenario(input);
  t.deepEqual(
    [...verdict.checks, ...verdict.expectations].filter((one) => !one.passed),
    [],
  );
  return t.is(exitClass(verdict), 'ok');
});

test('every command that the pages name exists, with its flags', (t) => {
  const silent = { out: () => undefined, err: () => undefined, outTty: false, env: {} };
  const console = { ...silent, input: () => Promise.resolve('') };
  const program = programFor({ console, exitCode: 0 });
  const paths = new Map(
    allCommands(program).map((command) => {
      const parent = command.parent?.name() === 'fairlead' ? '' : `${command.parent?.name()} `;
      return [`${parent}${command.name()}`, command.options.map((option) => option.long)];
    }),
  );
  const lines = pages.flatMap((page) => page.match(/fairlead -- (?!ARGS)[^`\n]+/gu) ?? []);
  const rows = readme.match(/^\| `(?:validate|ippool|service|sim)[^|]*\|/gmu) ?? [];
  const texts = [
    ...lines.map((line) => line.slice('fairlead -- '.length)),
    ...rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/gu)].map((match) => match[1] ?? '')),
  ];
  t.true(texts.length > 8, texts.join('\n'));
  for (const text of texts) {
    const [first = '', second = ''] = text.split(' ');
    const path = paths.has(`${first} ${second}`) ? `${first} ${second}` : first;
    const flags = paths.get(path);
    t.truthy(flags, text);
    for (const flag of text.match(/--[a-z-]+/gu) ?? [])
      t.true(flags?.includes(flag), `${text}: ${flag}`);
  }
});

test('every file and folder that the pages name is there', (t) => {
  const named = pages.flatMap(
    (page) => page.match(/(?<=[\s`(])(?:kind|test|sim|lb|l2|kube|cli)\/[\w./-]*\w/gu) ?? [],
  );
  t.true(named.length > 10);
  for (const path of new Set(named)) t.notThrows(() => readFileOrFolder(path), path);
});

function readFileOrFolder(path: string): void {
  try {
    readFileSync(join(root, existsSync(join(root, path)) ? path : `${path}.ts`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error;
  }
}
