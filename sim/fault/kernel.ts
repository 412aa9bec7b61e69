import { maps } from '../../bpf/layout.gen.ts';
import { readNodeTarget } from './target.ts';
import type { FaultKind } from './fault.ts';

/** The tables that the agent writes and programs read. */
const mapNames = Object.keys(maps);

/** Faults of a node's kernel tables (simulator.md 8). */
export const kernelFaults: Readonly<Record<string, FaultKind>> = {
  /** A share of the writes to `map` fails with `errno`. */
  'kernel.mapError': {
    prepare(parameters) {
      const target = readNodeTarget(parameters, 'all');
      const map = parameters.oneOf('map', mapNames) ?? 'fl_front';
      const ratioPpm = parameters.ratio('ratio') ?? 1_000_000;
      const errno = parameters.oneOf('errno', ['ENOSPC', 'EIO', 'EINVAL']) ?? 'EIO';
      return (cluster) => {
        const kernels = target(cluster).map((node) => cluster.machines.kernel(node));
        for (const kernel of kernels)
          kernel.setFault(map, { errno, ratio: { numerator: ratioPpm, denominator: 1_000_000 } });
        return () => {
          for (const kernel of kernels) kernel.setFault(map, undefined);
        };
      };
    },
  },
  /** `map` takes no more than `limit` entries. */
  'kernel.mapFull': {
    prepare(parameters) {
      const target = readNodeTarget(parameters, 'all');
      const map = parameters.oneOf('map', mapNames) ?? 'fl_front';
      const limit = parameters.count('limit') ?? 0;
      return (cluster) => {
        const kernels = target(cluster).map((node) => cluster.machines.kernel(node));
        for (const kernel of kernels) kernel.setFault(map, { entriesMax: limit });
        return () => {
          for (const kernel of kernels) kernel.setFault(map, undefined);
        };
      };
    },
  },
};
