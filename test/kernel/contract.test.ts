import { setImmediate as turn } from 'node:timers/promises';
import { KernelMap } from '../../bpf/kernelmap.real.ts';
import { realKernel } from '../../bpf/kernel.real.ts';
import type { MapHandle } from '../../bpf/native.real.ts';
import { kernelContract } from '../contract/kernel.ts';
import { kernelTests } from './machine.ts';

const { addon, skip } = kernelTests();

interface Kind {
  readonly name: string;
  /** enum bpf_map_type and flags of the hashes, then of the array. */
  readonly hash: readonly [number, number];
  readonly array: readonly [number, number];
}

// Preallocated and not, mapped and not: their batches are different code in the kernel.
const kinds: readonly Kind[] = [
  { name: 'real kernel', hash: [1, 0], array: [2, 0] },
  { name: 'real kernel, no preallocation, mapped array', hash: [1, 1], array: [2, 1 << 10] },
];

// The kernel tells of a lock's end at once; a few turns of the event loop hear and act on it.
async function turns(): Promise<void> {
  for (let count = 0; count < 10; count += 1) await turn();
}

for (const kind of kinds) {
  const map = ([type, flags]: readonly [number, number], ...sizes: number[]): KernelMap => (
    new KernelMap(addon, addon.mapCreate(type, 'contract', ...sizes, flags) as MapHandle)
  );
  kernelContract({
    name: kind.name,
    skip,
    setup: () => {
      const maps = new Map([
        ['t_hash', map(kind.hash, 20, 16, 5_000)],
        ['t_small', map(kind.hash, 20, 16, 4)],
        ['t_array', map(kind.array, 4, 12, 300)],
      ]);
      const kernel = realKernel(addon, maps);
      return {
        kernel,
        hash: 't_hash',
        small: () => 't_small',
        array: { name: 't_array', cells: 300, valueSize: 12 },
        holder: () => {
          const holder = realKernel(addon, maps);
          return { kernel: holder, die: () => holder.close() };
        },
        pass: turns,
        close: () => {
          kernel.close();
          for (const one of maps.values()) one.close();
        },
      };
    },
  });
}
