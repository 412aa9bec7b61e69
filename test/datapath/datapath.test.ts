import test from 'ava';
import fc from 'fast-check';
import { asciiBytes, asciiText, viewMap, nodeMap } from '../../bpf/codec.ts';
import { ServicePortMemo } from '../../bpf/datapath.ts';
import { ip } from '../../lb/ip.ts';
import { serviceKey, type EndpointSlice, type Service } from '../../lb/model.ts';
import {
  endpoint, everyEndpoint, ingressEntry, meta, node, nodes, service, slice, vip,
} from './fixture.ts';
import { Rig } from './rig.ts';

/** Rows of a node as text, sorted: what must be equal for equal wishes. */
function rows(rig: Rig, name = 'n-a'): string[] {
  const { kernel } = rig.node(name);
  return [viewMap, nodeMap].flatMap((map) => kernel.dump(map))
    .map(({ key, value }) => `${asciiText(key)} ${asciiText(value)}`).sort();
}

/** Counts the writes that a node's view map takes. */
function writes(rig: Rig, name = 'n-a'): () => number {
  const map = rig.node(name).kernel.map(viewMap)!;
  const before = map.revision;
  return () => map.revision - before;
}

function second(more: Partial<Service> = {}): Service {
  return service({
    meta: meta('t'), key: serviceKey('default', 't'), clusterIps: ['10.200.0.11'], externalIps: [],
    ingress: [ingressEntry('198.51.100.11')], ports: [
      { name: 'web', protocol: 'TCP', port: 80, nodePort: 30081 },
    ], ...more,
  });
}

test('nothing is written before every listing is complete, and the datapath says what it waits for', (t) => {
  const rig = new Rig();
  const count = writes(rig);
  const { datapath } = rig.datapath('n-a');
  rig.tables.services.upsert('default/s', service());
  rig.tables.services.markComplete();
  rig.run(1);
  t.is(count(), 0);
  t.false(datapath.ready());
  t.deepEqual(
    datapath.pending(),
    ['datapath waits for the listing of slices', 'datapath waits for the listing of nodes'],
  );
  rig.load();
  rig.run(1);
  t.true(datapath.ready());
  t.is(count(), 1);
  t.deepEqual(datapath.pending(), []);
});

test('fronts are those that the kernel has rows for, and their change is told', (t) => {
  const rig = new Rig();
  const { datapath } = rig.datapath('n-a');
  let told = 0;
  datapath.onChange(() => { told += 1; });
  t.false(datapath.hasFront(ip(vip)));
  rig.load();
  rig.run(1);
  t.true(datapath.hasFront(ip(vip)));
  t.is(told, 1);
  rig.tables.services.upsert('default/s', service({ ingress: [ingressEntry('198.51.100.99')] }));
  rig.run(1);
  t.false(datapath.hasFront(ip(vip)));
  t.true(datapath.hasFront(ip('198.51.100.99')));
  t.is(told, 2);
  rig.tables.services.delete('default/s');
  rig.run(1);
  t.false(datapath.hasFront(ip('198.51.100.99')));
});

test('datapath V76 in rows: one endpoint more is one write, whatever the number of Services', (t) => {
  const rig = new Rig();
  const others = Array.from({ length: 200 }, (_, index) => second({
    meta: meta(`o${index}`), key: serviceKey('default', `o${index}`), clusterIps: [
      `10.200.1.${index}`,
    ], ingress: [],
  }));
  rig.datapath('n-a');
  rig.load([service(), ...others], [slice(everyEndpoint.slice(0, 2))]);
  rig.run(1);
  const count = writes(rig);
  rig.tables.slices.upsert('default/s-1', slice(everyEndpoint));
  rig.run(1);
  t.is(count(), 1);
});

test('a restart adopts what it finds and writes nothing when nothing changed', (t) => {
  const rig = new Rig();
  rig.load([service(), second()]);
  const first = rig.datapath('n-a');
  rig.run(1);
  first.process.crash();
  const count = writes(rig);
  const before = rows(rig);
  const { datapath } = rig.datapath('n-a', new ServicePortMemo());
  rig.run(1);
  t.true(datapath.ready());
  t.is(count(), 0);
  t.deepEqual(rows(rig), before);
  t.true(datapath.hasFront(ip(vip)));
});

test('rows of Services that went away meanwhile are pruned after the listings, and that is noted', (t) => {
  const rig = new Rig();
  rig.load([service(), second()]);
  rig.datapath('n-a').process.crash();
  rig.run(1);
  const first = rig.datapath('n-a');
  rig.run(1);
  first.process.crash();
  t.is(rows(rig).length, 3);
  rig.tables.services.delete('default/t');
  rig.datapath('n-a');
  rig.run(1);
  t.deepEqual(rows(rig).map((row) => row.slice(0, 10)), ['default/s:', 'node {"add']);
  t.is(rig.world.marks.get('kernel.restorePruned'), 1);
});

test('a process that dies between two writes is finished by the next one', (t) => {
  const whole = new Rig();
  whole.load([service(), second()]);
  whole.datapath('n-a');
  whole.run(1);
  for (let operation = 0; operation < 6; operation += 1) {
    const rig = new Rig();
    rig.load([service(), second()]);
    const { process } = rig.datapath('n-a');
    process.crashAt(operation);
    rig.run(1);
    t.false(rig.datapath('n-a').process.fault !== undefined);
    rig.run(1);
    t.deepEqual(rows(rig), rows(whole));
  }
});

test('a full map leaves the old row serving, names the service port, and recovers by itself', (t) => {
  const rig = new Rig();
  rig.load();
  const { datapath } = rig.datapath('n-a');
  rig.run(1);
  const { kernel } = rig.node('n-a');
  kernel.setMapLimit(viewMap, 1);
  rig.tables.services.upsert('default/t', second());
  rig.run(1);
  t.true(datapath.hasFront(ip(vip)));
  t.false(datapath.hasFront(ip('198.51.100.11')));
  t.deepEqual(
    datapath.faults, [{ servicePort: 'default/t:web/TCP/IPv4', error: { kind: 'E2BIG' } }],
  );
  t.deepEqual(datapath.pending(), ['datapath row default/t:web/TCP/IPv4 is not written']);
  t.is(rig.world.marks.get('kernel.mapFull'), 1);
  kernel.setMapLimit(viewMap, undefined);
  rig.run(40);
  t.true(datapath.hasFront(ip('198.51.100.11')));
  t.deepEqual(datapath.faults, []);
  t.is(rig.world.marks.get('kernel.mapFullRecovered'), 1);
});

test('writes that fail at random converge all the same', (t) => {
  const rig = new Rig();
  const { kernel } = rig.node('n-a');
  kernel.setMapError(viewMap, { ratioPpm: 500_000, errno: 'EIO' });
  rig.load([service(), second()]);
  const { datapath } = rig.datapath('n-a');
  rig.run(120);
  t.deepEqual(datapath.pending(), []);
  t.true(datapath.hasFront(ip('198.51.100.11')));
});

test('a moved node selects other endpoints, and only Services that hint at zones are rewritten', (t) => {
  const rig = new Rig();
  const hinted = ['z1', 'z2', 'z1'].map(
    (zone, index) => ({ ...everyEndpoint[index]!, hintZones: [zone] }),
  );
  rig.load(
    [service(), second()],
    [
      slice(hinted),
      slice([endpoint('a1')], { meta: meta('t-1'), service: serviceKey('default', 't') }),
    ],
  );
  rig.datapath('n-a');
  rig.run(1);
  const count = writes(rig);
  rig.tables.nodes.upsert(
    'n-a',
    node('n-a', ['192.0.2.11', '192.0.2.111'], { labels: { 'topology.kubernetes.io/zone': 'z2' } }),
  );
  rig.run(1);
  t.is(count(), 1);
});

test('a slice that moves to another Service changes both', (t) => {
  const rig = new Rig();
  rig.load([service(), second()]);
  rig.datapath('n-a');
  rig.run(1);
  t.true(rows(rig).some((row) => row.startsWith('default/s:') && row.includes('10.64.1.21')));
  rig.tables.slices.upsert(
    'default/s-1', slice(everyEndpoint, { service: serviceKey('default', 't') }),
  );
  rig.run(1);
  t.true(rows(rig).some((row) => row.startsWith('default/t:') && row.includes('10.64.1.21')));
  t.false(rows(rig).some((row) => row.startsWith('default/s:') && row.includes('10.64.1.21')));
});

test('a Service of another port list leaves no row of the old ones', (t) => {
  const rig = new Rig();
  rig.load();
  rig.datapath('n-a');
  rig.run(1);
  rig.tables.services.upsert(
    'default/s', service({ ports: [{ name: 'tls', protocol: 'TCP', port: 443, nodePort: 0 }] }),
  );
  rig.run(1);
  t.deepEqual(rows(rig).map((row) => row.split(' ')[0]), ['default/s:tls/TCP/IPv4', 'node']);
  rig.tables.services.upsert('default/s', service({ type: 'ExternalName' }));
  rig.run(1);
  t.deepEqual(rows(rig).map((row) => row.split(' ')[0]), ['node']);
});

test('a memo that other nodes share changes no row', (t) => {
  const rig = new Rig();
  rig.load();
  for (const name of ['n-a', 'n-b', 'n-c']) rig.datapath(name);
  const alone = new Rig();
  alone.load();
  for (const name of ['n-a', 'n-b', 'n-c']) alone.datapath(name, new ServicePortMemo());
  rig.run(1);
  alone.run(1);
  for (const name of ['n-a', 'n-b', 'n-c']) t.deepEqual(rows(rig, name), rows(alone, name));
  t.notDeepEqual(rows(rig, 'n-a'), rows(rig, 'n-b'));
});

test('an audit finds what a stranger did to the rows, repairs it and counts it', (t) => {
  const rig = new Rig();
  rig.load([service(), second()]);
  const { datapath } = rig.datapath('n-a');
  rig.run(301);
  t.is(datapath.auditRepairs, 0);
  const wanted = rows(rig);
  const { kernel } = rig.node('n-a');
  kernel.remove(viewMap, asciiBytes('default/s:web/TCP/IPv4'));
  kernel.update(viewMap, { key: asciiBytes('x/y:z'), value: asciiBytes('junk') }, 'any');
  kernel.update(
    viewMap, { key: asciiBytes('default/t:web/TCP/IPv4'), value: asciiBytes('{}') }, 'any',
  );
  rig.run(300);
  t.deepEqual(rows(rig), wanted);
  t.is(datapath.auditRepairs, 3);
  t.true(datapath.hasFront(ip(vip)));
  t.is(rig.world.marks.get('datapath.auditRepaired'), 1);
  rig.run(300);
  t.is(datapath.auditRepairs, 3);
});

interface Change {
  readonly table: 'services' | 'slices' | 'nodes';
  readonly key: string;
  readonly value: Service | EndpointSlice | (typeof nodes)[number] | undefined;
}

const change: fc.Arbitrary<Change> = fc.constantFrom<Change>(
  { table: 'services', key: 'default/s', value: service() },
  { table: 'services', key: 'default/s', value: service({ externalTrafficPolicy: 'Local' }) },
  { table: 'services', key: 'default/s', value: undefined },
  { table: 'services', key: 'default/t', value: second() },
  { table: 'services', key: 'default/t', value: undefined },
  { table: 'slices', key: 'default/s-1', value: slice(everyEndpoint) },
  { table: 'slices', key: 'default/s-1', value: undefined },
  { table: 'slices', key: 'default/s-2', value: slice([endpoint('b1', { ready: false })], { meta: meta('s-2') }) },
  { table: 'slices', key: 'default/s-2', value: slice([endpoint('c1')], { meta: meta('s-2'), service: serviceKey('default', 't') }) },
  { table: 'nodes', key: 'n-a', value: nodes[0]! },
  { table: 'nodes', key: 'n-a', value: undefined },
);

test('the order and pace of events does not change the final rows', (t) => {
  fc.assert(fc.property(fc.array(change, { maxLength: 12 }), fc.array(
    fc.boolean(), { maxLength: 12 },
  ), (changes, pauses) => {
    const rig = new Rig();
    rig.datapath('n-a');
    for (const table of Object.values(rig.tables)) table.markComplete();
    for (const [index, { table, key, value }] of changes.entries()) {
      if (value === undefined) rig.tables[table].delete(key);
      else (rig.tables[table] as { upsert(key: string, value: unknown): void }).upsert(key, value);
      if (pauses[index] === true) rig.run(1);
    }
    rig.run(1);
    const fresh = new Rig();
    for (const name of ['services', 'slices', 'nodes'] as const) {
      for (const key of rig.tables[name].keys()) {
        (fresh.tables[name] as { upsert(key: string, value: unknown): void }).upsert(
          key, rig.tables[name].get(key),
        );
      }
      fresh.tables[name].markComplete();
    }
    fresh.datapath('n-a');
    fresh.run(1);
    t.deepEqual(rows(rig), rows(fresh));
  }), { seed: 4, numRuns: 60 });
});
