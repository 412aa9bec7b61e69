import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { fairlead } from './session.ts';

const root = join(import.meta.dirname, '../..');
const folder = (name: string): string => join(root, 'kind/examples', name);
const list = (name: string, ...words: readonly string[]) =>
  fairlead(['service', 'list', '-f', folder(name), ...words]);
const cells = (out: string): string[] =>
  out.trimEnd().split('\n').map((line) => line.split(/ {3,}/).join(' | '));

test('4.2: each frontend of the demo folder has a row, in the order of the reference', async (t) => {
  const { exitCode, out, err } = await list('demo', '-A');
  t.is(exitCode, 0);
  t.is(err, '');
  const rows = cells(out);
  const heads = 'NAMESPACE NAME TYPE FRONTEND POLICY BACKENDS EXTERNAL-IP ANNOUNCED READY';
  t.is(rows[0]?.replaceAll(' | ', ' '), heads);
  t.deepEqual(rows.slice(1).map((row) => row.split(' | ').slice(0, 3).join(' ')), [
    'lab db ClusterIP', 'lab db NodePort', 'lab db LoadBalancer',
    'web api ClusterIP', 'web api NodePort', 'web api LoadBalancer',
    'web nginx ClusterIP', 'web nginx NodePort', 'web nginx LoadBalancer',
  ]);
  const balanced = rows.filter((row) => row.includes('LoadBalancer')).map((row) =>
    row.replace(/l2:n[123]/, 'l2:N'));
  t.deepEqual(balanced, [
    'lab | db | LoadBalancer | <pending>:5432/TCP | Cluster | 1 | <pending> | - | no_pool',
    'web | api | LoadBalancer | 192.0.2.11:443/TCP | Local | 2 | 192.0.2.11 | bgp | True',
    'web | nginx | LoadBalancer | 192.0.2.10:80/TCP | Cluster | 3 | 192.0.2.10 | l2:N | True',
  ]);
});

test('both families of a Service have their own frontends and endpoints', async (t) => {
  const { out } = await list('homelab', 'home/mqtt', '-o', 'json');
  const { items } = JSON.parse(out) as {
    items: { frontend: string; endpoints: string[]; ready: string }[];
  };
  const six = items.filter(({ frontend }) => frontend.startsWith('['));
  t.is(six.length, 2);
  for (const { endpoints } of six) t.regex(endpoints.join(), /^fd00:42:/);
  t.true(items.every(({ ready }) => ready === 'True'));
});

test('a namespace, a name, or all of them', async (t) => {
  t.deepEqual(cells((await list('demo')).out).length, 1);
  t.deepEqual(cells((await list('demo', '-n', 'lab')).out).length, 4);
  t.deepEqual(cells((await list('demo', 'svc/web/api')).out).length, 4);
  t.is((await list('demo', 'web/none')).exitCode, 1);
});

test('X3, X4: documents agree, names are sorted, wide appends', async (t) => {
  const json = (await list('demo', '-A', '-o', 'json')).out;
  t.deepEqual(parse((await list('demo', '-A', '-o', 'yaml')).out), JSON.parse(json));
  t.is((await list('demo', '-A', '-o', 'json')).out, json);
  t.notRegex(json, /\bnull\b/);
  const names = (await list('demo', '-A', '-o', 'name')).out;
  t.is(names, 'service/lab/db\nservice/web/api\nservice/web/nginx\n');
  const narrow = (await list('demo', '-A')).out;
  const wide = (await list('demo', '-A', '-o', 'wide')).out;
  for (const [index, line] of narrow.trimEnd().split('\n').entries()) {
    t.true(wide.split('\n')[index]?.startsWith(line) === true, line);
  }
});

test('X1: the first line of a list is enough for a reader', (t) => {
  const command = `set -o pipefail
'${process.execPath}' '${join(root, 'cli/main.ts')}' service list -A -f '${folder('demo')}' | head -1`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
  t.is(stderr, '');
  t.is(status, 0);
  t.regex(stdout, /^NAMESPACE .*READY\n$/);
});
