import { responderMap } from '../../l2/responder-map.ts';
import { SimKernel } from '../../sim/node/kernel.ts';
import { MachineClock, Process } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import { kernelContract } from './kernel.ts';

kernelContract({
  name: 'simulated kernel',
  setup: () => {
    const world = new World({ seed: 1n });
    const kernel = new SimKernel(world, 'node-1');
    const clock = new MachineClock(world);
    return {
      kernel,
      hash: responderMap,
      array: { name: 'fl_backend', cells: 131_072, valueSize: 32 },
      small: () => {
        kernel.setMapLimit(responderMap, 4);
        return responderMap;
      },
      holder: () => {
        const process = new Process(world, 'agent', clock);
        return { kernel: kernel.portOf(process), die: () => process.crash() };
      },
      pass: () => {
        world.run(world.now + 1_000);
        return Promise.resolve();
      },
      close: () => undefined,
    };
  },
});
