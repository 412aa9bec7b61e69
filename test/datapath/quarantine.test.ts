import test from 'ava';
import fc from 'fast-check';
import { decodeSet, decodeSvc } from '../../bpf/layout.gen.ts';
import { endpoint, everyEndpoint, service, slice } from './fixture.ts';
import { idsOf, rowsOf } from './mapwalk.ts';
import { MapRig } from './maprig.ts';
import { randomCluster } from './randomcluster.ts';

const cells = { fl_set: 2_000_000, fl_lut: 2_000_000, fl_backend: 120_000_000 } as const;
type CellMap = keyof typeof cells;

/** Cells of ARRAY maps that a packet may read now, as `map index`. */
function reachable(rig: MapRig): Set<string> {
  const found = new Set<string>();
  for (const { value } of rig.reader.entries('fl_svc')) {
    const { setId } = decodeSvc(value);
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, setId, true);
    const set = decodeSet(rig.reader.lookup('fl_set', key)!);
    found.add(`fl_set ${setId}`);
    const listed = Math.max(set.localN, set.clusterOff + set.clusterN);
    for (let at = 0; at < listed; at += 16) found.add(`fl_lut ${set.listBase + (at >> 4)}`);
    for (const id of idsOf(rig.reader, { base: set.listBase, from: 0, count: listed })) {
      found.add(`fl_backend ${id}`);
    }
    for (const base of [set.maglevLocal, set.maglevCluster]) {
      if (base === 0) continue;
      for (let at = 0; at < set.maglevM; at += 16) found.add(`fl_lut ${base + (at >> 4)}`);
    }
  }
  return found;
}

/** Notes each cell that is changed while a packet reads it, or may have within its quarantine. */
function guard(rig: MapRig, faults: string[]): void {
  const lastSeen = new Map<string, number>();
  const before = new Map<string, string>();
  const look = (): void => {
    for (const [map, quarantine] of Object.entries(cells)) {
      for (const [key, value] of rowsOf(rig.reader, map as CellMap)) {
        const index = key.charCodeAt(0) + (key.charCodeAt(1) << 8) + (key.charCodeAt(2) << 16);
        const name = `${map} ${index}`;
        const old = before.get(name);
        const seen = lastSeen.get(name);
        const waited = seen === undefined || rig.world.now - seen >= quarantine;
        if (old !== undefined && old !== value && !waited) faults.push(name);
        before.set(name, value);
      }
    }
    for (const name of reachable(rig)) lastSeen.set(name, rig.world.now);
  };
  rig.afterWrite = look;
}

test('nothing that a packet may still read is ever modified', (t) => {
  const history = fc.array(
    fc.record({ cluster: randomCluster, waitMs: fc.constantFrom(60, 1_000, 2_100, 121_000) }),
    { minLength: 2, maxLength: 5 },
  );
  fc.assert(fc.property(history, (steps) => {
    const faults: string[] = [];
    const rig = new MapRig({ options: { maglevTableSize: 251 } }).load([], []).start().run(0.1);
    guard(rig, faults);
    for (const { cluster, waitMs } of steps) {
      rig.setServices(cluster.services);
      rig.setSlices(cluster.slices);
      rig.run(waitMs / 1_000);
    }
    t.deepEqual(faults, []);
  }), { numRuns: 20 });
});

test('a set goes round in its quarantine and is used again after it', (t) => {
  const rig = new MapRig().load().start().run();
  const sets = (): number => rowsOf(rig.reader, 'fl_set').size;
  for (let round = 0; round < 10; round += 1) {
    rig.setSlices([slice(everyEndpoint.slice(0, 1 + (round & 1)))]);
    rig.run(0.1);
  }
  t.is(sets(), 11, 'ten generations within two seconds');
  for (let round = 0; round < 10; round += 1) {
    rig.setSlices([slice(everyEndpoint.slice(0, 1 + (round & 1)))]);
    rig.run(3);
  }
  t.is(sets(), 12, 'the first of them came before any of the ten was free');
});

test('a backend that returns within two minutes keeps its id, and a later one takes it', (t) => {
  const rig = new MapRig().load([service()], [slice([endpoint('b1')])]).start().run();
  const backends = (): number => rowsOf(rig.reader, 'fl_backend').size;
  rig.setSlices([slice([endpoint('c1')])]);
  rig.run(60);
  const { length } = rig.writes;
  rig.setSlices([slice([endpoint('b1')])]);
  rig.run(60);
  t.false(rig.writes.slice(length).some(({ map }) => map === 'fl_backend'));
  t.is(backends(), 2);
  rig.run(70);
  rig.setSlices([slice([endpoint('10.64.2.77', { nodeName: 'n-b' })])]);
  rig.run();
  t.is(backends(), 2, 'the row of c1 is used again');
});
