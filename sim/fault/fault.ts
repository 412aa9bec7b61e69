import type { Fault } from '../../lb/model.ts';
import { assert } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { canonicalJson } from '../check/canonical.ts';
import { Reader } from '../scenario/reader.ts';
import type { FaultUse } from '../scenario/spec.ts';
import { apiFaults } from './api.ts';
import { bgpFaults } from './bgp.ts';
import { hostFaults } from './host.ts';
import { kernelFaults } from './kernel.ts';
import { netFaults } from './net.ts';
import { nodeFaults } from './node.ts';
import { processFaults } from './process.ts';
import { routerFaults } from './router.ts';
import { workloadFaults } from './workload.ts';

/** Ends a fault. Called at most once. */
export type Heal = () => void;

/** One kind of fault: reads its parameters strictly, and strikes now. */
export interface FaultKind {
  /** Reads `with`; wrong and unknown fields are faults of the reader. Returns the strike. */
  prepare(parameters: Reader): (cluster: Cluster) => Heal;
}

const kinds: ReadonlyMap<string, FaultKind> = new Map(
  [
    nodeFaults,
    processFaults,
    apiFaults,
    netFaults,
    hostFaults,
    routerFaults,
    bgpFaults,
    kernelFaults,
    workloadFaults,
  ].flatMap((layer) => Object.entries(layer)),
);

/** Names of all faults, sorted. */
export function faultNames(): string[] {
  return [...kinds.keys()].sort(compareText);
}

/** What is wrong with a fault as written, with paths; nothing when it can strike. */
export function faultsOf(use: FaultUse): Fault[] {
  const kind = kinds.get(use.name);
  if (kind === undefined) {
    return [
      {
        path: `${use.path}.fault`,
        message: `unknown fault ${use.name}; known are ${faultNames().join(', ')}`,
      },
    ];
  }
  const faults: Fault[] = [];
  const reader = new Reader(use.with, `${use.path}.with`, faults);
  kind.prepare(reader);
  reader.finish();
  return faults;
}

/** Strikes now. The use was checked by `faultsOf` when the scenario was read. */
export function applyFault(cluster: Cluster, use: FaultUse): Heal {
  const kind = kinds.get(use.name);
  assert(kind !== undefined, `fault ${use.name} is known`);
  const strike = kind.prepare(new Reader(use.with, use.path, []));
  cluster.note('fault', use.name, `${use.name} ${describe(use.with)}`.trim());
  return strike(cluster);
}

function describe(parameters: Readonly<Record<string, unknown>>): string {
  return Object.keys(parameters)
    .sort(compareText)
    .map((name) => {
      const value = parameters[name];
      return `${name}=${typeof value === 'string' ? value : canonicalJson(value)}`;
    })
    .join(' ');
}

/** The faults in force, by name, so that a step can heal them. */
export class FaultSet {
  #cluster: Cluster;
  #active: { readonly use: FaultUse; heal: Heal | undefined }[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  start(use: FaultUse, heal: Heal): void {
    const entry = { use, heal: heal as Heal | undefined };
    this.#active.push(entry);
    if (use.for === undefined) return;
    this.#cluster.world.schedule(
      use.for,
      { kind: 'heal', entity: use.name },
      () => this.#end(entry),
      { band: 0 },
    );
  }

  /** The faults that nothing has ended yet, oldest first. */
  get inForce(): readonly FaultUse[] {
    return this.#active.flatMap(({ use, heal }) => (heal === undefined ? [] : [use]));
  }

  /**
   * Heals the faults of that name, narrowed to those with equal parameters where some are given;
   * how many it ended.
   */
  heal(name: string, parameters: Readonly<Record<string, unknown>> | undefined): number {
    const wanted = parameters === undefined ? undefined : canonicalJson(parameters);
    let ended = 0;
    for (const entry of this.#active) {
      if (entry.use.name !== name || entry.heal === undefined) continue;
      if (wanted !== undefined && canonicalJson(entry.use.with) !== wanted) continue;
      this.#end(entry);
      ended += 1;
    }
    return ended;
  }

  #end(entry: { readonly use: FaultUse; heal: Heal | undefined }): void {
    const heal = entry.heal;
    if (heal === undefined) return;
    entry.heal = undefined;
    this.#cluster.note('heal', entry.use.name, `${entry.use.name} healed`);
    heal();
  }
}
