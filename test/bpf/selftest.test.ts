import anyTest from 'ava';
import { runSelfTestPackets } from '../../bpf/selftestrun.real.ts';
import { selfTestFront, selfTestRows } from '../../bpf/selftest.ts';
import { decodeBackend, encodeBackend } from '../../bpf/layout.gen.ts';
import { datapathDefaults, type DatapathOptions } from '../../lb/datapathoptions.ts';
import { MapRig, oracle } from '../datapath/maprig.ts';
import { service as vectorRows } from '../vectors/fixture.ts';
import type { Rig } from '../kernel/rig.ts';
import { KernelRun, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

const listener = { ip: '127.169.77.2', port: 1 } as const;
const { service, slice } = selfTestRows(listener, 'n-a');

const nothing = {
  ...vectorRows(), fronts: [], services: [], sets: [], cells: [], backends: [], members: [],
  ranges: [], addresses: [], nets: [],
};

/** The programs over maps that hold the Service of the self-test, by the reconciler. */
function programmed(options: Partial<DatapathOptions> = {}): Rig {
  const externalClusterIp = options.externalClusterIp === false ? 0 : 1;
  const maps = kernel!.begin({
    name: 'self-test', rows: nothing, steps: [], options: { externalClusterIp },
  });
  const devices = { facts: () => undefined, onChange: () => undefined };
  const rig = new MapRig({ options, more: { kernel: maps.kernel, devices } });
  rig.load([service], [slice]).start().run();
  return maps;
}

function faultOf(maps: Rig, { externalClusterIp } = datapathDefaults): string | undefined {
  const { addon, object } = maps;
  return runSelfTestPackets({ addon, object, externalClusterIp }, listener);
}

/** A backend row with another port, as somebody else might write it. */
function misplaced(maps: Rig): void {
  const map = maps.map('fl_backend');
  const row = map.dump().find(({ value }) => decodeBackend(value).port === listener.port);
  const backend = decodeBackend(row!.value);
  map.update({ key: row!.key, value: encodeBackend({ ...backend, port: 2 }) }, 'any');
}

test('the oracle sends pods and the outside to the listener, as the self-test expects', (t) => {
  const given = { services: [service], slices: [slice] };
  for (const who of ['P', 'X']) {
    t.regex(oracle(`${who} → ${selfTestFront.ip}:${selfTestFront.port}`, given),
      /^127\.169\.77\.2:1(?: M)?$/u);
  }
});

test('sound maps pass, again and again, and keep no flow of the self-test', (t) => {
  const maps = programmed();
  t.deepEqual([faultOf(maps), faultOf(maps)], [undefined, undefined]);
  t.deepEqual(maps.dump('fl_ct'), []);
});

test('a Service that is closed to the outside is asked from inside only', (t) => {
  t.is(faultOf(programmed({ externalClusterIp: false }), {
    ...datapathDefaults, externalClusterIp: false,
  }), undefined);
});

test('a front that went away is told with the program that lacks it', (t) => {
  const maps = programmed();
  for (const { key } of maps.map('fl_addr').dump()) maps.map('fl_addr').remove(key);
  t.regex(faultOf(maps) ?? '', /^program fl_from_pod gives verdict -1, untranslated, /u);
});

test('a backend that somebody rewrote is told as another translation', (t) => {
  const maps = programmed();
  misplaced(maps);
  t.regex(faultOf(maps) ?? '', /^program fl_from_pod gives verdict -1, translated otherwise, /u);
});
