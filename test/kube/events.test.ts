import test from 'ava';
import { createEventRecorder } from '../../kube/events.ts';
import type { KubeObject, KubeRequest } from '../../kube/port.ts';
import type { ObjectEvent } from '../../lb/ports.ts';
import { err, ok } from '../../lb/result.ts';
import {
  MachineClock, Process, processClock, processJournal, processRandom,
} from '../../sim/process.ts';
import { Prng } from '../../sim/prng.ts';
import { World } from '../../sim/world.ts';
import { ScriptedKube } from './scriptedkube.ts';

const second = 1_000_000;

interface Write {
  readonly at: number;
  readonly verb: string;
  readonly name: string;
  readonly body: Record<string, unknown>;
}

function scene() {
  const world = new World({ seed: 1n });
  const process = new Process(world, 'client', new MachineClock(world));
  const kube = new ScriptedKube(world);
  const writes: Write[] = [];
  const accept = (request: KubeRequest) => {
    const body = 'body' in request ? request.body as KubeObject : {};
    const name = request.verb === 'create' ? body.metadata?.name ?? ''
      : 'ref' in request ? request.ref.name : '';
    writes.push({ at: world.now, verb: request.verb, name, body });
    return ok({ kind: 'object', object: body } as const);
  };
  for (let index = 0; index < 5000; index += 1) kube.answers.push(accept);
  const ports = {
    kube,
    clock: processClock(process),
    random: processRandom(process, 'client'),
    journal: processJournal(process),
  };
  const source = { component: 'fairlead-controller', instance: 'c-0' };
  return { world, kube, writes, recorder: createEventRecorder(ports, source) };
}

const about = (name: string, reason: string, more: Partial<ObjectEvent> = {}): ObjectEvent => ({
  object: { apiVersion: 'v1', kind: 'Service', namespace: 'web', name, uid: `uid-${name}` },
  type: 'Normal',
  reason,
  message: `${reason} happened`,
  ...more,
});

/** The most writes in any window of that length. */
function densest(writes: readonly Write[], window: number): number {
  return Math.max(0, ...writes.map(({ at }) =>
    writes.filter((other) => other.at >= at && other.at < at + window).length));
}

test('an Event carries object, source, times and count', (t) => {
  const { world, writes, recorder } = scene();
  recorder.emit(about('shop', 'AddressAssigned'));
  world.run(second);
  t.is(writes.length, 1);
  const { body, name } = writes[0]!;
  t.regex(name, /^shop\.[0-9a-f]{9,}$/u);
  t.like(body, {
    kind: 'Event',
    metadata: { name, namespace: 'web' },
    involvedObject: { kind: 'Service', namespace: 'web', name: 'shop', uid: 'uid-shop' },
    reason: 'AddressAssigned',
    type: 'Normal',
    count: 1,
    firstTimestamp: '2026-01-01T00:00:00Z',
    source: { component: 'fairlead-controller', host: 'c-0' },
  });
  t.deepEqual(recorder.pending(), []);
});

test('an Event about a cluster-scoped object stands in default; long texts are cut', (t) => {
  const { world, writes, recorder } = scene();
  const object = {
    apiVersion: 'cilium.io/v2', kind: 'CiliumLoadBalancerIPPool', namespace: '', uid: 'u',
    name: 'p'.repeat(253),
  };
  recorder.emit({ object, type: 'Warning', reason: 'PoolInvalid', message: 'x'.repeat(5000) });
  world.run(second);
  const { body, name } = writes[0]!;
  t.like(body, { metadata: { namespace: 'default' } });
  t.true(name.length <= 253);
  t.is((body['message'] as string).length, 1024);
  t.false('namespace' in (body['involvedObject'] as object));
});

test('repeats raise the count of the first, for ten minutes', (t) => {
  const { world, writes, recorder } = scene();
  recorder.emit(about('shop', 'AllocationFailed'));
  recorder.emit(about('shop', 'AllocationFailed'));
  world.run(60 * second);
  recorder.emit(about('shop', 'AllocationFailed'));
  world.run(120 * second);
  t.deepEqual(writes.map(({ verb, body }) => [verb, body['count']]), [['create', 2], ['patch', 3]]);
  t.deepEqual(writes[1]!.body, { count: 3, lastTimestamp: '2026-01-01T00:01:00Z' });
  t.is(writes[0]!.name, writes[1]!.name);
  world.run(800 * second);
  recorder.emit(about('shop', 'AllocationFailed'));
  world.run(801 * second);
  t.is(writes[2]!.verb, 'create');
  t.not(writes[2]!.name, writes[0]!.name);
});

const fresh = test.macro({
  exec: (t, more: Partial<ObjectEvent>) => {
    const { world, writes, recorder } = scene();
    recorder.emit(about('shop', 'AllocationFailed'));
    world.run(second);
    recorder.emit({ ...about('shop', 'AllocationFailed'), ...more });
    world.run(2 * second);
    t.deepEqual(writes.map(({ verb }) => verb), ['create', 'create']);
  },
  title: (_, more) => `another ${Object.keys(more ?? {})} is another Event`,
});
test(fresh, { reason: 'Other' });
test(fresh, { message: 'other text' });
test(fresh, { type: 'Warning' });
test(fresh, { object: { ...about('shop', '').object, uid: 'uid-again' } });

test('lb-ipam 10.4: at most 10 a minute about one object, the rest is dropped and counted', (t) => {
  const { world, writes, recorder } = scene();
  for (let index = 0; index < 100; index += 1) {
    recorder.emit(about('shop', `R${index}`));
    world.run(world.now + second);
  }
  world.run(300 * second);
  t.is(densest(writes, 60 * second), 10);
  t.is(writes.length + recorder.dropped(), 100);
  t.deepEqual(recorder.pending(), []);
});

test('lb-ipam 10.4: at most 10 a second for the process, none of 300 objects forgotten', (t) => {
  const { world, writes, recorder } = scene();
  for (let index = 0; index < 300; index += 1) recorder.emit(about(`s${index}`, 'AddressAssigned'));
  t.is(recorder.pending().length, 300);
  world.run(60 * second);
  t.is(densest(writes, second), 10);
  t.is(writes.length, 300);
  t.is(recorder.dropped(), 0);
});

test('lb-ipam 10.4: Warnings go first, also past the limit of their object', (t) => {
  const { world, writes, recorder } = scene();
  for (let index = 0; index < 20; index += 1) recorder.emit(about('shop', `N${index}`));
  for (let index = 0; index < 3; index += 1) {
    recorder.emit(about('shop', `W${index}`, { type: 'Warning' }));
  }
  world.run(10 * second);
  const reasons = writes.map(({ body }) => body['reason']);
  t.deepEqual(reasons, ['W0', 'W1', 'W2', 'N0', 'N1', 'N2', 'N3', 'N4', 'N5', 'N6']);
  t.is(recorder.dropped(), 13);
});

test('an object at its limit does not hold up another', (t) => {
  const { world, writes, recorder } = scene();
  const warning = { type: 'Warning' } as const;
  for (let index = 0; index < 15; index += 1) recorder.emit(about('shop', `W${index}`, warning));
  world.run(5 * second);
  t.is(writes.length, 10);
  recorder.emit(about('other', 'AddressAssigned'));
  world.run(7 * second);
  t.is(writes.length, 11);
});

test('a lost answer is asked again under the same name, and then counts as written', (t) => {
  const { world, kube, writes, recorder } = scene();
  const names: unknown[] = [];
  const noted = (request: KubeRequest) => {
    names.push((request as { body: KubeObject }).body.metadata?.name);
  };
  kube.answers.unshift(
    (request) => { noted(request); return err({ kind: 'unknown-outcome', message: 'lost' }); },
    (request) => { noted(request); return err({ kind: 'exists', message: 'already there' }); },
  );
  recorder.emit(about('shop', 'AddressAssigned'));
  world.run(10 * second);
  t.is(names.length, 2);
  t.is(names[0], names[1]);
  t.deepEqual(recorder.pending(), []);
  t.deepEqual([recorder.dropped(), writes.length], [0, 0]);
});

const refused = test.macro({
  exec: (t, kind: 'gone' | 'invalid' | 'denied') => {
    const { world, kube, writes, recorder } = scene();
    kube.answers.unshift(() => err({ kind, message: 'no' }));
    recorder.emit(about('shop', 'AddressAssigned'));
    recorder.emit(about('other', 'AddressAssigned'));
    world.run(second);
    t.deepEqual([writes.length, recorder.dropped(), recorder.pending().length], [1, 1, 0]);
  },
  title: (_, kind) => `an Event that is refused as ${kind} is dropped and counted`,
});
test(refused, 'gone');
test(refused, 'invalid');
test(refused, 'denied');

test('a count for an Event that the API has forgotten makes a new Event', (t) => {
  const { world, kube, writes, recorder } = scene();
  recorder.emit(about('shop', 'AddressAssigned'));
  world.run(second);
  kube.answers.unshift(() => err({ kind: 'gone', message: 'not found' }));
  recorder.emit(about('shop', 'AddressAssigned'));
  world.run(3 * second);
  t.deepEqual(writes.map(({ verb }) => verb), ['create', 'create']);
  t.is(writes[1]!.body['count'], 2);
});

test('an outage keeps at most 1,000 Events, Warnings before Normals, and then tells them', (t) => {
  const { world, kube, writes, recorder } = scene();
  const outage = () => err({ kind: 'unreachable', message: 'refused' } as const);
  kube.answers.unshift(...Array.from({ length: 40 }, () => outage));
  for (let index = 0; index < 1500; index += 1) recorder.emit(about(`s${index}`, 'Assigned'));
  world.run(second);
  for (let index = 0; index < 5; index += 1) {
    recorder.emit(about(`w${index}`, 'AllocationFailed', { type: 'Warning' }));
  }
  t.true(recorder.pending().length <= 1001);
  world.run(900 * second);
  t.is(writes.length + recorder.dropped(), 1505);
  t.deepEqual(writes.slice(0, 5).map(({ body }) => body['type']), Array(5).fill('Warning'));
  t.deepEqual(recorder.pending(), []);
});

test('after stop nothing is written', (t) => {
  const { world, writes, recorder } = scene();
  recorder.emit(about('shop', 'AddressAssigned'));
  recorder.stop();
  recorder.emit(about('shop', 'AddressReleased'));
  world.run(100 * second);
  t.deepEqual([writes.length, recorder.pending().length], [0, 0]);
});

test('random emissions keep every limit, and none is counted twice, 100 times', (t) => {
  for (let seed = 1n; seed <= 100n; seed += 1n) {
    const { world, kube, writes, recorder } = scene();
    const prng = new Prng(seed, 'emissions');
    let emitted = 0;
    for (let step = 0; step < 150; step += 1) {
      world.run(world.now + prng.below(prng.pick([1000, second, 30 * second])));
      if (prng.ratio(1, 10)) {
        kube.answers.unshift(() => err({ kind: prng.pick(['server', 'invalid']), message: 'no' }));
      }
      const type = prng.pick(['Normal', 'Warning'] as const);
      for (let burst = prng.below(8); burst >= 0; burst -= 1) {
        recorder.emit(about(`s${prng.below(3)}`, `R${prng.below(12)}`, { type }));
        emitted += 1;
      }
    }
    world.run(world.now + 600 * second);
    t.deepEqual(recorder.pending(), [], `seed ${seed}`);
    t.true(densest(writes, second) <= 10, `seed ${seed}`);
    for (const name of ['s0', 's1', 's2']) {
      const ofObject = writes.filter((write) => write.name.startsWith(`${name}.`));
      t.true(densest(ofObject, 60 * second) <= 10, `seed ${seed} ${name}`);
    }
    const counts = new Map(writes.map(({ name, body }) => [name, body['count'] as number]));
    const told = [...counts.values()].reduce((sum, count) => sum + count, 0);
    t.true(told + recorder.dropped() <= emitted, `seed ${seed}`);
    t.true(told > emitted / 20, `seed ${seed}: ${told} of ${emitted}`);
  }
});
