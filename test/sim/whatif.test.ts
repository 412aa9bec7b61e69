import test from 'ava';
import { hintsFor } from '../../sim/report/remedy.ts';
import { nodeDown, routerDown } from '../../sim/report/failure.ts';
import { runPlacement } from '../../sim/report/whatif.ts';
import { summarise } from '../../sim/report/whatif-table.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { fairlead } from '../cli/session.ts';
import { manifestsOf } from './fixture.ts';

const homelab = manifestsOf(
  'kind/examples/homelab/fairlead.yaml',
  'kind/examples/homelab/nodes.yaml',
  'kind/examples/homelab/services.yaml',
);
const input = {
  objects: homelab,
  cluster: defaultCluster(),
  network: undefined,
  failure: nodeDown('node-3'),
};

const seen = Array.from({ length: 8 }, (_, seed) => BigInt(seed)).flatMap((seed) =>
  runPlacement({ ...input, seed }).observations.map((one) => ({ ...one, seed })),
);

test('a Service whose owner dies is back within the take-over bound of 6.3 s', (t) => {
  const moved = seen.filter((one) => one.why.code === 'session-expiry');
  t.true(moved.length > 0);
  for (const one of moved) {
    t.is(one.from, 'node-3', one.service);
    t.true((one.outage ?? Infinity) <= 6_400_000, `${one.service} ${one.outage}`);
  }
});

test('a single replica of a StatefulSet never recovers, and the reason says what to do', (t) => {
  const mqtt = seen.filter((one) => one.why.code === 'stateful-set');
  t.true(mqtt.length > 0);
  for (const one of mqtt) {
    t.is(one.service, 'home/mqtt');
    t.is(one.outage, undefined);
    t.is(one.why.text, 'StatefulSet, 1 replica on node-3: needs manual delete');
  }
});

test('a Local Service with its only announcing pod on the dead node waits for grace, toleration and start', (t) => {
  const local = seen.filter(
    (one) => one.service === 'ingress/traefik' && one.why.code === 'only-endpoints-lost',
  );
  t.true(local.length > 0);
  for (const one of local) {
    t.true((one.outage ?? 0) > 340_000_000 && (one.outage ?? 0) < 370_000_000, String(one.outage));
    t.regex(
      one.why.text,
      /^Local policy, only announcing pod on node-3: \d+ s \+ 300 s \+ start \d+ s$/u,
    );
  }
});

test('the table gives median and worst, and hints are measured', (t) => {
  const table = summarise(input.failure, seen, 8);
  t.deepEqual(
    table.rows.map((row) => row.service),
    [
      'dns/resolver-tcp',
      'dns/resolver-udp',
      'home/mqtt',
      'home/mqtt',
      'ingress/traefik',
      'media/jellyfin',
    ],
  );
  const jellyfin = table.rows.find((row) => row.service === 'media/jellyfin');
  t.true((jellyfin?.medianMs ?? 0) <= (jellyfin?.worstMs ?? 0));
  const hints = hintsFor(input, table.rows);
  t.true(
    hints.some((hint) => hint.startsWith('another replica for')),
    hints.join('; '),
  );
});

test('what-if as JSON lists every Service with owners, outage, reason and why', async (t) => {
  const { exitCode, out } = await fairlead([
    'sim',
    'what-if',
    '-f',
    'kind/examples/homelab',
    '--drain',
    'node-2',
    '--seeds',
    '2',
    '-o',
    'json',
  ]);
  t.is(exitCode, 0);
  const document: { kind: string; items: { services: Record<string, unknown>[] }[] } =
    JSON.parse(out);
  t.is(document.kind, 'WhatIfList');
  t.is(document.items[0]?.services.length, 6);
  for (const service of document.items[0]?.services ?? []) {
    for (const field of ['namespace', 'name', 'ip', 'owner', 'reason', 'why', 'recovered'])
      t.true(field in service, field);
  }
  t.false(out.includes('null'));
});

test('the demo tells pools, the waiting Service with its reason, the take-over and what to try next', async (t) => {
  const { exitCode, out, err } = await fairlead(['demo']);
  t.is(exitCode, 0);
  t.is(err, '');
  t.regex(out, /home\/printer +<pending> +- +pool_selector_mismatch: /u);
  t.regex(out, /t=0s +node-\d loses power/u);
  t.regex(out, /\+\d\.\d{3}s {2}node node-\d answers for 192\.168\.10\./u);
  t.regex(out, /StatefulSet|session expiry/u);
  t.regex(out, /Next:\n/u);
  t.notRegex(out, /\u001B/u, 'plain text without a terminal');
});

test('a failure that names no node of the folder is a usage error that lists them', async (t) => {
  const { exitCode, err } = await fairlead([
    'sim',
    'what-if',
    '-f',
    'kind/examples/homelab',
    '--node-down',
    'nod-1',
  ]);
  t.is(exitCode, 64);
  t.regex(err, /no node nod-1; there are node-1, node-2, node-3/u);
});

test('a router that dies silently costs a share of the requests until the hold time ends', (t) => {
  const rack = manifestsOf(...['fairlead', 'nodes', 'services', 'legacy-peering-policy']
    .map((name) => `kind/examples/bgp-rack/${name}.yaml`));
  const { observations } = runPlacement({
    ...input, objects: rack, failure: routerDown('tor-a1'), seed: 0n,
  });
  const api = observations.find(({ service }) => service === 'default/api');
  t.is(api?.why.code, 'hold-time');
  t.regex(api?.why.text ?? '', /^router sent a share of it to a silent BGP peer for [6-9]/u);
  t.deepEqual(api?.from?.split(','), ['rack-a-1', 'rack-a-2', 'rack-b-1', 'rack-b-2']);
  t.is(api?.to, api?.from);
});
