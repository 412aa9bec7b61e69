import type { DatapathHooks } from '../../bpf/datapath/hooks.ts';
import type { Build } from '../build.ts';
import type { Process } from '../process.ts';
import type { SimKernel } from './kernel.ts';
import type { Loaded, NodeObject } from './loaded.ts';

/** What a process brings to the node that it starts on. */
export interface NodePrograms extends NodeObject {
  readonly Migration: Build['Migration'];
}

/** A node as a process has opened it. */
export interface OpenedNode {
  /** The maps of its own layout. */
  readonly loaded: Loaded;
  readonly hooks: DatapathHooks;
}

/**
 * Opens a node for a process: finds its pins, and takes over what others left. The programs that
 * are on the hooks go on until the tables of this process are complete (datapath.md 11, "Other
 * layout"). What a kernel does in the time between two calls, one instant does here: no packet
 * passes between the copy of the flows and the exchange, so no program has to be asked twice.
 */
export function openNode(
  kernel: SimKernel, process: Process, programs: NodePrograms,
): OpenedNode {
  const { Migration } = programs;
  const loaded = kernel.load(programs);
  const takeovers = kernel.others(loaded).map((other) => (
    { other, migration: new Migration(other, loaded) }
  ));
  for (const { migration } of takeovers) migration.carryFences();
  const hooks: DatapathHooks = {
    follow: () => undefined,
    attach() {
      for (const { migration } of takeovers) {
        process.operation();
        migration.carryFlows();
      }
      if (!kernel.isHooked(loaded, programs)) {
        process.operation();
        kernel.hook(loaded, programs);
      }
      for (const { other } of takeovers.splice(0)) {
        process.operation();
        kernel.unload(other);
      }
    },
    fault: () => (
      kernel.isHooked(loaded, programs) ? undefined : 'the programs of another build are on hooks'
    ),
    onChange: () => undefined,
  };
  return { loaded, hooks };
}
