import test from 'ava';
import type { KubePort, WatchEvent } from '../../kube/port.ts';
import { runFaults } from './faultrun.ts';

// A soak says how many seeds it wants; without it the test stays within seconds.
const runs = Math.max(300, Number(process.env['SOAK_SEEDS'] ?? 0));

test(`whatever the network does, tables equal the lists after it: ${runs} random runs`, (t) => {
  t.timeout(600_000);
  const met = new Map<string, number>();
  for (let seed = 0n; seed < runs; seed += 1n) {
    const { wrongs, faults, marks } = runFaults(seed);
    t.deepEqual(wrongs, [], `seed ${seed}`);
    for (const [name, count] of [...faults, ...marks]) {
      met.set(name, (met.get(name) ?? 0) + count);
    }
  }
  for (const name of [
    'refuse', 'reset', 'silence', 'status', 'cut', 'close', 'stall', 'truncate', 'duplicate',
    'expire', 'slow', 'kube.stallDetected', 'kube.relistAfter410', 'kube.unreachable',
  ]) t.true((met.get(name) ?? 0) > runs / 10, `${name} was met ${met.get(name)} times`);
});

/** Loses every so-manieth event that `lost` names. */
function losing(lost: (event: WatchEvent) => boolean) {
  let count = 0;
  return (kube: KubePort): KubePort => ({
    request: (request, done) => { kube.request(request, done); },
    watch: (request, sink) => kube.watch(request, {
      event: (event) => {
        if (lost(event)) count += 1;
        if (!lost(event) || count % 10 !== 0) sink.event(event);
      },
      end: (error) => { sink.end(error); },
    }),
  });
}

function foundOut(around: (kube: KubePort) => KubePort): boolean {
  for (let seed = 0n; seed < 300n; seed += 1n) {
    if (runFaults(seed, around).wrongs.length > 0) return true;
  }
  return false;
}

test('an adapter that loses events is found out, whichever they are', (t) => {
  for (const type of ['ADDED', 'MODIFIED', 'DELETED']) {
    const around = losing((event) => event.type === type);
    t.true(foundOut(around), type);
  }
});

test('an adapter that takes every end for one in order is found out', (t) => {
  const deaf = (kube: KubePort): KubePort => ({
    request: (request, done) => { kube.request(request, done); },
    watch: (request, sink) => kube.watch(request, {
      event: (event) => { sink.event(event); }, end: () => { sink.end(undefined); },
    }),
  });
  t.true(foundOut(deaf));
});

test('one seed gives one run', (t) => {
  t.deepEqual(runFaults(7n), runFaults(7n));
});
