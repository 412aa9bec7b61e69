import test from 'ava';
import { createDecoder, type Decode } from '../../kube/decode.ts';
import { feedTable, type FaultyObject } from '../../kube/feed.ts';
import { resources } from '../../kube/resource.ts';
import { feedRows } from '../../kube/rows.ts';
import type { Node } from '../../lb/model.ts';
import type { ObjectEvent } from '../../lb/ports.ts';
import { err } from '../../lb/result.ts';
import { Table } from '../../lb/table.ts';
import {
  MachineClock, Process, processClock, processJournal, processRandom,
} from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import { ScriptedKube } from './scriptedkube.ts';

const second = 1_000_000;

function ground() {
  const world = new World({ seed: 1n });
  const process = new Process(world, 'client', new MachineClock(world));
  const kube = new ScriptedKube(world);
  const ports = {
    kube,
    clock: processClock(process),
    random: processRandom(process, 'client'),
    journal: processJournal(process),
  };
  return { world, kube, ports, table: new Table<Node>('nodes') };
}

const decoder = createDecoder();
/** Refuses what is marked, as an object without usable metadata would be. */
const decode: Decode<Node> = (object) =>
  object['broken'] === true ? err([{ path: 'broken', message: 'is true' }]) : decoder.node(object);

function scene() {
  const { world, kube, ports, table } = ground();
  const faulty: FaultyObject[] = [];
  const feed = feedTable(ports, {
    resource: resources.nodes,
    table,
    decode,
    key: ({ meta }) => meta.name,
    onFault: (fault) => faulty.push(fault),
  });
  feed.start();
  world.run(second);
  const reported = () =>
    faulty.map(({ key, refused, faults }) => `${key} ${refused} ${faults[0]?.path}`);
  return { world, kube, table, reported };
}

test('an object that becomes unreadable keeps its last good row until it is gone', (t) => {
  const { world, kube, table, reported } = scene();
  kube.put('a', 'u1', { spec: { unschedulable: true } });
  world.run(2 * second);
  kube.put('a', 'u1', { broken: true });
  world.run(3 * second);
  t.is(table.get('a')?.unschedulable, true);
  t.deepEqual(reported(), ['a true broken']);
  kube.put('a', 'u1');
  world.run(4 * second);
  t.is(table.get('a')?.unschedulable, false);
  kube.put('a', 'u1', { broken: true });
  kube.drop('a');
  world.run(5 * second);
  t.is(table.size, 0);
});

test('an unreadable object of a new uid takes the row of the old one away', (t) => {
  const { world, kube, table } = scene();
  kube.put('a', 'u1');
  world.run(2 * second);
  kube.put('a', 'u2', { broken: true });
  world.run(3 * second);
  t.is(table.size, 0);
});

test('an object that was never readable has no row, and the table is complete anyway', (t) => {
  const { world, kube, table, reported } = scene();
  kube.put('a', 'u1', { broken: true });
  world.run(2 * second);
  t.true(table.complete);
  t.is(table.size, 0);
  t.deepEqual(reported(), ['a true broken']);
});

test('a row with unset fields is a row, and its faults are reported once a version', (t) => {
  const { world, kube, table, reported } = scene();
  kube.put('a', 'u1', { spec: { unschedulable: 'yes' } });
  world.run(200 * second);
  t.is(table.get('a')?.unschedulable, false);
  t.deepEqual(reported(), ['a false spec.unschedulable']);
});

test('rows tell their faults by an Event that names the fields and what stays in force', (t) => {
  const { world, kube, ports, table } = ground();
  const emitted: ObjectEvent[] = [];
  const events = { emit: (event: ObjectEvent) => emitted.push(event) };
  feedRows(ports, { resource: resources.nodes, table, decode, events }).start();
  kube.put('a', 'u1', { spec: { unschedulable: 'yes', taints: 1, podCIDRs: 2, podCIDR: 3 } });
  kube.put('b', 'u2', { broken: true });
  world.run(second);
  t.deepEqual(emitted.map(({ object, type, reason }) => [object.name, object.uid, type, reason]), [
    ['a', 'u1', 'Warning', 'InvalidObject'],
    ['b', 'u2', 'Warning', 'InvalidObject'],
  ]);
  const first = emitted[0]?.message ?? '';
  t.regex(first, /^spec\.podCIDRs: .*; and 1 more; these fields count as unset$/u);
  t.is(emitted[1]?.message, 'broken: is true; the last good version stays in force');
});

test('a version that says nothing new to its consumer leaves the row as it is', (t) => {
  const { world, kube, ports, table } = ground();
  feedRows(ports, {
    resource: resources.nodes, table, decode,
    same: (before, after) => before.unschedulable === after.unschedulable,
  }).start();
  kube.put('a', 'u1');
  world.run(second);
  const first = table.get('a');
  kube.put('a', 'u1', { metadata: { labels: { new: 'yes' } } });
  world.run(2 * second);
  t.is(table.get('a'), first);
  t.is(table.revision, 1);
  kube.put('a', 'u1', { spec: { unschedulable: true } });
  world.run(3 * second);
  t.is(table.get('a')?.unschedulable, true);
  // Another object of that name is never the same, whatever it says.
  kube.put('a', 'u2', { spec: { unschedulable: true } });
  world.run(4 * second);
  t.is(table.get('a')?.meta.uid, 'u2');
});
