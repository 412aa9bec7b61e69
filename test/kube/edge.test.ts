import test from 'ava';
import { createDecoder } from '../../kube/decode.ts';
import { createEventRecorder } from '../../kube/events.ts';
import { feedTable } from '../../kube/feed.ts';
import { createLeader, leaderTimingDefault } from '../../kube/leader.ts';
import type { Json, KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { createStatusPort } from '../../kube/status.ts';
import type { Condition, Pool, Service } from '../../lb/model.ts';
import { serviceKey } from '../../lb/model.ts';
import type { Result } from '../../lb/result.ts';
import type { WriteError } from '../../lb/status.ts';
import { Table } from '../../lb/table.ts';
import { createSimKube } from '../../sim/api/client.ts';
import { ApiPath } from '../../sim/api/path.ts';
import { ApiServer } from '../../sim/api/server.ts';
import {
  MachineClock, Process, processClock, processJournal, processRandom,
} from '../../sim/process.ts';
import { World } from '../../sim/world.ts';

const second = 1_000_000;

const service = (name: string, extra: Record<string, unknown> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...extra },
});

/** The real edge on the simulated API: what a component of ours sees and does. */
function scene(seed = 1n) {
  const world = new World({ seed });
  const server = new ApiServer(world, { freeze: true });
  const path = new ApiPath(world);
  const client = (name: string) => {
    const process = new Process(world, name, new MachineClock(world));
    return {
      process,
      kube: createSimKube(process, { server, path }, { user: name }),
      clock: processClock(process),
      random: processRandom(process, name),
      journal: processJournal(process),
    };
  };
  const ports = client('controller');
  const table = new Table<Service>('services');
  const feed = feedTable(ports, {
    resource: resources.services,
    table,
    decode: createDecoder().service,
    key: ({ key }) => key,
  });
  const write = (body: KubeObject) => server.handle({
    verb: 'create', resource: resources.services, namespace: 'default', body,
  }, 'u');
  const stored = (name: string) => server.get(resources.services, 'default', name);
  const patch = (name: string, body: Json) => server.handle({
    verb: 'patch', ref: { resource: resources.services, namespace: 'default', name }, body,
  }, 'u');
  const drop = (name: string) => server.handle({
    verb: 'delete', ref: { resource: resources.services, namespace: 'default', name },
  }, 'u');
  return { world, server, path, client, ports, table, feed, write, stored, patch, drop };
}

test('a table follows the API and is complete after the first list', (t) => {
  const { world, table, feed, write, drop, patch } = scene();
  write(service('a'));
  feed.start();
  t.false(table.complete);
  t.deepEqual(feed.pending(), ['services: listing for the first list']);
  world.run(second);
  t.true(table.complete);
  t.deepEqual(table.keys(), ['default/a']);
  write(service('b'));
  patch('a', { metadata: { labels: { team: 'web' } } });
  world.run(2 * second);
  t.deepEqual(table.keys(), ['default/a', 'default/b']);
  t.is(table.get('default/a')?.meta.labels['team'], 'web');
  drop('a');
  world.run(3 * second);
  t.deepEqual(table.keys(), ['default/b']);
});

test('a restart of a feed and an hour of quiet change no row', (t) => {
  const { world, server, table, feed, write } = scene();
  write(service('a'));
  feed.start();
  world.run(second);
  const { revision } = table;
  feed.relist();
  world.run(3600 * second);
  t.is(table.revision, revision);
  t.deepEqual(world.notes, []);
  const reads = server.statistics().filter(({ verb }) => verb === 'list' || verb === 'watch');
  t.true(reads.length > 0);
});

test('one that was deleted and made again under its name is another', (t) => {
  const { world, path, table, feed, write, drop } = scene();
  write(service('a'));
  feed.start();
  world.run(second);
  const cursor = table.cursor();
  const uid = cursor.take()[0]?.value?.meta.uid;
  path.dropWatches({}, 'cut');
  drop('a');
  write(service('a'));
  world.run(20 * second);
  t.not(table.get('default/a')?.meta.uid, uid);
  t.is(cursor.take().length, 1);
});

const outages = test.macro({
  exec: (t, form: 'refuse' | 'blackhole' | 'reset') => {
    const { world, server, path, table, feed, write, drop } = scene();
    for (let index = 0; index < 50; index += 1) write(service(`s${index}`));
    feed.start();
    world.run(10 * second);
    const heal = path.inject({ kind: 'outage', form });
    for (let index = 0; index < 50; index += 2) drop(`s${index}`);
    server.compact();
    world.run(300 * second);
    t.is(table.size, 50); // nothing is deleted on hearsay
    world.run(730 * second);
    heal();
    world.run(760 * second);
    t.is(table.size, 25);
    t.true(world.notes.some(({ code }) => code === 'kube.relistAfter410'));
  },
  title: (_, form) => `simulator scenario 9, ${form}: 12 minutes cut off, every deletion noticed`,
});
test(outages, 'refuse');
test(outages, 'blackhole');
test(outages, 'reset');

test('simulator scenario 9, stalled socket: noticed, and put right while it lasts', (t) => {
  const { world, path, table, feed, write, drop } = scene();
  write(service('a'));
  feed.start();
  world.run(10 * second);
  path.inject({ kind: 'watchStall' });
  drop('a');
  world.run(90 * second);
  t.deepEqual(table.keys(), []);
  t.true(world.notes.some(({ code }) => code === 'kube.stallDetected'));
});

const condition = (type: string): Condition => ({
  type, status: 'True', reason: 'satisfied', message: '', observedGeneration: undefined,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});
const entry = (ip: string) => ({ ip, hostname: undefined, ipMode: undefined, ports: undefined });

type Written = Result<{ readonly resourceVersion: string }, WriteError> | undefined;

test('a status write changes what it names, and an empty list removes', (t) => {
  const { world, ports, stored, write } = scene();
  write(service('a'));
  const status = createStatusPort(ports);
  const target = () => ({
    key: serviceKey('default', 'a'),
    uid: stored('a')?.metadata?.uid ?? '',
    resourceVersion: stored('a')?.metadata?.resourceVersion ?? '',
  });
  const answers: Written[] = [];
  const ingress = [entry('192.0.2.1')];
  const both = { ...target(), ingress, conditions: [condition('T')] };
  status.writeService(both, (result) => answers.push(result));
  t.deepEqual(answers, []);
  world.run(second);
  t.like(stored('a')?.['status'], {
    loadBalancer: { ingress: [{ ip: '192.0.2.1' }] },
    conditions: [{ type: 'T', status: 'True' }],
  });
  t.deepEqual(answers, [{ ok: true, value: { resourceVersion: target().resourceVersion } }]);
  status.writeService({ ...target(), ingress: [] }, (r) => answers.push(r));
  world.run(2 * second);
  t.true(answers[1]?.ok);
  const left = createDecoder().service(stored('a') ?? {});
  t.deepEqual(left.ok && left.value.ingress, []);
  t.is(left.ok && left.value.conditions.length, 1);
});

test('lb-ipam 69: a version that another writer changed is a conflict', (t) => {
  const { world, ports, stored, write, patch } = scene();
  write(service('a'));
  const { uid = '', resourceVersion = '' } = stored('a')?.metadata ?? {};
  patch('a', { metadata: { labels: { x: 'y' } } });
  const before = stored('a');
  let answer: Written;
  const target = { key: serviceKey('default', 'a'), uid, resourceVersion };
  createStatusPort(ports).writeService({ ...target, ingress: [entry('192.0.2.1')] }, (result) => {
    answer = result;
  });
  world.run(second);
  t.like(answer, { ok: false, error: { kind: 'conflict' } });
  t.is(stored('a'), before);
});

const failures = test.macro({
  exec: (t, kind: WriteError['kind'], arrange: (s: ReturnType<typeof scene>) => void) => {
    const s = scene();
    s.write(service('a'));
    const { uid = '', resourceVersion = '' } = s.stored('a')?.metadata ?? {};
    arrange(s);
    let answer: Written;
    const target = { key: serviceKey('default', 'a'), uid, resourceVersion };
    createStatusPort(s.ports).writeService({ ...target, ingress: [] }, (result) => {
      answer = result;
    });
    s.world.run(60 * second);
    t.like(answer, { ok: false, error: { kind } });
  },
  title: (_, kind, arrange) => `a status write is answered ${kind} after ${String(arrange)}`,
});
test(failures, 'gone', ({ drop }) => drop('a'));
test(failures, 'conflict', ({ drop, write }) => [drop('a'), write(service('a'))]);
test(failures, 'retry', ({ path }) => path.inject({ kind: 'outage', form: 'refuse' }));
test(failures, 'retry', ({ path }) => path.inject({ kind: 'outage', form: 'blackhole' }));
test(failures, 'retry', ({ path }) => path.inject({ kind: 'lostReply', ppm: 1_000_000 }));
test(failures, 'retry', ({ path }) => path.inject({ kind: 'error', status: 429, ppm: 1_000_000 }));
test(failures, 'retry', ({ path }) => path.inject({ kind: 'error', status: 500, ppm: 1_000_000 }));

test('conditions of a pool are applied by their manager and leave foreign ones alone', (t) => {
  const { world, server, ports } = scene();
  const ref = { resource: resources.pools, namespace: '', name: 'lan' };
  const kind = 'CiliumLoadBalancerIPPool';
  const body = {
    apiVersion: 'cilium.io/v2', kind, metadata: { name: 'lan' },
    spec: { blocks: [{ cidr: '10.0.10.0/24' }] },
  };
  server.handle({ verb: 'create', resource: resources.pools, namespace: '', body }, 'u');
  const { observedGeneration: _, ...foreign } = condition('other.example/x');
  const status = { conditions: [{ ...foreign, lastTransitionTime: '2026-01-01T00:00:00Z' }] };
  server.handle({ verb: 'patch', ref, subresource: 'status', body: { status } }, 'u');
  const apply = (conditions: readonly Condition[]) => {
    const pool = server.get(resources.pools, '', 'lan');
    const { uid = '', resourceVersion = '' } = pool?.metadata ?? {};
    const write = { kind, name: 'lan', uid, resourceVersion, conditions } as const;
    let answer: Written;
    createStatusPort(ports).writeConditions(write, 'fairlead-lb-ipam', (result) => {
      answer = result;
    });
    world.run(world.now + second);
    t.true(answer?.ok);
    const read = createDecoder().pool(server.get(resources.pools, '', 'lan') ?? {});
    const value: Pool | undefined = read.ok ? read.value : undefined;
    return value?.conditions.map(({ type }) => type).sort();
  };
  const ours = condition('cilium.io/PoolConflict');
  t.deepEqual(apply([ours]), ['cilium.io/PoolConflict', 'other.example/x']);
  t.deepEqual(apply([ours, condition('cilium.io/IPsUsed')]),
    ['cilium.io/IPsUsed', 'cilium.io/PoolConflict', 'other.example/x']);
});

test('Events reach the API as its own kind', (t) => {
  const { world, server, ports, stored, write } = scene();
  write(service('a'));
  const recorder = createEventRecorder(ports, { component: 'fairlead-controller', instance: 'c' });
  const event = {
    object: {
      apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'a',
      uid: stored('a')?.metadata?.uid ?? '',
    },
    type: 'Normal', reason: 'AddressAssigned', message: '192.0.2.1 from pool lan',
  } as const;
  recorder.emit(event);
  world.run(second);
  recorder.emit(event);
  world.run(2 * second);
  const events = server.list(resources.events);
  t.is(events.length, 1);
  t.is(events[0]?.['count'], 2);
  t.deepEqual([recorder.pending(), recorder.dropped()], [[], 0]);
});

test('the leader follows the Lease of the simulated API through an outage', (t) => {
  const { world, path, client } = scene();
  const log: string[] = [];
  const leaders = ['a', 'b'].map((identity) => createLeader(client(identity), {
    namespace: 'default', name: 'fairlead-controller', identity, timing: leaderTimingDefault,
  }, {
    onStart: () => log.push(`+${identity}`),
    onStop: () => log.push(`-${identity}`),
  }));
  for (const leader of leaders) leader.start();
  world.run(30 * second);
  t.is(log.length, 1);
  const heal = path.inject({ kind: 'outage', form: 'refuse' });
  world.run(60 * second);
  t.is(log.length, 2);
  heal();
  world.run(90 * second);
  t.is(log.length, 3);
  for (const leader of leaders) leader.stop();
  t.is(log.length, 4);
});
