import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { fairlead } from './session.ts';

test('a folder without nodes, or none at all, is unreachable', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-pins-'));
  try {
    const empty = await fairlead(['lb', 'list', '--pins', folder]);
    t.deepEqual([empty.exitCode, empty.err], [3, `fairlead: ${folder} holds no node's maps\n`]);
    const none = await fairlead(['lb', 'ct', '--pins', join(folder, 'none')]);
    t.is(none.exitCode, 3);
    t.regex(none.err, /none does not exist: no agent has programmed this kernel\n$/u);
  } finally {
    rmdirSync(folder);
  }
});

test('a node whose folder holds no maps of this layout is unreachable', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-pins-'));
  mkdirSync(join(folder, 'n-a'));
  try {
    const { exitCode, err } = await fairlead(['bpf', 'lb', 'list', '--pins', folder]);
    t.is(exitCode, 3);
    t.regex(err, /^fairlead: the maps of n-a are of layout \(none\); this build reads v/u);
  } finally {
    rmdirSync(join(folder, 'n-a'));
    rmdirSync(folder);
  }
});

const homelab = ['-f', 'kind/examples/homelab'] as const;

test('with -f the views are of the kernels of a simulated cluster', async (t) => {
  const { exitCode, out, err } = await fairlead(['lb', 'list', ...homelab, '-o', 'json']);
  t.deepEqual([exitCode, err], [0, '']);
  const { source, items } = JSON.parse(out) as {
    source: string; items: { node: string; front: string; slots: unknown[] }[];
  };
  t.is(source, 'manifests');
  t.deepEqual([...new Set(items.map(({ node }) => node))], ['node-1', 'node-2', 'node-3']);
  const dns = items.filter(({ front }) => front.endsWith(':53/UDP'));
  t.true(dns.length >= 3 && dns.every(({ slots }) => slots.length === 3));
});

test('with -f --node narrows, and a node that is not there is unreachable', async (t) => {
  const fills = await fairlead(['lb', 'maps', ...homelab, '--node', '*-2', '--no-headers']);
  t.is(fills.exitCode, 0);
  t.regex(fills.out, /^node-2 +fl_svc +[1-9][0-9]* +65536 /mu);
  t.notRegex(fills.out, /^node-[13]/mu);
  const none = await fairlead(['lb', 'ct', ...homelab, '--node', 'node-9']);
  t.deepEqual([none.exitCode, none.out], [3, '']);
  t.regex(none.err, /no node node-9 here; there are node-1, node-2, node-3/u);
});

const refused = test.macro({
  exec: async (t, line: string, sentence: RegExp) => {
    const { exitCode, out, err } = await fairlead(line.split(' '));
    t.deepEqual([exitCode, out], [64, '']);
    t.regex(err, sentence);
  },
  title: (_, line: string) => `fairlead ${line} is wrong usage`,
});

test(refused, 'lb list --fronts --members', /only one can stand/u);
test(refused, 'lb list --check --fronts', /takes no filter/u);
test(refused, 'lb list -f kind --pins x', /of --pins and -f only one can stand/u);
test(refused, 'lb list -o xml', /table, wide, json/u);
test(refused, 'lb list extra', /too many arguments/u);
test(refused, 'lb maglev --key 192.0.2.1:1', /--key needs a frontend/u);
test(refused, 'lb maglev 1 --hash-seed -1', /unsigned 32-bit/u);
test(refused, 'lb maglev 1 --hash-seed seed', /unsigned 32-bit/u);
test(refused, 'lb list --node=', /must not be empty/u);
test(refused, 'bpf maglev get', /missing required argument 'svc'/u);
test(refused, 'bpf lb lst', /did you mean 'fairlead bpf lb list'/u);
test(refused, 'service list web/nginx', /hold no names of Services/u);
test(refused, 'service list -n web', /hold no names of Services/u);

test('help of every view says what it prints and where it reads', async (t) => {
  const views = ['lb list', 'lb maglev', 'lb ct', 'lb maps', 'bpf maglev get', 'service list'];
  for (const line of views) {
    const { exitCode, out } = await fairlead([...line.split(' '), '--help']);
    t.is(exitCode, 0);
    for (const flag of ['--pins', '--node', '--output']) t.true(out.includes(flag), line);
  }
});
