import { buildLan, second, startLine } from '../net/lan.ts';
import { secondsOf } from './stopwatch.ts';

/**
 * Simulated seconds per second of two clients with 50 TCP probes/s each, one behind the
 * router.
 */
function probes(): number {
  const lan = buildLan();
  const near = startLine(lan);
  const far = startLine(lan, { client: 'phone' });
  lan.world.run(60 * second);
  const span = 600;
  const seconds = secondsOf(() => lan.world.run((60 + span) * second));
  const failed = near.failures.length + far.failures.length;
  if (failed > 0 || near.counts.ok < 30_000) {
    throw new Error(`${failed} of ${near.counts.ok} probes failed`);
  }
  return span / seconds;
}

/** Events per second of the same traffic. */
function events(): number {
  const lan = buildLan();
  startLine(lan);
  startLine(lan, { client: 'phone' });
  lan.world.run(60 * second);
  const before = lan.world.trace.count;
  const seconds = secondsOf(() => lan.world.run(360 * second));
  return (lan.world.trace.count - before) / seconds;
}

export const benches = [
  { name: 'net: two clients of 50 TCP probes/s', unit: '× real time', floor: 1500, run: probes },
  { name: 'net: frames through the heap', unit: 'events/s', run: events },
];
