import test from 'ava';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { profiles, type Profile } from '../../cli/install.ts';
import { chartFiles } from '../../cli/manifests/chart.ts';
import { profileObjects } from '../../cli/manifests/profile.ts';
import type { KubeObject } from '../../kube/port.ts';
import { byName, type Named } from './objects.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'kind', 'chart');

test('the files of kind/chart are what base and overlays give, and no others', (t) => {
  const files = chartFiles();
  for (const { path, text } of files) {
    t.is(readFileSync(join(root, path), 'utf8'), text, `${path}: npm run manifests writes it`);
  }
  const there = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  t.deepEqual(there.toSorted(), files.map(({ path }) => path).toSorted());
});

/** Settings as values: their text depends on who wrote it. */
function settled(objects: readonly Named[]): Named[] {
  return objects.map((object) => {
    if (object.name !== 'ConfigMap fairlead-system/fairlead-config') return object;
    return { ...object, data: parse((object['data'] as any)['config.yaml']) };
  });
}

function wanted(profile: Profile): Named[] {
  const objects = profileObjects(profile, []);
  const of = objects.ok ? objects.value : [];
  return settled(byName(of.filter(({ kind }) => (
    kind !== 'Namespace' && kind !== 'CustomResourceDefinition'
  ))));
}

function read(text: string): Named[] {
  const documents = parseAllDocuments(text, { version: '1.1' });
  const objects = documents.map((document) => document.toJS() as KubeObject | null);
  return settled(byName(objects.filter((object) => object !== null)));
}

/** What the templates of the chart use of Helm, and no more. */
function rendered(profile: Profile): Named[] {
  const chart = join(folder, 'fairlead');
  const valuesAt = (path: string): object => parse(readFileSync(join(chart, path), 'utf8'));
  const more = profile === 'base' ? {} : valuesAt(`profiles/${profile}.yaml`);
  const values = merged(valuesAt('values.yaml'), more);
  const lookUp = (path: string): any => (path === '.Release.Namespace' ? 'fairlead-system'
    : path.split('.').slice(2).reduce((at: any, name) => at[name], values));
  const truthy = (value: unknown): boolean => (
    Array.isArray(value) ? value.length > 0 : Boolean(value)
  );
  return readdirSync(join(chart, 'templates')).flatMap((name) => {
    let open = readFileSync(join(chart, 'templates', name), 'utf8');
    // The innermost condition first.
    const conditional = / *\{\{- if (\S+) \}\}\n((?:(?!\{\{- if).)*?) *\{\{- end \}\}\n/su;
    while (conditional.test(open)) {
      open = open.replace(conditional, (_, path: string, body: string) => (
        truthy(lookUp(path)) ? body : ''));
    }
    const text = open
      .replaceAll(/\n *\{\{- toYaml (\S+) \| nindent 4 \}\}/gu, (_, path: string) => (
        `\n    ${JSON.stringify(lookUp(path))}`))
      .replaceAll(/\{\{ toJson (\S+) \}\}/gu, (_, path: string) => JSON.stringify(lookUp(path)))
      .replaceAll(/\{\{ (\.\S+) \}\}/gu, (_, path: string) => String(lookUp(path)))
      .replaceAll('{{ "{{" }}', '{{');
    return read(text);
  });
}

function merged(left: any, right: any): any {
  if (typeof left !== 'object' || Array.isArray(left) || typeof right !== 'object') return right;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return Object.fromEntries([...keys].map((key) => (
    [key, key in right ? (key in left ? merged(left[key], right[key]) : right[key]) : left[key]]
  )));
}

const gives = test.macro({
  exec: (t, profile: Profile) => {
    t.deepEqual(byName(rendered(profile)), wanted(profile));
  },
  title: (_, profile) => `the chart gives profile ${profile}`,
});

for (const profile of profiles) test(gives, profile);

// 1.20 is what a helm without a cluster believes in unless it is told.
const helm = (...words: readonly string[]) => spawnSync('helm', [
  'template', 'fairlead', ...words, '--kube-version', '1.32.0', '--namespace', 'fairlead-system',
], { encoding: 'utf8', maxBuffer: 1 << 24 });

test('helm renders every profile, and the definitions, to the same objects', (t) => {
  if (helm('--help').error !== undefined) {
    t.log('skipped: helm absent');
    return t.pass();
  }
  const chart = join(folder, 'fairlead');
  for (const profile of profiles) {
    const values = join(chart, 'profiles', `${profile}.yaml`);
    const { stdout, stderr } = helm(chart, ...(profile === 'base' ? [] : ['--values', values]));
    t.is(stderr, '');
    t.deepEqual(read(stdout), wanted(profile), profile);
  }
  const chosen = ['bgp.secretsAccess=true', 'bgp.secrets={tor,spine}'];
  const secrets = helm(chart, ...chosen.flatMap((choice) => ['--set', choice]));
  const role = read(secrets.stdout).find(({ metadata }) => (
    metadata?.name === 'fairlead-bgp-secrets' && 'namespace' in metadata
  ));
  t.deepEqual((role as any)?.rules[0].resourceNames, ['tor', 'spine']);
  for (const choice of ['config.l2.sesion=1', 'config.enable-ipv6=perhaps', 'agent.hostPid=true']) {
    t.not(helm(chart, '--set', choice).status, 0, choice);
  }
  const all = profileObjects('base', []);
  const definitions = byName(all.ok ? all.value : [])
    .filter(({ kind }) => kind === 'CustomResourceDefinition');
  return t.deepEqual(read(helm(join(folder, 'fairlead-crds')).stdout), definitions);
});
