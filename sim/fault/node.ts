import { readNodeTarget } from './target.ts';
import type { FaultKind } from './fault.ts';

/** Faults of whole machines (simulator.md 5.1, 8). */
export const nodeFaults: Readonly<Record<string, FaultKind>> = {
  /** Gone without a farewell packet; healing switches it on again. */
  'node.powerOff': {
    prepare(parameters) {
      const target = readNodeTarget(parameters);
      return (cluster) => {
        const nodes = target(cluster);
        for (const node of nodes) cluster.machines.powerOff(node);
        return () => {
          for (const node of nodes) cluster.machines.powerOn(node);
        };
      };
    },
  },
  /** Off, then on again after `duration` (60 s). */
  'node.reboot': {
    prepare(parameters) {
      const target = readNodeTarget(parameters);
      const duration = parameters.duration('duration') ?? 60_000_000;
      return (cluster) => {
        for (const node of target(cluster)) {
          cluster.machines.powerOff(node);
          cluster.world.schedule(
            duration,
            { kind: 'boot', entity: node },
            () => cluster.machines.powerOn(node),
            { band: 0 },
          );
        }
        return () => undefined;
      };
    },
  },
  /** The kernel, the data path and all processes stop and later continue. */
  'node.freeze': {
    prepare(parameters) {
      const target = readNodeTarget(parameters);
      return (cluster) => {
        const nodes = target(cluster);
        for (const node of nodes) cluster.machines.freeze(node);
        return () => {
          for (const node of nodes) cluster.machines.thaw(node);
        };
      };
    },
  },
  /** The wall clock jumps; monotonic time does not. */
  'node.clockStep': {
    prepare(parameters) {
      const target = readNodeTarget(parameters);
      const text = parameters.text('offset') ?? '';
      const backward = text.startsWith('-');
      const size = parameters.durationOf(text.replace(/^[+-]/u, ''), 'offset') ?? 0;
      return (cluster) => {
        const offset = backward ? -size : size;
        const nodes = target(cluster);
        for (const node of nodes) cluster.machines.clockOf(node).stepWall(offset);
        return () => {
          for (const node of nodes) cluster.machines.clockOf(node).stepWall(-offset);
        };
      };
    },
  },
  /** Both clocks drift by `ppm`. */
  'node.clockRate': {
    prepare(parameters) {
      const target = readNodeTarget(parameters);
      const ppm = parameters.integer('ppm') ?? 0;
      if (ppm > 10_000 || ppm < -10_000)
        parameters.fault('ppm', 'expected at most 10000 either way');
      return (cluster) => {
        const nodes = target(cluster);
        for (const node of nodes) cluster.machines.clockOf(node).setRate(ppm);
        return () => {
          for (const node of nodes) cluster.machines.clockOf(node).setRate(0);
        };
      };
    },
  },
  /** What `kubectl drain` does: cordon, then evict; healing uncordons. */
  'node.drain': {
    prepare(parameters) {
      const target = readNodeTarget(parameters);
      return (cluster) => {
        const nodes = target(cluster);
        for (const node of nodes) cluster.actors.drain(node);
        return () => {
          for (const node of nodes) cluster.actors.uncordon(node);
        };
      };
    },
  },
};
