import type { Cluster } from '../cluster/cluster.ts';
import type { Direction, Link } from '../net/link.ts';
import { Cut, splitGroups, type CutForm } from '../net/cut.ts';
import type { Reader } from '../scenario/reader.ts';
import { readNodeTarget } from './target.ts';
import type { FaultKind, Heal } from './fault.ts';

type LinkTarget = (cluster: Cluster) => readonly Link[];

/** Reads `link: HOST` or `HOST@SEGMENT`, or a node target, which means all links of that node. */
function readLinkTarget(parameters: Reader): LinkTarget {
  const name = parameters.text('link');
  if (name !== undefined) return (cluster) => cluster.network.links(name);
  const nodes = readNodeTarget(parameters);
  return (cluster) => nodes(cluster).flatMap((node) => cluster.network.links(node));
}

// `out` is what the machine sends, hence towards the switch.
function readDirection(parameters: Reader): Direction {
  const direction = parameters.oneOf('direction', ['in', 'out', 'both']) ?? 'both';
  if (direction === 'both') return 'both';
  return direction === 'out' ? 'toSwitch' : 'fromSwitch';
}

function linkRatio(fault: 'lossPpm' | 'duplicatePpm' | 'reorderPpm' | 'corruptPpm'): FaultKind {
  return {
    prepare(parameters) {
      const target = readLinkTarget(parameters);
      const direction = readDirection(parameters);
      const ppm = parameters.ratio('ratio') ?? 0;
      return (cluster) => {
        const links = target(cluster);
        for (const link of links) link.setRatio(fault, ppm, direction);
        return () => {
          for (const link of links) link.setRatio(fault, 0, direction);
        };
      };
    },
  };
}

/** Faults of links, segments and planes (simulator.md 8). */
export const netFaults: Readonly<Record<string, FaultKind>> = {
  'link.down': {
    prepare(parameters) {
      const target = readLinkTarget(parameters);
      const direction = readDirection(parameters);
      return (cluster) => {
        const links = target(cluster);
        for (const link of links) link.setUp(false, direction);
        return () => {
          for (const link of links) link.setUp(true, direction);
        };
      };
    },
  },
  'link.loss': linkRatio('lossPpm'),
  'link.duplicate': linkRatio('duplicatePpm'),
  'link.reorder': linkRatio('reorderPpm'),
  'link.corrupt': linkRatio('corruptPpm'),
  'link.delay': {
    prepare(parameters) {
      const target = readLinkTarget(parameters);
      const direction = readDirection(parameters);
      const delay = {
        min: parameters.duration('min') ?? 50,
        mean: parameters.duration('mean') ?? 0,
      };
      return (cluster) => {
        const links = target(cluster);
        for (const link of links) link.setDelay(delay, direction);
        return () => {
          for (const link of links) link.setDelay({ min: 50, mean: 0 }, direction);
        };
      };
    },
  },
  'link.mtu': {
    prepare(parameters) {
      const target = readLinkTarget(parameters);
      const bytes = parameters.count('bytes') ?? 1280;
      return (cluster) => {
        const links = target(cluster);
        for (const link of links) link.setMtu(bytes);
        return () => {
          for (const link of links) link.setMtu(1500);
        };
      };
    },
  },
  /** Cuts groups of machines of one segment from each other; the API plane is not touched. */
  'net.partition': {
    prepare(parameters) {
      const segment = parameters.text('segment');
      const groups = parameters.list('groups', (value, path) => {
        if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
        parameters.faults.push({ path, message: 'expected a list of machine names' });
        return undefined;
      });
      if (groups.length < 2) parameters.fault('groups', 'expected at least two groups');
      const form = readForm(parameters);
      const symmetric = parameters.flag('symmetric') ?? true;
      const cuts = (): Cut[] => (symmetric ? splitGroups(groups, form) : oneWay(groups, form));
      return (cluster) => cutSegments(cluster, segment, cuts());
    },
  },
  /** Cuts one node from one plane: what it receives (`in`), what it sends (`out`), or both. */
  'net.isolate': {
    prepare(parameters) {
      const target = readNodeTarget(parameters);
      const direction = parameters.oneOf('direction', ['in', 'out', 'both']) ?? 'both';
      const plane = parameters.oneOf('plane', ['api', 'lan', 'all']) ?? 'all';
      return (cluster) => {
        const heals = target(cluster).map((node) => cluster.isolate(node, { plane, direction }));
        return () => {
          for (const heal of heals) heal();
        };
      };
    },
  },
  /** The switch's MAC table is empty again. */
  'switch.forget': {
    prepare(parameters) {
      const segment = parameters.text('segment') ?? 'lan';
      return (cluster) => {
        cluster.network.segment(segment).learning.forget();
        return () => undefined;
      };
    },
  },
  'switch.reboot': {
    prepare(parameters) {
      const segment = parameters.text('segment') ?? 'lan';
      const duration = parameters.duration('duration') ?? 30_000_000;
      return (cluster) => {
        cluster.network.segment(segment).reboot(duration);
        return () => undefined;
      };
    },
  },
};

// The first group is not heard by the others; they are heard by it.
function oneWay(groups: readonly (readonly string[])[], form: CutForm): Cut[] {
  const [from = [], ...others] = groups;
  return others.map((to) => new Cut({ from, to, symmetric: false, form }));
}

function readForm(parameters: Reader): CutForm {
  const kind = parameters.oneOf('form', ['drop', 'slow', 'queue']) ?? 'drop';
  const delay = parameters.duration('delay') ?? 1_000_000;
  return kind === 'slow' ? { kind, delay } : { kind };
}

function cutSegments(cluster: Cluster, name: string | undefined, cuts: readonly Cut[]): Heal {
  const segments =
    name === undefined ? cluster.network.segments() : [cluster.network.segment(name)];
  const heals = segments.flatMap((segment) => cuts.map((cut) => segment.cut(cut)));
  return () => {
    for (const heal of heals) heal();
  };
}
