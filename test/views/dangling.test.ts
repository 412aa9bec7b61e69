import test from 'ava';
import {
  decodeSet, encodeMemberKey, encodeSet, encodeSvc, encodeSvcKey,
} from '../../bpf/layout.gen.ts';
import type { MapReader } from '../../bpf/views/mapreader.ts';
import {
  printBackends, printFrontKeys, printFronts, printMembers, printRanges,
} from '../../cli/lbviews.ts';
import { printLiveServices } from '../../cli/liveservices.ts';
import { printShares } from '../../cli/maglevviews.ts';
import type { OutputFlags } from '../../cli/output.ts';
import { service } from '../datapath/fixture.ts';
import { MapRig } from '../datapath/maprig.ts';
import { altered, cell, shown } from './maps.ts';

const sound = () => new MapRig({ options: { algorithm: 'maglev' } })
  .load([service({ sourceRanges: ['203.0.113.0/25'] })]).start().run().kernel;

type Break = (maps: MapReader) => MapReader;

const withoutService: Break = (maps) => altered(maps, 'fl_svc', [
  { key: encodeSvcKey({ svcId: 1 }) },
]);
const withSet = (more: Partial<ReturnType<typeof decodeSet>>): Break => (maps) => altered(
  maps, 'fl_set',
  [{ key: cell(1), value: encodeSet({ ...decodeSet(maps.lookup('fl_set', cell(1))!), ...more }) }],
);
const withoutSet: Break = (maps) => altered(maps, 'fl_set', [
  { key: cell(1), value: new Uint8Array(64) },
]);
const oldSet: Break = (maps) => altered(maps, 'fl_svc', [
  { key: encodeSvcKey({ svcId: 1 }), value: encodeSvc({ gen: 7, setId: 1 }) },
]);
const withoutBackend: Break = (maps) => altered(maps, 'fl_backend', [
  { key: cell(2), value: new Uint8Array(32) },
]);
const withoutMember: Break = (maps) => altered(maps, 'fl_member', [
  { key: encodeMemberKey({ svcId: 1, backendId: 3 }) },
]);

const dangles = test.macro({
  exec: async (t, spoil: Break, print: Parameters<typeof shown<OutputFlags>>[0], row: RegExp) => {
    const { out, err, exitCode } = await shown(print, spoil(sound()), {});
    t.is(exitCode, 1);
    t.regex(out, row);
    t.regex(err, /^warning: n-a: /u);
    t.is((await shown(print, sound(), {})).exitCode, 0);
  },
  title: (claim = '', ...row) => `${claim}: ${(row[1] as { name: string }).name} exits 1`,
});

test('a front without service record', dangles, withoutService, printFronts, /^n-a {4}10\.200\.0\.10:80\/TCP +ClusterIP +1 +- +- +- +service id 1 missing +-/mu);
test('a front without service record', dangles, withoutService, printFrontKeys, /service id 1 missing/u);
test('a record without set', dangles, withoutSet, printFronts, / 1 +1 +- +set id 1 missing /u);
test('a set of another generation', dangles, oldSet, printFronts, / 7 +1 +- +set id 1 is generation 1 of service 1, not generation 7 of service 1 /u);
test('a set of another service', dangles, withSet({ svcId: 9 }), printFronts, /set id 1 is generation 1 of service 9, not/u);
test('a list beyond its map', dangles, withSet({ listBase: 0xffff_fff0 }), printFronts, /set id 1 lists cells from 4294967280 beyond the map/u);
test('a list of absurd length', dangles, withSet({ clusterN: 0xffff_ffff, listBase: 131_000 }), printFronts, /endpoint id 0 missing/u);
test('a listed endpoint without backend', dangles, withoutBackend, printFronts, / 1 +endpoint id 2 missing +cluster /u);
test('a listed endpoint without member', dangles, withoutMember, printFronts, /endpoint id 3 is no cluster member/u);
test('a member without backend', dangles, withoutBackend, printMembers, /^n-a +1 +2 +endpoint id 2 missing/mu);
test('a used backend id without backend', dangles, withoutBackend, printBackends, /^n-a +2 +endpoint id 2 missing/mu);
test('a set whose ranges are gone', dangles, withSet({ rangeId: 8 }), printRanges, /^n-a +1 +8 +range id 8 missing/mu);
test('a record without set', dangles, withoutSet, printLiveServices, /LoadBalancer.* EntryMissing$/mu);
test('a set of another generation', dangles, oldSet, printLiveServices, /LoadBalancer.* EntryStale$/mu);
test('a listed endpoint without backend', dangles, withoutBackend, printLiveServices, /LoadBalancer.* DanglingBackend$/mu);

test('a Maglev table with a missing endpoint is shown and exits 1', async (t) => {
  const flags = { service: '1', key: undefined, hashSeed: 0 };
  const { out, err, exitCode } = await shown(printShares, withoutBackend(sound()), flags);
  t.is(exitCode, 1);
  t.regex(out, /endpoint id 2 missing +5460 +33\.3 %/u);
  t.is(err, 'warning: n-a: table of service 1, cluster: endpoint id 2 missing\n');
});

test('what is wrong for one moment only is no finding', async (t) => {
  const maps = sound();
  const broken = withoutService(maps);
  let reads = 0;
  const hasty: MapReader = {
    dump: (map) => maps.dump(map),
    lookup: (map, key) => (
      map === 'fl_svc' && (reads += 1) < 3 ? broken.lookup(map, key) : maps.lookup(map, key)
    ),
  };
  t.is((await shown(printFronts, hasty, {})).exitCode, 0);
  t.is(reads, 3);
});

test('a front that goes during the walk is not listed', async (t) => {
  const maps = withoutService(sound());
  const going: MapReader = {
    dump: (map) => maps.dump(map),
    lookup: (map, key) => (map === 'fl_front' ? undefined : maps.lookup(map, key)),
  };
  const { out, exitCode } = await shown(printFronts, going, { headers: false });
  t.deepEqual([out, exitCode], ['', 0]);
});

test('a document carries the findings as warnings and in its items', async (t) => {
  const { out, err } = await shown(printFronts, withoutBackend(sound()), { output: 'json' });
  t.is(err, '');
  const { warnings, items } = JSON.parse(out) as {
    warnings: string[]; items: { slots: { fault?: string }[] }[];
  };
  t.is(warnings[0], 'n-a: front 10.200.0.10:80/TCP: endpoint id 2 missing');
  t.is(items[0]?.slots[1]?.fault, 'endpoint id 2 missing');
});
