import test from 'ava';
import { createReflector, type ReflectorScope } from '../../kube/reflector.ts';
import { resources } from '../../kube/resource.ts';
import { err, ok } from '../../lb/result.ts';
import {
  MachineClock, Process, processClock, processJournal, processRandom,
} from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import { ScriptedKube } from './scriptedkube.ts';

const second = 1_000_000;

function scene(seed = 1n, scope: Partial<ReflectorScope> = {}) {
  const world = new World({ seed });
  const kube = new ScriptedKube(world);
  const process = new Process(world, 'client', new MachineClock(world));
  const view = new Map<string, string>();
  const log: string[] = [];
  const ports = {
    kube,
    clock: processClock(process),
    random: processRandom(process, 'client'),
    journal: processJournal(process),
  };
  const reflector = createReflector(ports, { resource: resources.nodes, ...scope }, {
    upsert(key, object) {
      const text = `${object.metadata?.uid}@${object.metadata?.resourceVersion}`;
      const before = view.get(key);
      if (before !== undefined && before.split('@')[0] !== object.metadata?.uid) log.push('!uid');
      view.set(key, text);
      log.push(`+${key}=${text}`);
    },
    remove(key) {
      if (!view.delete(key)) log.push('!remove');
      log.push(`-${key}`);
    },
    synced() {
      log.push('synced');
    },
  });
  const agree = () => view.size === kube.objects.size
    && [...kube.objects].every(([name, { metadata }]) =>
      view.get(name) === `${metadata?.uid}@${metadata?.resourceVersion}`);
  return { world, kube, process, reflector, view, log, agree };
}

const codes = (world: World) => world.notes.map(({ code }) => code);

test('a list, then the events after it, in order', (t) => {
  const { world, kube, reflector, log, agree } = scene();
  kube.put('a', 'u1');
  reflector.start();
  world.run(second);
  kube.put('b', 'u2');
  kube.put('a', 'u1');
  kube.drop('b');
  world.run(2 * second);
  t.deepEqual(log, ['+a=u1@2', 'synced', '+b=u2@3', '+a=u1@4', '-b']);
  t.true(agree());
  t.deepEqual(reflector.pending(), []);
  t.deepEqual(codes(world), []);
});

test('before the first list nothing is synced, however often it fails', (t) => {
  const { world, kube, reflector, log } = scene();
  kube.put('a', 'u1');
  kube.mishaps = { ...kube.mishaps, error: 1000 };
  reflector.start();
  world.run(600 * second);
  t.deepEqual(log, []);
  t.regex(reflector.pending()[0] ?? '', /^nodes: waiting for the first list after 'boom'$/u);
  // 600 s of waits of 6.4 to 12.8 s each, after the first few.
  t.true(kube.requests.length > 45 && kube.requests.length < 100, `${kube.requests.length}`);
  kube.mishaps = { ...kube.mishaps, error: 0 };
  world.run(615 * second);
  t.deepEqual(log, ['+a=u1@2', 'synced']);
});

test('a Retry-After of the server is kept', (t) => {
  const { world, kube, reflector } = scene();
  const throttled = { kind: 'throttled', message: 'slow down', retryAfter: 40 * second } as const;
  kube.answers = [() => err(throttled)];
  reflector.start();
  world.run(39 * second);
  t.is(kube.requests.length, 1);
  world.run(42 * second);
  t.is(kube.requests.length, 2);
});

test('lb-ipam 43: a watch that ends never means synced and empty', (t) => {
  const { world, kube, reflector, log, agree } = scene();
  kube.put('a', 'u1');
  reflector.start();
  world.run(second);
  kube.mishaps = { ...kube.mishaps, error: 1000 };
  kube.cut();
  world.run(300 * second);
  t.deepEqual(log, ['+a=u1@2', 'synced']);
  kube.put('b', 'u2');
  kube.mishaps = { ...kube.mishaps, error: 0 };
  world.run(330 * second);
  t.true(agree());
  t.is(log.filter((line) => line === 'synced').length, 1); // watched on, not listed again
});

const relists = test.macro({
  exec: (t, shape: 'on the request' | 'in the stream') => {
    const { world, kube, reflector, log, agree } = scene();
    for (const name of ['a', 'b', 'c']) kube.put(name, `u-${name}`);
    reflector.start();
    world.run(second);
    kube.cut(shape === 'in the stream' ? { kind: 'expired', message: 'compacted' } : undefined);
    world.run(second + 500);
    kube.drop('b');
    kube.drop('c');
    kube.put('c', 'u-other');
    kube.compact();
    log.length = 0;
    world.run(10 * second);
    t.true(agree());
    t.deepEqual(log, ['-c', '+c=u-other@7', '-b', 'synced']);
    t.is(codes(world).filter((code) => code === 'kube.relistAfter410').length, 1);
  },
  title: (_, shape) => `410 ${shape}: one list, one deletion per lost object; a new uid is new`,
});
test(relists, 'on the request');
test(relists, 'in the stream');

test('a server that expires every watch is asked ever more seldom', (t) => {
  const { world, kube, reflector } = scene();
  kube.mishaps = { ...kube.mishaps, expire: 1000 };
  reflector.start();
  world.run(600 * second);
  t.true(kube.requests.length < 100, `${kube.requests.length} requests`);
  t.true(kube.requests.length > 45);
});

test('simulator scenario 9: a stalled stream is noticed within 60 s and nothing is lost', (t) => {
  const { world, kube, reflector, agree } = scene();
  kube.put('a', 'u1');
  reflector.start();
  world.run(second);
  kube.stallAll();
  kube.put('b', 'u2');
  kube.drop('a');
  world.run(61 * second);
  t.true(agree());
  t.deepEqual(codes(world), ['kube.stallDetected']);
});

test('an API that swallows everything is noticed within 60 s, found again within 30 s', (t) => {
  for (let seed = 1n; seed <= 50n; seed += 1n) {
    const { world, kube, reflector, agree } = scene(seed);
    kube.put('a', 'u1');
    reflector.start();
    world.run(second);
    kube.mishaps = { ...kube.mishaps, timeout: 1000, stall: 1000 };
    kube.stallAll();
    kube.drop('a');
    kube.compact();
    world.run(61 * second);
    t.true(codes(world).includes('kube.stallDetected'));
    world.run(720 * second);
    kube.mishaps = { ...kube.mishaps, timeout: 0, stall: 0 };
    world.run(750 * second);
    t.true(agree(), `seed ${seed}: ${reflector.pending()}`);
    t.is(codes(world).filter((code) => code === 'kube.relistAfter410').length, 1);
  }
});

test('a quiet resource costs a knock and a second watch a minute, no list and no note', (t) => {
  const { world, kube, reflector } = scene();
  kube.put('a', 'u1');
  reflector.start();
  world.run(3630 * second);
  const lists = kube.requests.filter(({ verb, ...rest }) =>
    verb === 'list' && 'options' in rest && rest.options.labelSelector === undefined);
  t.is(lists.length, 1);
  t.true(kube.requests.length <= 62 && kube.watchRequests.length <= 62);
  t.is(kube.watching, 1);
  t.deepEqual(codes(world), []);
});

test('where every watch is mute and no bookmark comes, a list tells the truth each 75 s', (t) => {
  const { world, kube, reflector, agree } = scene();
  kube.bookmarks = false;
  kube.mishaps = { ...kube.mishaps, stall: 1000 };
  reflector.start();
  world.run(1000 * second);
  kube.put('a', 'u1');
  world.run(1076 * second);
  t.true(agree());
  t.true(codes(world).every((code) => code === 'kube.stallDetected'));
  const lists = kube.requests.filter(({ verb, ...rest }) =>
    verb === 'list' && 'options' in rest && rest.options.labelSelector === undefined);
  t.true(lists.length <= 16);
});

test('after stop nothing is called', (t) => {
  const { world, kube, reflector, log } = scene();
  reflector.start();
  reflector.stop();
  world.run(second);
  kube.put('a', 'u1');
  world.run(200 * second);
  t.deepEqual(log, []);
  t.is(kube.watching, 0);
});

test('a list that is no list, and objects without a name, end nothing', (t) => {
  const { world, kube, reflector, log } = scene();
  const item = { metadata: { name: 'a', uid: 'u', resourceVersion: '1' } };
  const nameless = [{}, { metadata: {} }, { metadata: { name: '' } }];
  kube.answers = [
    () => ok({ kind: 'object', object: item }),
    () => ok({ kind: 'list', items: [...nameless, item], resourceVersion: '1' }),
  ];
  reflector.start();
  world.run(5 * second);
  t.deepEqual(log, ['+a=u@1', 'synced']);
  t.is(codes(world).filter((code) => code === 'kube.namelessObject').length, 3);
});

test('random histories with every mishap converge to the list, 1,000 times', (t) => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const marks = new Map<string, number>();
  for (let seed = 1n; seed <= 1000n; seed += 1n) {
    const { world, kube, reflector, log, agree } = scene(seed);
    const prng = world.stream('history');
    const draw = () => prng.below(200);
    kube.mishaps = {
      error: draw(), timeout: draw(), cut: draw(), stall: draw(), expire: draw(), duplicate: draw(),
    };
    reflector.start();
    for (let step = 0; step < 30; step += 1) {
      world.run(world.now + prng.below(prng.ratio(1, 10) ? 120 * second : second));
      const name = prng.pick(names);
      const act = prng.below(8);
      if (act < 4) kube.put(name, kube.objects.get(name)?.metadata?.uid ?? `u${step}`);
      else if (act === 4) kube.drop(name);
      else if (act === 5) {
        kube.drop(name);
        kube.put(name, `u${step}`);
      } else if (act === 6) kube.compact();
      else reflector.relist();
    }
    kube.mishaps = { error: 0, timeout: 0, cut: 0, stall: 0, expire: 0, duplicate: 0 };
    world.run(world.now + 120 * second);
    if (!agree() || log.some((line) => line.startsWith('!'))) {
      t.fail(`seed ${seed}: ${reflector.pending()} ${log.slice(-5).join(' ')}`);
    }
    for (const [code, count] of world.marks) marks.set(code, (marks.get(code) ?? 0) + count);
  }
  for (const code of ['kube.stallDetected', 'kube.relistAfter410', 'kube.unreachable']) {
    t.true((marks.get(code) ?? 0) > 100, `${code} was met`);
  }
});

test('an optional kind that the server has not is empty, and is asked for again later', (t) => {
  const { world, kube, reflector, log } = scene(1n, { optional: true });
  const absent = () => err({ kind: 'gone' as const, message: 'no such resource' });
  kube.answers.push(absent, absent);
  kube.put('a', 'u1');
  reflector.start();
  world.run(100 * second);
  t.deepEqual(log, ['synced']);
  t.deepEqual(reflector.pending(), []);
  t.is(kube.requests.length, 1, 'it is left alone');
  world.run(700 * second);
  t.deepEqual(log, ['synced', 'synced', '+a=u1@2', 'synced']);
  t.deepEqual(codes(world), []);
});

test('a kind that must be there is waited for', (t) => {
  const { world, kube, reflector, log } = scene();
  kube.answers.push(() => err({ kind: 'gone' as const, message: 'no such resource' }));
  reflector.start();
  world.run(0);
  t.deepEqual(log, []);
  t.not(reflector.pending().length, 0);
});
