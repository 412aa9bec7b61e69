import { readProcessTarget } from './target.ts';
import type { FaultKind } from './fault.ts';

/** Faults of one process; its kernel state stays (simulator.md 5.1, 8). */
export const processFaults: Readonly<Record<string, FaultKind>> = {
  /** Ends it; `restartAfter` starts a new one, and so does healing. */
  'process.crash': {
    prepare(parameters) {
      const target = readProcessTarget(parameters);
      const restartAfter = parameters.duration('restartAfter');
      return (cluster) => {
        const names = target(cluster);
        for (const name of names) cluster.machines.crashProcess(name);
        const restart = (): void => {
          for (const name of names) cluster.machines.startProcess(name);
        };
        if (restartAfter === undefined) return restart;
        cluster.world.schedule(restartAfter, { kind: 'restart', entity: 'process' }, restart, {
          band: 0,
        });
        return () => undefined;
      };
    },
  },
  /** Ends it at its n-th next port operation, in the middle of whatever it does then. */
  'process.crashAt': {
    prepare(parameters) {
      const target = readProcessTarget(parameters);
      const operation = parameters.count('operation') ?? 0;
      const restartAfter = parameters.duration('restartAfter') ?? 1_000_000;
      return (cluster) => {
        for (const name of target(cluster))
          cluster.machines.crashProcessAt(name, { operation, restartAfter });
        return () => undefined;
      };
    },
  },
  /** Stops taking events; they arrive late, in order, once it resumes. */
  'process.pause': {
    prepare(parameters) {
      const target = readProcessTarget(parameters);
      return (cluster) => {
        const names = target(cluster);
        for (const name of names) cluster.machines.process(name)?.pause();
        return () => {
          for (const name of names) cluster.machines.process(name)?.resume();
        };
      };
    },
  },
  /** Orderly stop, then start of the same build after `after` (500 ms). */
  'process.restart': {
    prepare(parameters) {
      const target = readProcessTarget(parameters);
      const after = parameters.duration('after') ?? 500_000;
      return (cluster) => {
        for (const name of target(cluster)) cluster.machines.restartProcess(name, after);
        return () => undefined;
      };
    },
  },
  /**
   * Starts another build: `after` (500 ms) an orderly stop, or an end without a farewell where
   * `drain` is false.
   */
  'process.upgrade': {
    prepare(parameters) {
      const target = readProcessTarget(parameters);
      const name = parameters.text('build') ?? '';
      if (name === '') parameters.fault('build', 'is required');
      const after = parameters.duration('after') ?? 500_000;
      const drain = parameters.flag('drain') ?? true;
      return (cluster) => {
        const { machines, builds } = cluster;
        for (const process of target(cluster)) {
          if (drain) machines.restartProcess(process, after, builds.get(name));
          else machines.replaceProcess(process, after, builds.get(name));
        }
        return () => undefined;
      };
    },
  },
  /** Orderly stop without a new start; healing starts it. */
  'process.stop': {
    prepare(parameters) {
      const target = readProcessTarget(parameters);
      return (cluster) => {
        const names = target(cluster);
        for (const name of names) cluster.machines.stopProcess(name);
        return () => {
          for (const name of names) cluster.machines.startProcess(name);
        };
      };
    },
  },
};
