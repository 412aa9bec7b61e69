import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { fairlead } from './session.ts';

const examples = join(import.meta.dirname, '../../kind/examples');
const demo = join(examples, 'demo');

const pool = (name: string, spec: string): string =>
  `apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: ${name}}\nspec: {${spec}}\n`;
const service = (name: string, more = ''): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}${more}}
spec: {type: LoadBalancer, loadBalancerClass: io.cilium/l2-announcer, ports: [{port: 80}]}\n`;
const all = (...documents: string[]): string => documents.join('---\n');

test('4.3: the demo folder lists as the reference shows it', async (t) => {
  const { exitCode, out, err } = await fairlead(['ippool', 'list', '-f', demo]);
  t.is(exitCode, 0);
  t.is(err, '');
  t.deepEqual(out.split('\n'), [
    'NAME   DISABLED   CONFLICTING   INVALID   FAMILIES   TOTAL   USED   AVAILABLE   SERVICES   SELECTOR   AGE',
    'dmz    false      False         False     IPv6       4       0      4           0          <all>      -',
    'lan    false      False         False     IPv4       6       2      4           2          team=web   -',
    '',
  ]);
});

interface PoolItem {
  readonly name: string;
  readonly disabled: boolean;
  readonly total: number;
  readonly used: number;
  readonly available: number;
}

async function pools(input: string): Promise<readonly PoolItem[]> {
  const { out } = await fairlead(['ippool', 'list', '-f', '-', '-o', 'json'], { input });
  return (JSON.parse(out) as { items: PoolItem[] }).items;
}

const counted = test.macro({
  exec: async (t, _: string, input: string, ...rows: string[]) => {
    const items = await pools(input);
    t.deepEqual(items.map(({ name, total, used, available }) =>
      `${name} ${total} ${used} ${available}`), rows);
    for (const item of items) t.is(item.total, item.used + item.available);
  },
  title: (_, what: string) => `X8: ${what}`,
});

const key = ', annotations: {lbipam.cilium.io/sharing-key: k, lbipam.cilium.io/ips: 10.0.0.1}';
test(counted, 'reserved edges count as used', pool('a', 'blocks: [{cidr: 10.0.0.0/24}], allowFirstLastIPs: "No"'), 'a 256 2 254');
test(counted, 'holders count once each', all(pool('a', 'blocks: [{cidr: 10.0.0.0/24}]'), service('s'), service('r')), 'a 256 2 254');
test(counted, 'a shared address counts once', all(pool('a', 'blocks: [{cidr: 10.0.0.0/24}]'),
  service('s', key), service('r', key).replace('port: 80', 'port: 81')), 'a 256 1 255');
test(counted, 'a disabled pool gives nothing', all(pool('a', 'blocks: [{cidr: 10.0.0.0/30}], disabled: true'), service('s')), 'a 4 0 4');
test(counted, 'pools stand by name', all(pool('b', 'blocks: []'), pool('a', 'blocks: [{start: 10.0.0.1}]')), 'a 1 0 1', 'b 0 0 0');

test('a pool of more addresses than a number holds counts in text', async (t) => {
  const [item] = await pools(pool('a', 'blocks: [{cidr: "2001:db8::/64"}]'));
  t.is(item?.total as unknown, '18446744073709551616');
});

test('list NAME lists held addresses with their holders', async (t) => {
  const { out } = await fairlead(['ippool', 'list', 'lan', '-f', demo]);
  const heads = 'ADDRESS      POOL   SERVICES';
  t.is(out, `${heads}\n192.0.2.10   lan    web/nginx\n192.0.2.11   lan    web/api\n`);
});

test('a pool that is not there exits 1 with the nearest names', async (t) => {
  const { exitCode, out, err } = await fairlead(['ippool', 'list', 'lam', '-f', demo]);
  t.deepEqual([exitCode, out, err], [1, '', 'fairlead: pool lam is not there; nearest: lan\n']);
});

test('--address says who holds it and which pools have it', async (t) => {
  const asked = async (address: string) =>
    fairlead(['ippool', 'list', '--address', address, '--no-headers', '-f', demo]);
  t.is((await asked('192.0.2.10')).out, '192.0.2.10   lan   web/nginx\n');
  t.is((await asked('192.0.2.15')).out, '192.0.2.15   lan   -\n');
  t.is((await asked('198.51.100.1')).exitCode, 1);
  t.is((await asked('010.0.0.1')).exitCode, 64);
});

test('X3: JSON and YAML of a list are equal, without null, and repeat byte by byte', async (t) => {
  for (const words of [['list'], ['list', 'lan'], ['plan']]) {
    const line = ['ippool', ...words, '-f', demo, '-o'];
    const json = await fairlead([...line, 'json']);
    t.deepEqual(parse((await fairlead([...line, 'yaml'])).out), JSON.parse(json.out));
    t.notRegex(json.out, /\bnull\b/);
    t.is((await fairlead([...line, 'json'])).out, json.out);
  }
});

test('X4: shapes of the list', async (t) => {
  const line = ['ippool', 'list', '-f', demo];
  const table = (await fairlead(line)).out;
  t.true((await fairlead([...line, '-o', 'wide'])).out.startsWith(table.split('\n')[0] ?? ''));
  const named = (await fairlead([...line, '-o', 'name'])).out;
  t.is(named, 'ciliumloadbalancerippool/dmz\nciliumloadbalancerippool/lan\n');
  t.notRegex((await fairlead([...line, '--no-headers'])).out, /NAME/);
  const byUse = (await fairlead([...line, '--sort-by', 'used'])).out;
  t.regex(byUse, /\ndmz .*\nlan .*\n$/su);
  t.is((await fairlead([...line, '--sort-by', 'colour'])).exitCode, 64);
});

/** Rows of `ippool plan` for a change from one set of manifests to another. */
const plans = test.macro({
  exec: async (t, _: string, change: { now: string; after: string }, ...rows: string[]) => {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-plan-'));
    try {
      for (const side of ['now', 'after'] as const) {
        mkdirSync(join(folder, side));
        writeFileSync(join(folder, side, 'all.yaml'), change[side]);
      }
      const line = ['ippool', 'plan', '-f', join(folder, 'after'), '--now', join(folder, 'now')];
      const { exitCode, out } = await fairlead([...line, '--no-headers']);
      const found = out.trimEnd().split('\n').map((row) => row.replaceAll(/ {3,}/g, ' | '));
      t.deepEqual(found, rows);
      t.is(exitCode, rows.some((row) => /moved|lost/.test(row)) ? 1 : 0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  title: (_, what: string) => `X8: plan of ${what}`,
});

const wide = pool('a', 'blocks: [{cidr: 10.0.0.0/30}]');
const now = all(wide, service('r'), service('s'));
test(plans, 'no change', { now, after: wide }, 'a | - | 4 | 2 | default/r | 10.0.0.0 | 10.0.0.0 | kept', 'a | - | 4 | 2 | default/s | 10.0.0.1 | 10.0.0.1 | kept');
test(plans, 'a widened pool', { now, after: pool('a', 'blocks: [{cidr: 10.0.0.0/29}]') },
  'a | block edited | 4 -> 8 | 2 -> 6 | default/r | 10.0.0.0 | 10.0.0.0 | kept',
  'a | block edited | 4 -> 8 | 2 -> 6 | default/s | 10.0.0.1 | 10.0.0.1 | kept');
test(plans, 'a pool cut to one address', { now, after: pool('a', 'blocks: [{start: 10.0.0.0}]') },
  'a | block edited | 4 -> 1 | 2 -> 0 | default/r | 10.0.0.0 | 10.0.0.0 | kept',
  'a | block edited | 4 -> 1 | 2 -> 0 | default/s | 10.0.0.1 | - | lost (out_of_ips)');
test(plans, 'a pool with another block', { now: all(wide, service('r')), after: pool('a', 'blocks: [{start: 10.9.0.0}]') },
  'a | block edited | 4 -> 1 | 3 -> 0 | default/r | 10.0.0.0 | 10.9.0.0 | moved');
test(plans, 'a pool with another selector', { now: all(wide, service('r')), after: pool('a', 'blocks: [{cidr: 10.0.0.0/30}], serviceSelector: {matchLabels: {team: web}}') },
  'a | selector edited | 4 | 3 -> 4 | default/r | 10.0.0.0 | - | lost (no_pool)');
test(plans, 'a disabled pool', { now: all(wide, service('r')), after: pool('a', 'blocks: [{cidr: 10.0.0.0/30}], disabled: true') },
  'a | disabled | 4 | 3 | default/r | 10.0.0.0 | 10.0.0.0 | kept');
test(plans, 'a deleted pool beside a new one', { now: all(wide, service('r')), after: pool('b', 'blocks: [{start: 10.9.0.0}]') },
  'a | removed | 4 -> - | 3 -> - | default/r | 10.0.0.0 | 10.9.0.0 | moved',
  'b | added | - -> 1 | - -> 0 | - | - | - | -');
test(plans, 'a first pool', { now: service('r'), after: wide }, 'a | added | - -> 4 | - -> 3 | default/r | - | 10.0.0.0 | new');
test(plans, 'a pool that is too small', { now: all(pool('a', 'blocks: []'), service('r')), after: pool('a', 'blocks: []') },
  'a | - | 0 | 0 | - | - | - | -', '- | - | - | - | default/r | - | - | waiting (no_pool)');

test('without --now the stored statuses say what is held', async (t) => {
  const allocated = 'status: "True", reason: allocated, message: 10.0.0.3=pool/a';
  const record = `{type: fairlead.dev/IPAMAllocation, ${allocated}}`;
  const held = `${service('r')}status:
  loadBalancer: {ingress: [{ip: 10.0.0.3}]}
  conditions: [${record}]\n`;
  const line = ['ippool', 'plan', '--no-headers', '-f', '-'];
  const kept = await fairlead(line, { input: all(wide, held) });
  t.is(kept.out, 'a   -   4   3   default/r   10.0.0.3   10.0.0.3   kept\n');
  t.is(kept.exitCode, 0);
  const other = pool('a', 'blocks: [{start: 10.0.0.9}]');
  const moved = await fairlead(line, { input: all(other, held) });
  t.regex(moved.out, /10\.0\.0\.3 {3}10\.0\.0\.9 {3}moved\n$/);
  t.is(moved.exitCode, 1);
});
