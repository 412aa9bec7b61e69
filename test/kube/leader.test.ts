import test from 'ava';
import { createLeader, leaderTimingDefault } from '../../kube/leader.ts';
import type { KubeDone, KubeError, KubeObject, KubePort, KubeRequest } from '../../kube/port.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import {
  MachineClock, Process, processClock, processJournal, processRandom,
} from '../../sim/process.ts';
import { World } from '../../sim/world.ts';

const second = 1_000_000;
const timing = leaderTimingDefault;

type Answer = Result<{ readonly kind: 'object'; readonly object: KubeObject }, KubeError>;

/** One Lease and the way to it, which may lose requests or answers of one replica. */
class LeaseStore {
  lease: KubeObject | undefined;
  version = 0;
  /** Requests that take up to 8 s to arrive, per hundred. */
  slow = 0;
  readonly writes: KubeRequest['verb'][] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  portOf(process: Process, path: { loss: number }): KubePort {
    const prng = this.#world.stream(`path/${process.name}`);
    const lost = () => prng.ratio(path.loss, 100);
    return {
      request: (request, done: KubeDone) => {
        let settled = false;
        const settle = (result: Answer) => {
          if (!settled) done(result);
          settled = true;
        };
        const answer = (result: Answer) =>
          process.later(prng.between(1000, 30_000), 'answer', () => settle(result));
        const kind = request.verb === 'get' ? 'unreachable' : 'unknown-outcome';
        process.later(request.timeout ?? 1, 'timeout', () => {
          settle(err({ kind, message: 'timed out' }));
        });
        if (lost()) return;
        const delay = prng.between(1000, prng.ratio(this.slow, 100) ? 8 * second : 30_000);
        this.#world.schedule(delay, { kind: 'request', entity: 'lease' }, () => {
          const result = this.#serve(request);
          if (!lost()) answer(result);
        });
      },
      watch: () => ({ cancel: () => {} }),
    };
  }

  edit(spec: Record<string, unknown>): void {
    this.#store({ ...this.lease, spec });
  }

  #serve(request: KubeRequest): Answer {
    if (request.verb === 'get') {
      return this.lease === undefined ? err({ kind: 'gone', message: 'not found' })
        : ok({ kind: 'object', object: this.lease });
    }
    this.writes.push(request.verb);
    if (request.verb === 'create') {
      if (this.lease !== undefined) return err({ kind: 'exists', message: 'already exists' });
      return this.#store(request.body);
    }
    if (request.verb !== 'update') throw new Error(request.verb);
    const version = this.lease?.metadata?.resourceVersion;
    if (version !== request.body.metadata?.resourceVersion) {
      return err({ kind: 'conflict', message: 'changed' });
    }
    return this.#store(request.body);
  }

  #store(body: KubeObject): Answer {
    this.version += 1;
    const metadata = { ...body.metadata, uid: 'u', resourceVersion: String(this.version) };
    this.lease = { ...body, metadata };
    return ok({ kind: 'object', object: this.lease });
  }
}

function scene(count: number, seed = 1n) {
  const world = new World({ seed });
  const store = new LeaseStore(world);
  const overlaps: string[] = [];
  const replicas = Array.from({ length: count }, (_, index) => {
    const identity = `r${index}`;
    const process = new Process(world, identity, new MachineClock(world));
    const path = { loss: 0 };
    const ports = {
      kube: store.portOf(process, path),
      clock: processClock(process),
      random: processRandom(process, identity),
      journal: processJournal(process),
    };
    const settings = { namespace: 'fairlead', name: 'fairlead-controller', identity, timing };
    const log: string[] = [];
    const leader = createLeader(ports, settings, {
      onStart: () => {
        log.push(`start ${Math.floor(world.now / second)}`);
        overlaps.push(...leaders().map((other) => `${other} ${identity}`));
        replica.led = true;
      },
      onStop: () => {
        log.push(`stop ${Math.floor(world.now / second)}`);
        replica.led = false;
      },
    });
    const active = () => replica.led && process.alive && !process.paused && leader.leading;
    const replica = { identity, process, path, leader, log, led: false, active };
    return replica;
  });
  const leaders = () => replicas.filter(({ active }) => active()).map(({ identity }) => identity);
  return { world, store, replicas, overlaps, leaders };
}

test('a lone replica creates the Lease, leads at once and renews', (t) => {
  const { world, store, replicas: [only], leaders } = scene(1);
  only!.leader.start();
  t.deepEqual(only!.leader.pending(), ['leadership: Lease fairlead/fairlead-controller']);
  world.run(second);
  t.deepEqual(leaders(), ['r0']);
  world.run(60 * second);
  t.deepEqual(only!.log, ['start 0']);
  t.true(store.version > 20 && store.version < 32);
  t.like(store.lease, {
    kind: 'Lease',
    spec: { holderIdentity: 'r0', leaseDurationSeconds: 15, leaseTransitions: 0 },
  });
});

test('a crashed leader is replaced after the lease duration, not before', (t) => {
  const { world, store, replicas: [first, second_], leaders } = scene(2);
  first!.leader.start();
  world.run(second);
  second_!.leader.start();
  world.run(30 * second);
  first!.process.crash();
  world.run(42 * second);
  t.deepEqual(leaders(), []);
  t.deepEqual(second_!.leader.pending(),
    ['leadership: Lease fairlead/fairlead-controller, held by r0']);
  world.run(50 * second);
  t.deepEqual(leaders(), ['r1']);
  t.like(store.lease, { spec: { holderIdentity: 'r1', leaseTransitions: 1 } });
});

test('a leader that stops releases the Lease, and another leads within a retry', (t) => {
  const { world, store, replicas: [first, other], leaders } = scene(2);
  first!.leader.start();
  world.run(second);
  other!.leader.start();
  world.run(20 * second);
  first!.leader.stop();
  t.deepEqual(first!.log, ['start 0', 'stop 20']);
  t.deepEqual(leaders(), []);
  world.run(20.1 * second);
  const spec = store.lease?.['spec'] as object | undefined;
  t.false('holderIdentity' in (spec ?? { holderIdentity: 'no Lease' }));
  world.run(23 * second);
  t.deepEqual(leaders(), ['r1']);
});

test('a leader cut off stops by its own clock ten seconds after its last renewal', (t) => {
  const { world, replicas: [only], leaders } = scene(1);
  only!.leader.start();
  world.run(20 * second);
  only!.path.loss = 100;
  world.run(27 * second);
  t.deepEqual(leaders(), ['r0']);
  world.run(31 * second);
  t.deepEqual(leaders(), []);
  only!.path.loss = 0;
  world.run(40 * second);
  t.deepEqual(only!.log.length, 3);
  t.deepEqual(leaders(), ['r0']);
});

test('a leader that was paused past its deadline does not lead when it wakes', (t) => {
  const { world, replicas: [first, other], leaders } = scene(2);
  first!.leader.start();
  world.run(second);
  other!.leader.start();
  world.run(10 * second);
  first!.process.pause();
  world.run(40 * second);
  t.deepEqual(leaders(), ['r1']);
  t.false(first!.leader.leading);
  first!.process.resume();
  t.false(first!.led);
  world.run(60 * second);
  t.deepEqual(leaders(), ['r1']);
});

test('a Lease taken by force ends leadership at the next renewal', (t) => {
  const { world, store, replicas: [only], leaders } = scene(1);
  only!.leader.start();
  world.run(10 * second);
  store.edit({ holderIdentity: 'thief', leaseDurationSeconds: 15 });
  world.run(13 * second);
  t.deepEqual(leaders(), []);
});

test('an edit that leaves the holder alone, or a deleted Lease, is survived', (t) => {
  const { world, store, replicas: [only], leaders } = scene(1);
  only!.leader.start();
  world.run(10 * second);
  store.edit({ ...(store.lease?.['spec'] as object), renewTime: 'edited by hand' });
  world.run(15 * second);
  t.deepEqual(only!.log, ['start 0']);
  store.lease = undefined;
  world.run(20 * second);
  t.deepEqual(leaders(), ['r0']);
  t.is(store.lease === undefined, false);
});

const unusable = test.macro({
  exec: (t, spec: Record<string, unknown>) => {
    const { world, store, replicas: [only], leaders } = scene(1);
    store.lease = { metadata: { name: 'fairlead-controller', namespace: 'fairlead' } };
    store.edit(spec);
    only!.leader.start();
    world.run(14 * second);
    t.deepEqual(leaders(), []);
    world.run(20 * second);
    t.deepEqual(leaders(), ['r0']);
  },
  title: (_, spec) => `a dead Lease ${JSON.stringify(spec)} is taken after our own duration`,
});
test(unusable, { holderIdentity: 'x', leaseDurationSeconds: 0 });
test(unusable, { holderIdentity: 'x' });
test(unusable, { holderIdentity: 'x', leaseDurationSeconds: 'long', renewTime: 7 });
test(unusable, { holderIdentity: 'x', leaseDurationSeconds: 1, renewTime: '1970-01-01T00:00:00Z' });

test('never two: random crashes, pauses, losses and clock rates, 300 times', (t) => {
  for (let seed = 1n; seed <= 300n; seed += 1n) {
    const { world, store, replicas, overlaps, leaders } = scene(3, seed);
    store.slow = 5;
    const prng = world.stream('history');
    for (const { leader, process } of replicas) {
      process.clock.setRate(prng.between(-500, 500));
      process.clock.stepWall(prng.between(-3600, 3600) * second);
      leader.start();
    }
    for (let step = 0; step < 40; step += 1) {
      world.run(world.now + prng.below(10 * second));
      const { process, path } = prng.pick(replicas);
      const act = prng.below(6);
      if (act === 0) process.pause();
      else if (act <= 2) process.resume();
      else if (act === 3) path.loss = prng.below(101);
      else path.loss = 0;
      t.true(leaders().length <= 1, `seed ${seed}`);
    }
    t.deepEqual(overlaps, [], `seed ${seed}`);
    for (const { process, path } of replicas) {
      process.resume();
      path.loss = 0;
    }
    world.run(world.now + 40 * second);
    t.is(leaders().length, 1, `seed ${seed} ends with a leader`);
  }
});
