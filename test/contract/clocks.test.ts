import { uptime } from 'node:os';
import { setTimeout as after } from 'node:timers/promises';
import { realClock } from '../../bpf/clock.real.ts';
import { realRandom } from '../../lb/random.real.ts';
import { MachineClock, Process, processClock, processRandom } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import { clockContract, randomContract } from './clock.ts';

clockContract({
  name: 'real clock',
  open: () => {
    const clock = realClock({ bootNs: () => BigInt(Math.round(uptime() * 1e9)) });
    return {
      clock,
      pass: async (duration) => {
        const until = clock.now() + duration;
        while (clock.now() < until) await after(1);
        // What became due meanwhile has its turn.
        await after(5);
      },
    };
  },
});

/** A process whose machine's clock runs at a rate of its own. */
function simulated(ratePpm: number): { readonly world: World; readonly process: Process } {
  const world = new World({ seed: 7n });
  const clock = new MachineClock(world);
  clock.setRate(ratePpm);
  return { world, process: new Process(world, 'agent/n-1', clock) };
}

for (const ratePpm of [0, 9_000, -9_000]) {
  clockContract({
    name: `simulated clock at ${ratePpm} ppm`,
    open: () => {
      const { world, process } = simulated(ratePpm);
      return {
        clock: processClock(process),
        pass: (duration) => {
          world.run(world.now + Math.ceil(duration * 1.02));
          return Promise.resolve();
        },
      };
    },
  });
}

randomContract({ name: 'real random', open: () => realRandom });
randomContract({
  name: 'simulated random', open: () => processRandom(simulated(0).process, 'agent/n-1'),
});
