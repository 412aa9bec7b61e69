import { utf8Text } from '../../kube/client.real.ts';
import { createHttpKube } from '../../kube/httpkube.ts';
import type { KubePort } from '../../kube/port.ts';
import { ApiFront } from '../../sim/api/http/front.ts';
import { ApiServer } from '../../sim/api/server.ts';
import {
  MachineClock, Process, processClock, processJournal, processRandom,
} from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import { Faults } from './faults.ts';
import { change, Followers } from './followers.ts';
import { MemoryTransport } from './memorytransport.ts';

const second = 1_000_000;
const changes = 25;

/** What came of one run. */
export interface FaultRun {
  /** What was stale, missing or left over long after the last fault. */
  readonly wrongs: readonly string[];
  readonly faults: ReadonlyMap<string, number>;
  readonly marks: ReadonlyMap<string, number>;
}

/**
 * Reflectors over the adapter over a bad network to the API front, in virtual time. `around` may
 * put something between reflectors and adapter.
 */
export function runFaults(
  seed: bigint, around: (kube: KubePort) => KubePort = (kube) => kube,
): FaultRun {
  const world = new World({ seed });
  const prng = world.stream('changes');
  const server = new ApiServer(world, { gappyVersions: prng.ratio(1, 2) });
  const expiredWatch = prng.pick(['event', 'status'] as const);
  const front = new ApiFront(world, server, { expiredWatch });
  const faults = new Faults(world.stream('faults'));
  const process = new Process(world, 'client', new MachineClock(world));
  const clock = processClock(process);
  const transport = new MemoryTransport(world, front, faults);
  const kube = around(createHttpKube({ transport, clock, text: utf8Text }));
  const random = processRandom(process, 'client');
  const ports = { clock, kube, random, journal: processJournal(process) };
  const followers = new Followers(server, ports, ports);
  for (let step = 0; step < changes; step += 1) {
    world.run(world.now + prng.below(prng.ratio(1, 10) ? 120 * second : 2 * second));
    change(server, prng);
  }
  faults.heal();
  // A watch that fell silent before is believed for 75 s, and the wait before the next attempt and
  // its time-out add to that.
  world.run(world.now + 110 * second);
  followers.doubtLeases();
  world.run(world.now + 10 * second);
  return { wrongs: followers.wrongs(), faults: faults.counts, marks: world.marks };
}
