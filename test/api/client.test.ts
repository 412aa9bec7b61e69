import test from 'ava';
import fc from 'fast-check';
import { resources } from '../../kube/resource.ts';
import type { ApiFault } from '../../sim/api/path.ts';
import { clientRig, create, leases, objectIn, ref, type ClientRig } from './fixture.ts';

const held = (name: string) => ({ spec: { holderIdentity: name } });
const get = { verb: 'get', ref: ref(leases, 'a') } as const;
const patch = (name: string) => ({
  verb: 'patch', ref: ref(leases, 'a'), body: held(name), timeout: 1_000_000,
}) as const;

/** Cuts node n1 off; the returned function heals it. */
function block(at: ClientRig, direction: 'in' | 'out' | 'both'): () => void {
  return at.path.inject({ kind: 'block', clients: ['n1'], direction });
}

/** A client rig with Lease `a` in place. */
function ready(): ClientRig {
  const at = clientRig();
  create(at, leases, 'a', held('first'));
  return at;
}

const stored = (at: ClientRig): any => at.server.get(leases, 'default', 'a');
const holder = (at: ClientRig): unknown => stored(at).spec.holderIdentity;
const last = (at: ClientRig): string | undefined => at.heard.at(-1);

test('an answer comes after the way there and back, never inside the call', (t) => {
  const at = ready();
  at.request(get);
  t.deepEqual(at.heard, []);
  at.until(10);
  t.deepEqual(at.heard, ['2 get ok']);
});

test('a watch brings its events a way later, and a bookmark each minute', (t) => {
  const at = ready();
  const from = at.server.version;
  at.watch(leases, String(from));
  at.until(10);
  create(at, leases, 'b');
  at.until(130_000);
  t.deepEqual(
    at.heard,
    [`11 ADDED b@${from + 1}`, `60002 BOOKMARK @${from + 1}`, `120002 BOOKMARK @${from + 1}`],
  );
});

test('A3: the server closes a watch in order after 30 to 60 minutes', (t) => {
  const at = ready();
  at.watch(leases, String(at.server.version));
  at.until(3_700_000);
  const [ended] = at.heard.filter((text) => text.includes('end'));
  const [ms = '', ...words] = (ended ?? '').split(' ');
  t.is(words.join(' '), 'end in order');
  t.true(Number(ms) >= 1_800_000 && Number(ms) <= 3_600_010, ms);
  t.is(at.heard.at(-1), ended, 'nothing follows the end');
  const [bookmark = ''] = (at.heard.at(-2) ?? '').split(' ');
  t.is(Number(ms) - Number(bookmark), 2000, 'A4: a bookmark comes 2 s before');
});

test('A5: a watch from forgotten history ends with 410', (t) => {
  const at = ready();
  at.server.compact();
  at.watch(leases, '1');
  at.until(10);
  t.deepEqual(at.heard, ['2 end expired']);
});

test('a cancelled watch brings nothing, not even what is on the way', (t) => {
  const at = ready();
  const watch = at.watch(leases, String(at.server.version));
  at.until(10);
  create(at, leases, 'b');
  watch.cancel();
  at.until(100);
  t.deepEqual(at.heard, []);
});

test('a dead process hears nothing, and its request is served all the same', (t) => {
  const at = ready();
  at.watch(leases, String(at.server.version));
  at.request(patch('late'));
  at.process.crash();
  at.until(5000);
  t.deepEqual(at.heard, []);
  t.is(holder(at), 'late');
});

test('a paused process hears all of it late and in order', (t) => {
  const at = ready();
  at.watch(leases, String(at.server.version));
  at.until(10);
  at.process.pause();
  for (const name of ['b', 'c', 'd']) create(at, leases, name);
  at.until(500);
  t.deepEqual(at.heard, []);
  at.process.resume();
  t.deepEqual(at.heard.map((text) => text.split(/ |@/)[2]), ['b', 'c', 'd']);
});

test('a crash between two operations strikes before the request leaves', (t) => {
  const at = ready();
  at.process.crashAt(1);
  at.process.enter(() => {
    at.request(patch('one'));
    at.request(patch('two'));
  });
  at.until(100);
  t.is(holder(at), 'one');
  t.false(at.process.alive);
  t.is(at.process.fault, undefined);
});

const strikes = test.macro({
  exec: (t, _: string, fault: ApiFault, expected: { heard: string[]; holder: string }) => {
    const at = ready();
    at.path.inject(fault);
    at.request(get, 'read');
    at.request(patch('written'), 'write');
    at.until(40_000);
    t.deepEqual(at.heard, expected.heard);
    t.is(holder(at), expected.holder);
  },
  title: (_, claim: string) => `A20: ${claim}`,
});

test(strikes, 'a refused connection does nothing', { kind: 'outage', form: 'refuse' }, { heard: ['1 read unreachable', '1 write unreachable'], holder: 'first' });
test(strikes, 'a reset leaves a writer in doubt', { kind: 'outage', form: 'reset' }, { heard: ['1 read unreachable', '1 write unknown-outcome'], holder: 'first' });
test(strikes, 'a black hole ends in time-outs', { kind: 'outage', form: 'blackhole' }, { heard: ['1000 write unknown-outcome', '30000 read unreachable'], holder: 'first' });
test(strikes, 'blocked answers come from a write that happened', { kind: 'block', clients: ['n1'], direction: 'in' }, { heard: ['1000 write unknown-outcome', '30000 read unreachable'], holder: 'written' });
test(strikes, 'blocked requests do nothing', { kind: 'block', clients: ['agent'], direction: 'out' }, { heard: ['1000 write unknown-outcome', '30000 read unreachable'], holder: 'first' });
test(strikes, 'a block of others leaves this one alone', { kind: 'block', clients: ['n2'], direction: 'both' }, { heard: ['2 read ok', '2 write ok'], holder: 'written' });
test(strikes, 'a slow server delays each way', { kind: 'slow', min: 100_000, mean: 0, verbs: ['get'] }, { heard: ['2 write ok', '202 read ok'], holder: 'written' });
test(strikes, '503 strikes before the commit', { kind: 'error', status: 503, ppm: 1_000_000, verbs: ['patch'] }, { heard: ['2 read ok', '2 write server'], holder: 'first' });
test(strikes, '429 is throttled', { kind: 'error', status: 429, ppm: 1_000_000, kinds: ['Lease'] }, { heard: ['2 read throttled', '2 write throttled'], holder: 'first' });
test(strikes, '403 is denied', { kind: 'error', status: 403, ppm: 1_000_000, clients: ['agent'] }, { heard: ['2 read denied', '2 write denied'], holder: 'first' });
test(strikes, 'an error for another kind does not strike', { kind: 'error', status: 500, ppm: 1_000_000, kinds: ['Service'] }, { heard: ['2 read ok', '2 write ok'], holder: 'written' });
test(strikes, 'a lost reply follows a commit', { kind: 'lostReply', ppm: 1_000_000 }, { heard: ['1000 write unknown-outcome', '30000 read unreachable'], holder: 'written' });
test(strikes, 'a lost reply may be a reset at once', { kind: 'lostReply', form: 'reset', ppm: 1_000_000, verbs: ['patch'] }, { heard: ['2 read ok', '2 write unknown-outcome'], holder: 'written' });
test(strikes, 'a chance of 0 never strikes', { kind: 'error', status: 500, ppm: 0 }, { heard: ['2 read ok', '2 write ok'], holder: 'written' });

test('A20: an injected conflict is another write between read and write', (t) => {
  const at = ready();
  const read = objectIn(at.ask({ verb: 'get', ref: ref(leases, 'a') }));
  const heal = at.path.inject({ kind: 'conflict', ppm: 1_000_000, kinds: ['Lease'] });
  at.request({ verb: 'update', ref: ref(leases, 'a'), body: { ...read, ...held('mine') } });
  at.until(10);
  t.is(last(at), '2 update conflict');
  t.truthy(stored(at).metadata.annotations['sim.fairlead.dev/touched']);
  heal();
  heal();
  const again = objectIn(at.ask({ verb: 'get', ref: ref(leases, 'a') }));
  at.request({ verb: 'update', ref: ref(leases, 'a'), body: { ...again, ...held('mine') } });
  at.until(20);
  t.is(last(at), '12 update ok');
});

test('a request that met a partition arrives after the heal, though its sender gave up', (t) => {
  const at = ready();
  const heal = block(at, 'both');
  at.request(patch('late'));
  at.until(60_000);
  t.deepEqual(at.heard, ['1000 patch unknown-outcome']);
  t.is(holder(at), 'first');
  heal();
  at.until(61_000);
  t.is(holder(at), 'late');
  t.is(at.heard.length, 1);
});

test('what waited longer than the keepalive is lost', (t) => {
  const at = ready();
  const heal = block(at, 'out');
  at.request(patch('late'));
  at.until(136_000);
  heal();
  at.until(140_000);
  t.is(holder(at), 'first');
});

test('a watch across a short partition brings everything late, in order', (t) => {
  const at = ready();
  const from = at.server.version;
  at.watch(leases, String(from));
  at.until(10);
  const heal = block(at, 'in');
  for (const name of ['b', 'c']) create(at, leases, name);
  at.until(50_000);
  t.deepEqual(at.heard, []);
  heal();
  create(at, leases, 'd');
  at.until(50_100);
  t.deepEqual(
    at.heard,
    [`50001 ADDED b@${from + 1}`, `50001 ADDED c@${from + 2}`, `50001 ADDED d@${from + 3}`],
  );
});

for (const direction of ['in', 'out', 'both'] as const) {
  test(`a watch across a partition (${direction}) ends at the client after nine probes 15 s apart`, (t) => {
    const at = ready();
    at.watch(leases, String(at.server.version));
    at.until(10);
    const heal = block(at, direction);
    at.until(200_000);
    t.is(last(at), '135010 end unreachable');
    heal();
    create(at, leases, 'b');
    at.until(200_100);
    t.is(last(at), '135010 end unreachable');
  });
}

test('a watch that opens into a partition connects after it, or gives up after 30 s', (t) => {
  const at = ready();
  const from = at.server.version;
  const heal = block(at, 'both');
  at.watch(leases, String(from));
  at.until(20_000);
  create(at, leases, 'b');
  heal();
  at.until(20_100);
  t.deepEqual(at.heard, [`20002 ADDED b@${from + 1}`]);
  block(at, 'both');
  at.watch(leases, String(from));
  at.until(60_000);
  t.is(last(at), '50100 end unreachable');
});

for (const form of ['refuse', 'reset'] as const) {
  test(`an outage (${form}) ends watches at once and refuses new ones`, (t) => {
    const at = ready();
    at.watch(leases, String(at.server.version));
    at.until(10);
    at.path.inject({ kind: 'outage', form });
    at.watch(leases, String(at.server.version));
    at.until(20);
    t.deepEqual(at.heard, ['11 end unreachable', '11 end unreachable']);
  });
}

test('A20: a dropped watch ends after what is on the way; others stay', (t) => {
  const at = ready();
  const from = at.server.version;
  at.watch(leases, String(from));
  at.watch(resources.nodes, String(from));
  at.until(10);
  create(at, leases, 'b');
  at.path.dropWatches({ kinds: ['Lease'] }, 'cut');
  create(at, leases, 'c');
  at.until(20);
  t.deepEqual(at.heard, [`11 ADDED b@${from + 1}`, '11 end unreachable']);
  at.path.dropWatches({}, 'close');
  at.until(30);
  t.is(last(at), '21 end in order');
});

test('A20: a stalled watch is silent without an end, bookmarks included, and catches up', (t) => {
  const at = ready();
  const from = at.server.version;
  at.watch(leases, String(from));
  at.until(10);
  const heal = at.path.inject({ kind: 'watchStall', kinds: ['Lease'] });
  create(at, leases, 'b');
  at.until(290_000);
  t.deepEqual(at.heard, []);
  heal();
  at.until(290_010);
  t.deepEqual(
    at.heard.map((text) => text.split(' ')[1]),
    ['ADDED', 'BOOKMARK', 'BOOKMARK', 'BOOKMARK', 'BOOKMARK'],
  );
});

test('A2: a lagging cache answers version 0 from the past and delays watches; consistent reads are fresh', (t) => {
  const at = ready();
  const from = at.server.version;
  at.until(10_000);
  at.path.inject({ kind: 'stale', lag: 5_000_000 });
  at.watch(leases, String(from));
  at.until(10_010);
  create(at, leases, 'b');
  const counts: string[] = [];
  const list = (options: { resourceVersion?: string }): void => {
    at.kube.request({ verb: 'list', resource: leases, namespace: '', options }, (answer) => {
      if (!answer.ok || answer.value.kind !== 'list') throw new Error('a list was asked for');
      counts.push(`${answer.value.items.length}@${answer.value.resourceVersion}`);
    });
  };
  list({ resourceVersion: '0' });
  list({});
  at.until(20_000);
  t.deepEqual(counts, [`1@${from}`, `2@${from + 1}`]);
  t.deepEqual(at.heard, [`15011 ADDED b@${from + 1}`]);
});

/** Faults that come and go between writes, in a world of any event order. */
const trouble = fc.array(fc.record({
  pause: fc.integer({ min: 0, max: 20_000 }),
  what: fc.constantFrom(
    'write', 'write', 'block-in', 'block-out', 'stall', 'slow', 'heal', 'stale',
  ),
}), { maxLength: 40 });

test('property: whatever happens on the way, a watch brings a gapless prefix of the events, in order', (t) => {
  const orders = fc.constantFrom('fifo', 'uniform' as const);
  const seeds = fc.bigInt({ min: 0n, max: 1000n });
  fc.assert(fc.property(trouble, orders, seeds, (steps, order, seed) => {
    const at = clientRig({ seed, order });
    at.path.latency = { min: 1000, mean: 5000 };
    create(at, leases, 'a', held('0'));
    const from = at.server.version;
    const brought: number[] = [];
    let ended = false;
    at.kube.watch({ resource: leases, namespace: '', resourceVersion: String(from) }, {
      event(event) {
        if (ended) throw new Error('an event after the end');
        if (event.type !== 'BOOKMARK') brought.push(Number(event.object.metadata?.resourceVersion));
        else if (Number(event.resourceVersion) > (brought.at(-1) ?? from)) {
          throw new Error('a bookmark ahead of the events');
        }
      },
      end() { ended = true; },
    });
    const faults: Record<string, ApiFault> = {
      'block-in': { kind: 'block', clients: ['n1'], direction: 'in' },
      'block-out': { kind: 'block', clients: ['n1'], direction: 'out' },
      stall: { kind: 'watchStall' },
      slow: { kind: 'slow', min: 1000, mean: 100_000 },
      stale: { kind: 'stale', lag: 3_000_000 },
    };
    const heals: (() => void)[] = [];
    let time = 0;
    for (const { pause, what } of steps) {
      time += pause;
      at.until(time);
      const fault = faults[what];
      if (fault !== undefined) heals.push(at.path.inject(fault));
      else if (what === 'heal') heals.shift()?.();
      else at.ask({ verb: 'patch', ref: ref(leases, 'a'), body: held(String(at.server.version)) });
    }
    for (const heal of heals) heal();
    at.until(time + 20_000);
    const expected = Array.from(
      { length: at.server.version - from }, (_, index) => from + 1 + index,
    );
    const whole = ended ? expected.slice(0, brought.length) : expected;
    if (JSON.stringify(brought) !== JSON.stringify(whole)) {
      throw new Error(`brought ${brought.join()} of ${expected.join()}`);
    }
  }), { seed: 11, numRuns: 150 });
  t.pass();
});

test('property: two runs of one seed are one run', (t) => {
  const run = (): string => {
    const at = clientRig({ seed: 9n, order: 'uniform' });
    at.path.latency = { min: 1000, mean: 3000 };
    at.path.inject({ kind: 'error', status: 500, ppm: 300_000 });
    at.path.inject({ kind: 'lostReply', ppm: 300_000 });
    create(at, leases, 'a');
    at.watch(leases, '1');
    for (let index = 0; index < 50; index += 1) at.request(patch(String(index)), `w${index}`);
    at.until(100_000);
    return `${at.heard.join()} ${at.world.trace.hash} ${at.world.unseed()}`;
  };
  t.is(run(), run());
});
