import { maps } from '../../bpf/layout.gen.ts';
import { figureText, type Bench } from './bench.ts';
import { heapBytes, mapBytes } from './rivals/memory.ts';
import { BenchNode } from './rivals/node.ts';
import { kernelMachine, missingFor } from './rivals/ready.ts';
import { Shared } from './rivals/rounds.ts';
import { benchServices } from './rivals/services.ts';

// R10 of datapath.md 19: what one Service of two fronts and two endpoints costs in memory.

const count = 10_000;
const endpointCount = 2;

interface Cost {
  /** Bytes of maps for one Service. */
  readonly kernel: number;
  /** Bytes of the agent's heap for one Service: its model in the tables, and all of it. */
  readonly model: number;
  readonly heap: number;
}

function measure(): Cost {
  const found = kernelMachine();
  if ('missing' in found) throw new Error(found.missing);
  const services = benchServices(count);
  const small = new BenchNode(found.addon, { vip: true });
  small.list(services.slice(-1));
  small.program();
  const heapBefore = heapBytes();
  const full = new BenchNode(found.addon, { vip: true });
  try {
    full.list(services);
    const model = (heapBytes() - heapBefore) / count;
    full.program();
    const heap = (heapBytes() - heapBefore) / count;
    const grown = kernelBytes(full) - kernelBytes(small);
    return { kernel: grown / (count - 1) + cells(), model, heap };
  } finally {
    small.close();
    full.close();
  }
}

function kernelBytes(node: BenchNode): number {
  const bytes = mapBytes();
  const ids = [...node.object.maps.values()].map(({ facts }) => facts.id);
  return ids.reduce((sum, id) => sum + (bytes.get(id) ?? 0), 0);
}

// Arrays are there in full from the start: a Service costs the cells that it takes.
function cells(): number {
  return maps.fl_set.valueBytes + maps.fl_lut.valueBytes
    + endpointCount * maps.fl_backend.valueBytes;
}

const shared = new Shared(measure, 1);
const skipped = (): string | undefined => missingFor();

function figure(name: string, ceiling: number, pick: (of: Cost) => number): Bench {
  const read = shared.reader();
  let cost: Cost | undefined;
  return {
    name: `memory: ${name} of a Service, 2 fronts, 2 endpoints`, unit: 'bytes', ceiling, skipped,
    run: () => {
      cost = read();
      return pick(cost);
    },
    notes: () => (cost === undefined ? '' : `model ${figureText(cost.model)} of the heap`),
  };
}

export const benches: readonly Bench[] = [
  figure('kernel', 1_024, (of) => of.kernel),
  figure('agent heap', 6 * 1_024, (of) => of.heap),
];
