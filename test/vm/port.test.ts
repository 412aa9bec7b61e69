import { Machine } from '../../bpf/vm/machine.ts';
import { mapPort } from '../../bpf/vm/port.ts';
import { responderMap } from '../../l2/responder-map.ts';
import type { KernelPort } from '../../lb/ports.ts';
import { SimKernel } from '../../sim/node/kernel.ts';
import { MachineClock, Process } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import { kernelContract } from '../contract/kernel.ts';
import { quietHost } from './bed.ts';
import { compileObject } from './object-run.ts';

const compiled = compileObject({ mode: 'checked' });

// What is no map stays with the simulated kernel.
function portOf(machine: Machine, kernel: KernelPort): KernelPort {
  const { bootId } = kernel;
  return { ...mapPort(machine), bootId, hostLock: (name, held) => kernel.hostLock(name, held) };
}

kernelContract({
  name: 'maps of the engine',
  setup: () => {
    const world = new World({ seed: 1n });
    const locks = new SimKernel(world, 'node-1');
    const clock = new MachineClock(world);
    const machine = new Machine(compiled, { host: quietHost, seed: 7 });
    return {
      kernel: portOf(machine, locks),
      hash: responderMap,
      array: { name: 'fl_backend', cells: 131_072, valueSize: 32 },
      small: () => {
        machine.setLimit(responderMap, 4);
        return responderMap;
      },
      holder: () => {
        const process = new Process(world, 'agent', clock);
        const port = portOf(machine, locks.portOf(process));
        return { kernel: port, die: () => process.crash() };
      },
      pass: () => {
        world.run(world.now + 1_000);
        return Promise.resolve();
      },
      close: () => undefined,
    };
  },
});
