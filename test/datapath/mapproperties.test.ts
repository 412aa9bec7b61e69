import test from 'ava';
import fc from 'fast-check';
import { MapRig, oracle } from './maprig.ts';
import { rowsOf } from './mapwalk.ts';
import { randomCluster, randomProbes, type RandomCluster } from './randomcluster.ts';

const options = { maglevTableSize: 251 };
const runs = { numRuns: 60 };

function load(rig: MapRig, { services, slices }: RandomCluster): void {
  rig.setServices(services);
  rig.setSlices(slices);
}

function answers(rig: MapRig): string[] {
  return randomProbes.map((probe) => `${probe}: ${rig.ask(probe)}`);
}

function expected(of: RandomCluster, nodeName: string): string[] {
  return randomProbes.map((probe) => `${probe}: ${oracle(probe, { ...of, options, nodeName })}`);
}

test('the maps of any cluster and node answer as the oracle does', (t) => {
  fc.assert(fc.property(randomCluster, fc.constantFrom('n-a', 'n-d', 'n-z'), (of, nodeName) => {
    const rig = new MapRig({ options, nodeName }).load(of.services, of.slices).start().run(0.5);
    t.deepEqual(answers(rig), expected(of, nodeName));
  }), runs);
});

const broken = /stale|noBackend|noMember|wrongSlot|kind/;

test('no walk ever dangles, whatever follows what, and the end is as the oracle says', (t) => {
  const history = fc.array(
    fc.record({ cluster: randomCluster, waitMs: fc.constantFrom(0, 20, 60, 3_000) }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(fc.property(history, (steps) => {
    const rig = new MapRig({ options }).load([], []).start().run(0.1);
    rig.afterWrite = () => {
      t.deepEqual(answers(rig).filter((answer) => broken.test(answer)), []);
    };
    for (const { cluster, waitMs } of steps) {
      load(rig, cluster);
      rig.run(waitMs / 1_000);
    }
    rig.run(0.2);
    t.deepEqual(answers(rig), expected(steps.at(-1)!.cluster, 'n-a'));
    t.deepEqual([rig.datapath.pending(), rig.datapath.faults], [[], []]);
  }), { numRuns: 25 });
});

test('a restart in any cluster adopts all and writes nothing', (t) => {
  fc.assert(fc.property(randomCluster, randomCluster, (first, second) => {
    const rig = new MapRig({ options }).load(first.services, first.slices).start().run(0.5);
    load(rig, second);
    rig.run(4);
    const { length } = rig.writes;
    rig.restart().load(second.services, second.slices).start().run(4);
    t.deepEqual(rig.writes.slice(length), []);
    t.deepEqual(answers(rig), expected(second, 'n-a'));
  }), { numRuns: 40 });
});

test('a change during downtime is made up for without a dangling walk', (t) => {
  fc.assert(fc.property(randomCluster, randomCluster, fc.nat(40), (first, second, operation) => {
    const rig = new MapRig({ options }).load(first.services, first.slices);
    rig.start();
    rig.process.crashAt(operation);
    rig.run(0.5);
    rig.afterWrite = () => {
      t.deepEqual(answers(rig).filter((answer) => broken.test(answer)), []);
    };
    rig.restart().load(second.services, second.slices).start().run(4);
    t.deepEqual(answers(rig), expected(second, 'n-a'));
  }), { numRuns: 40 });
});

test('the order of events does not change what the maps mean', (t) => {
  fc.assert(fc.property(randomCluster, fc.integer(), (of, seed) => {
    const events = [
      ...of.services.map((each) => (rig: MapRig) => rig.tables.services.upsert(each.key, each)),
      ...of.slices.map((each) => (rig: MapRig) => {
        rig.tables.slices.upsert(`default/${each.meta.name}`, each);
      }),
    ];
    const order = events.map((event, index) => ({ event, key: Math.imul(index + 1, seed | 1) }));
    order.sort((left, right) => left.key - right.key);
    const rig = new MapRig({ options }).load([], []).start().run(0.1);
    for (const { event } of order) {
      event(rig);
      rig.run(0.06);
    }
    t.deepEqual(answers(rig), expected(of, 'n-a'));
  }), { numRuns: 25 });
});

test('what is gone for good leaves no row behind', (t) => {
  fc.assert(fc.property(randomCluster, (of) => {
    const rig = new MapRig({ options }).load(of.services, of.slices).start().run(0.5);
    load(rig, { services: [], slices: [] });
    rig.run(6);
    for (const map of ['fl_front', 'fl_svc', 'fl_member', 'fl_range']) {
      t.is(rowsOf(rig.reader, map).size, 0, map);
    }
    t.is(rowsOf(rig.reader, 'fl_addr').size, 2, 'the addresses of the node');
  }), { numRuns: 25 });
});

test('writes that fail at random never leave a dangling walk, and in the end all is as wanted', (t) => {
  const maps = [
    'fl_front', 'fl_svc', 'fl_set', 'fl_lut', 'fl_backend', 'fl_member', 'fl_range', 'fl_addr',
  ];
  const history = fc.array(fc.record({
    cluster: randomCluster, map: fc.constantFrom(...maps),
    ratioPpm: fc.constantFrom(200_000, 600_000, 1_000_000), crash: fc.boolean(),
    waitMs: fc.constantFrom(20, 200, 3_000),
  }), { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(history, (steps) => {
    const rig = new MapRig({ options }).load([], []).start().run(0.1);
    // Collected, because a process that throws would end, and the test would see that instead.
    const dangling: string[] = [];
    rig.afterWrite = () => {
      dangling.push(...answers(rig).filter((answer) => broken.test(answer)));
    };
    for (const { cluster, map, ratioPpm, crash, waitMs } of steps) {
      rig.kernel.setMapError(map, { ratioPpm, errno: 'EIO' });
      if (crash) rig.restart().load(cluster.services, cluster.slices).start();
      else load(rig, cluster);
      rig.run(waitMs / 1_000);
      rig.kernel.setMapError(map, undefined);
    }
    rig.run(70);
    t.deepEqual(dangling, []);
    t.deepEqual(answers(rig), expected(steps.at(-1)!.cluster, 'n-a'));
    t.deepEqual([rig.datapath.pending(), rig.datapath.faults], [[], []]);
    t.is(rig.datapath.auditRepairs, 0);
    const { length } = rig.writes;
    rig.afterWrite = undefined;
    const last = steps.at(-1)!.cluster;
    rig.restart().load(last.services, last.slices).start().run(5);
    t.deepEqual(rig.writes.slice(length), []);
  }), { numRuns: 25 });
});
