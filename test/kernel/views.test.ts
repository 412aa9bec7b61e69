import {
  mkdirSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest from 'ava';
import { realKernel } from '../../bpf/kernel.real.ts';
import {
  encodeFlow, encodeFlowKey, encodeFrontKey, encodeMemberKey, encodeSvcKey, flowBit, flowKind,
  layoutHash,
} from '../../bpf/layout.gen.ts';
import { loadObject } from '../../bpf/object.real.ts';
import {
  printBackends, printFlows, printFrontKeys, printFronts, printMembers, printRanges,
} from '../../cli/lbviews.ts';
import { printLiveServices } from '../../cli/liveservices.ts';
import { printTables } from '../../cli/maglevviews.ts';
import type { OutputFlags } from '../../cli/output.ts';
import { openPinnedMaps } from '../../bpf/pinnedmaps.real.ts';
import { mapFills } from '../../bpf/views/mapfill.ts';
import { ip, ipBytes16 } from '../../lb/ip.ts';
import type { KernelPort } from '../../lb/ports.ts';
import { fairlead, type Ran } from '../cli/session.ts';
import { service } from '../datapath/fixture.ts';
import { MapRig } from '../datapath/maprig.ts';
import { root } from '../tidy/sources.ts';
import { cell, shown } from '../views/maps.ts';
import { kernelTests } from './machine.ts';
import { Place } from './place.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

interface Site {
  readonly kernel: KernelPort;
  readonly folder: string;
  /** `fairlead` with the pins of this test. */
  readonly run: (...words: readonly string[]) => Promise<Ran>;
}

// Preallocated maps of the shipped size would take a hundred megabytes.
const entriesMax = new Map([['fl_ct', 64], ['fl_snat', 64], ['fl_aff', 64], ['fl_sk', 64]]);

function filled(more: { readonly kernel?: KernelPort }): MapRig {
  const rig = new MapRig({ more, options: { algorithm: 'maglev' } });
  return rig.load([service({ sourceRanges: ['203.0.113.0/25'] })]).start().run();
}

/**
 * Pins of one node of a kernel, filled by the reconciler, whose agent then is gone: only the pins
 * keep the maps.
 */
function open(place: Place): Site {
  const pins = join(place.bpffs(), 'fairlead');
  const folder = join(pins, 'node-1_example', `v${layoutHash}`);
  mkdirSync(folder, { recursive: true });
  const file = readFileSync(join(root, 'bpf/fairlead.bpf.o'));
  const loaded = loadObject(addon, { file, pins: folder, entriesMax });
  if (!loaded.ok) throw new Error(`${loaded.error.operation}: ${loaded.error.log}`);
  const kernel = realKernel(addon, loaded.value.maps);
  const rig = filled({ kernel });
  place.later(() => {
    kernel.close();
    loaded.value.close();
  });
  if (!rig.datapath.ready()) throw new Error('the reconciler is done');
  rig.process.crash();
  return { kernel, folder, run: (...words) => fairlead([...words, '--pins', pins]) };
}

// The verifier takes half a second: whoever leaves the pins as they were shares them.
let shared: { readonly place: Place; readonly site: Site } | undefined;
anyTest.after.always(() => shared?.place.close());

/** Pins that the test leaves as they were. */
async function stopped(body: (site: Site) => Promise<void>): Promise<void> {
  if (shared === undefined) {
    const place = new Place();
    shared = { place, site: open(place) };
  }
  await body(shared.site);
}

const views: readonly (readonly [string, Parameters<typeof shown<OutputFlags>>[0]])[] = [
  ['lb list', printFronts], ['lb list --fronts', printFrontKeys],
  ['lb list --backends', printBackends], ['lb list --ranges', printRanges],
  ['lb list --members', printMembers], ['lb maglev', printTables], ['lb ct', printFlows],
  ['service list', printLiveServices],
];

test('every view reads the pins of a stopped agent as it reads a simulated kernel', async (t) => {
  const items = (json: string): unknown => (
    (JSON.parse(json) as { items: { node: string }[] }).items.map((item) => ({ ...item, node: '' }))
  );
  const simulated = filled({}).kernel;
  await stopped(async ({ run }) => {
    for (const [view, print] of views) {
      const { exitCode, out, err } = await run(...view.split(' '), '-o', 'json');
      t.deepEqual([exitCode, err], [0, ''], view);
      t.deepEqual(items(out), items((await shown(print, simulated, { output: 'json' })).out), view);
    }
  });
});

test('a table of the live node names it, and the endpoint of a client', async (t) => {
  await stopped(async ({ run }) => {
    const { out } = await run('lb', 'maglev', '198.51.100.10:80/TCP', '--key', '203.0.113.7:40000');
    t.deepEqual(out.split('\n'), [
      'NODE             SVC   SCOPE     SIZE    ENDPOINT          SLOTS   SHARE    SELECTED',
      'node-1.example   1     cluster   16381   10.64.1.21:8080   5461    33.3 %   -',
      '                                         10.64.2.21:8080   5460    33.3 %   -',
      '                                         10.64.3.21:8080   5460    33.3 %   yes',
      '',
    ]);
  });
});

test('the names of bpf commands give the same answers', async (t) => {
  await stopped(async ({ run }) => {
    t.deepEqual(await run('bpf', 'lb', 'list'), await run('lb', 'list'));
    t.deepEqual(await run('bpf', 'maglev', 'list'), await run('lb', 'maglev'));
    t.deepEqual(await run('bpf', 'maglev', 'get', '1'), await run('lb', 'maglev', '1'));
    t.deepEqual(await run('bpf', 'ct', 'list'), await run('lb', 'ct'));
    t.deepEqual(await run('bpf', 'map', 'list'), await run('lb', 'maps'));
  });
});

test('--node names a node of this kernel; an unknown one is silent', async (t) => {
  await stopped(async ({ run }) => {
    t.is((await run('lb', 'list', '--node', 'node-1.example')).exitCode, 0);
    t.is((await run('lb', 'list', '--node', 'node-*')).exitCode, 0);
    const other = await run('lb', 'list', '--node', 'node-2');
    t.deepEqual([other.exitCode, other.out], [3, '']);
    t.regex(other.err, /no maps of node node-2 in .*; there are node-1\.example/u);
    const both = await run('lb', 'list', '--node', 'node-2', '--node', '*');
    t.is(both.exitCode, 4);
    t.regex(both.out, /^node-1\.example +10\.200\.0\.10:80\/TCP/mu);
    t.regex(both.err, /^warning: no maps of node node-2/u);
  });
});

test('a connection that programs tracked is listed with its age', async (t) => {
  await stopped(async ({ kernel, run }) => {
    const at = (text: string): Uint8Array => ipBytes16(ip(text));
    const seconds = Number(process.hrtime.bigint() / 1_000_000_000n);
    const key = encodeFlowKey({
      source: at('203.0.113.7'), target: at('198.51.100.10'), sourcePort: 40_000, targetPort: 80,
      proto: 6, kind: flowKind.forward,
    });
    kernel.update('fl_ct', {
      key,
      value: encodeFlow({
        peer: at('10.64.1.21'), nat: new Uint8Array(16), peerPort: 8080, natPort: 0, svcId: 1,
        backendId: 1, gen: 1, lastS: seconds - 100, createdS: seconds - 200, closedS: 0,
        state: flowBit.answered,
      }),
    }, 'any');
    const { out } = await run('lb', 'ct', '--no-headers');
    kernel.remove('fl_ct', key);
    t.deepEqual(out.trimEnd().split(/ {3,}/u).slice(1, 8), [
      'forward', 'TCP', '203.0.113.7:40000', '198.51.100.10:80', '10.64.1.21:8080', '-', 'open',
    ]);
    t.regex(out, / 10[0-9]s\n$/u);
  });
});

// What a hand in the maps leaves behind (interface.md X11).
const gone = undefined;
const svc = encodeSvcKey({ svcId: 1 });
const noSet = new Uint8Array(64);
const noBackend = new Uint8Array(32);
const oldSet = Uint8Array.of(7, 0, 0, 0, 1, 0, 0, 0);
const spoilt: readonly (readonly [
  claim: string, map: string, key: Uint8Array, value: Uint8Array | undefined, view: string, RegExp,
])[] = [
  ['a removed service record', 'fl_svc', svc, gone, 'lb list', /service id 1 missing/u],
  ['a wiped set', 'fl_set', cell(1), noSet, 'bpf lb list', /set id 1 missing/u],
  ['an old set', 'fl_svc', svc, oldSet, 'lb list', /set id 1 is generation 1 of service 1, not generation 7/u],
  ['a wiped backend', 'fl_backend', cell(2), noBackend, 'lb list', /endpoint id 2 missing/u],
  ['a wiped backend', 'fl_backend', cell(2), noBackend, 'lb list --members', /endpoint id 2 missing/u],
  ['a wiped backend', 'fl_backend', cell(2), noBackend, 'lb maglev 1', /endpoint id 2 missing/u],
  ['a removed member', 'fl_member', encodeMemberKey({ svcId: 1, backendId: 3 }), gone, 'lb list', /endpoint id 3 is no cluster member/u],
];

for (const [claim, map, key, value, view, row] of spoilt) {
  test(`X11: ${claim} is found by ${view}`, async (t) => {
    await stopped(async ({ kernel, run }) => {
      const before = kernel.lookup(map, key)!;
      if (value === undefined) kernel.remove(map, key);
      else kernel.update(map, { key, value }, 'any');
      const { exitCode, out, err } = await run(...view.split(' '));
      kernel.update(map, { key, value: before }, 'any');
      t.is(exitCode, 1);
      t.regex(out, row);
      t.regex(err, /^warning: node-1\.example: /u);
    });
  });
}

test('fill is told against the sizes of this node', async (t) => {
  await stopped(async ({ folder }) => {
    const pinned = openPinnedMaps(addon, { node: 'node-1.example', folder });
    if (!pinned.ok) return t.fail(pinned.error.text);
    const fills = mapFills(pinned.value.maps, pinned.value.limits);
    pinned.value.close();
    const shownOf = (map: string): unknown => fills.find((fill) => fill.map === map);
    t.deepEqual(shownOf('fl_front'), { map: 'fl_front', entries: 4, limit: 131_072 });
    t.deepEqual(shownOf('fl_ct'), { map: 'fl_ct', entries: 0, limit: 64 });
  });
  await stopped(async ({ run }) => {
    const { out } = await run('lb', 'maps');
    t.regex(out, /^NODE +MAP +ENTRIES +LIMIT +FILL\n/u);
    t.regex(out, /^node-1\.example +fl_ct +0 +64 +0\.0 %$/mu);
    t.regex(out, /fl_front +4 +131072 +0\.0 %$/mu);
  });
});

test('a pin that is missing and maps of another layout are unreachable, and said', async (t) => {
  await Place.with(async (place) => {
    const { folder, run } = open(place);
    unlinkSync(join(folder, 'fl_member'));
    const missing = await run('lb', 'list');
    t.deepEqual([missing.exitCode, missing.out], [3, '']);
    t.regex(missing.err, /^fairlead: fl_member is not pinned in .*: restart the agent\n$/u);
  });
  await Place.with(async (place) => {
    const pins = join(place.bpffs(), 'fairlead');
    mkdirSync(join(pins, 'n-a', 'v0123'), { recursive: true });
    const { exitCode, err } = await fairlead(['lb', 'list', '--pins', pins]);
    t.is(exitCode, 3);
    t.regex(err, /^fairlead: the maps of n-a are of layout v0123; this build reads v[0-9a-f]+: /u);
  });
});

const wanted = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  clusterIP: 10.200.0.10
  clusterIPs: [10.200.0.10]
  externalIPs: [192.0.2.250]
  ports: [{name: web, port: 80, nodePort: 30080}]
status: {loadBalancer: {ingress: [{ip: 198.51.100.10}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: web, port: 8080}]
endpoints:
- {addresses: [10.64.1.21], nodeName: node-1.example}
- {addresses: [10.64.2.21], nodeName: n-b}
- {addresses: [10.64.3.21], nodeName: n-c}
`;

test('X11: lb list --check finds a deleted row while no agent runs', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-wanted-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'wanted.yaml'), wanted);
  await stopped(async ({ kernel, run }) => {
    const check = ['lb', 'list', '--check', '-f', folder, '--no-headers'];
    const sound = await run(...check);
    t.deepEqual([sound.exitCode, sound.out], [0, '']);
    const key = encodeFrontKey({ addr: ipBytes16(ip('198.51.100.10')), port: 80, proto: 6 });
    const value = kernel.lookup('fl_front', key)!;
    t.true(kernel.remove('fl_front', key).ok);
    const { exitCode, out } = await run(...check);
    kernel.update('fl_front', { key, value }, 'any');
    t.is(exitCode, 1);
    const row = /^node-1\.example +missing +198\.51\.100\.10:80\/TCP +the LoadBalancer front has/u;
    t.regex(out, row);
    t.is(out.split('\n').length, 2);
  });
});
