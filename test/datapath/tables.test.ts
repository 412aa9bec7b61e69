import test from 'ava';
import { DatapathMemo } from '../../bpf/datapath/memo.ts';
import {
  decodeBackend, decodeSet, decodeSvc, type Set as SetRow,
} from '../../bpf/layout.gen.ts';
import { ipFromBytes } from '../../lb/ip.ts';
import { serviceKey, type Service } from '../../lb/model.ts';
import { endpoint, everyEndpoint, meta, nameOf, service, slice } from './fixture.ts';
import { idsOf } from './mapwalk.ts';
import { MapRig } from './maprig.ts';

const maglev = { algorithm: 'maglev' } as const;

function setOf(rig: MapRig): SetRow {
  const [record] = rig.kernel.dump('fl_svc');
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, decodeSvc(record!.value).setId, true);
  return decodeSet(rig.kernel.lookup('fl_set', key)!);
}

/** Names of the endpoints in the slots of a table, by way of `fl_lut` and `fl_backend`. */
function slots(rig: MapRig, base: number): string[] {
  const ids = idsOf(rig.reader, { base, from: 0, count: setOf(rig).maglevM });
  return ids.map((id) => {
    const row = rig.kernel.lookup('fl_backend', Uint8Array.of(id, 0, 0, 0))!;
    return nameOf(ipFromBytes(decodeBackend(row).addr));
  });
}

test('datapath V66: the slots of the flow and of the client are c1 and b1 in the map too', (t) => {
  const rig = new MapRig({ options: maglev }).load().start().run();
  const table = slots(rig, setOf(rig).maglevCluster);
  t.is(table.length, 16_381);
  t.deepEqual([table[2_409], table[7_133]], ['c1', 'b1']);
});

test('datapath V67: 13 slots in the map, and without b1', (t) => {
  const rig = new MapRig({ options: { ...maglev, maglevTableSize: 13 } }).load().start().run();
  const text = (): string => slots(rig, setOf(rig).maglevCluster).map((name) => name[0]).join(' ');
  t.is(text(), 'b c a c a c b b a a c b a');
  rig.setSlices([slice([everyEndpoint[0]!, everyEndpoint[2]!])]);
  rig.run();
  t.is(text(), 'a c a c c a c c a a c a a');
});

const small = { ...maglev, maglevTableSize: 251 };

test('a local table is built only where a policy asks for it, and shared where it is the same', (t) => {
  const rig = new MapRig({ options: small }).load().start().run();
  t.is(setOf(rig).maglevLocal, 0);
  rig.setServices([service({ externalTrafficPolicy: 'Local' })]);
  rig.run();
  const both = setOf(rig);
  t.true(both.maglevLocal > 0 && both.maglevLocal !== both.maglevCluster);
  t.deepEqual([...new Set(slots(rig, both.maglevLocal))], ['a1']);
  rig.setSlices([slice([endpoint('a1')])]);
  rig.run();
  t.is(setOf(rig).maglevLocal, setOf(rig).maglevCluster);
});

test('a change that leaves the endpoints alone keeps list and tables where they are', (t) => {
  const rig = new MapRig({ options: small }).load().start().run();
  const before = setOf(rig);
  rig.writes.length = 0;
  rig.setServices([service({ affinitySeconds: 10 })]);
  rig.run();
  const after = setOf(rig);
  t.deepEqual(rig.writes.map(({ map }) => map), ['fl_set', 'fl_svc']);
  t.deepEqual([after.listBase, after.maglevCluster], [before.listBase, before.maglevCluster]);
  t.is(after.gen, before.gen + 1);
});

test('tables are made a few a round, so that no round is long', (t) => {
  const services: Service[] = Array.from({ length: 30 }, (_, at) => service({
    meta: meta(`s${at}`), key: serviceKey('default', `s${at}`), externalIps: [], ingress: [],
    clusterIps: [`10.200.1.${at}`],
    ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 0 }],
  }));
  const slices = services.map(
    (of) => slice(everyEndpoint, { meta: meta(of.meta.name), service: of.key }),
  );
  const rig = new MapRig({ options: small }).load(services, slices).start().run();
  const commits: number[] = [];
  let inRow = 0;
  for (const { map } of rig.writes) {
    if (map === 'fl_svc') inRow += 1;
    else if (inRow > 0) {
      commits.push(inRow);
      inRow = 0;
    }
  }
  t.true(Math.max(...commits) <= 4, `${commits.join(' ')}`);
  t.is(rig.kernel.dump('fl_svc').length, 30);
});

test('nodes that list the same endpoints in another order share one table', (t) => {
  const memo = new DatapathMemo('one');
  const images = [1, 2, 3].map((last) => ({
    addr: Uint8Array.of(...new Uint8Array(15), last), port: 80, proto: 6, flags: last & 1,
    key: `${String.fromCharCode(last)}-${String.fromCharCode(last & 1)}`,
  }));
  const parameters = { size: 251, seed: 1 };
  const here = memo.maglev(images, parameters);
  const there = memo.maglev(images.toReversed().map((of) => ({ ...of, flags: 0 })), parameters);
  t.is(here.slots, there.slots);
  t.not(memo.maglev(images, { ...parameters, seed: 2 }).slots, here.slots);
  const chosen = (table: typeof here, list: typeof images, slot: number): number =>
    list[table.ranks[table.slots[slot]!]!]!.addr[15]!;
  for (const slot of [0, 100, 250]) {
    t.is(chosen(here, images, slot), chosen(there, images.toReversed(), slot));
  }
});
