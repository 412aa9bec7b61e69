import {
  apiDownFor,
  drain,
  everySingleFailure,
  isolate,
  nodeDown,
  routerDown,
  type Failure,
} from '../sim/report/failure.ts';
import type { Cluster } from '../sim/cluster/cluster.ts';
import { usageError } from './exit.ts';
import { wholeNumber } from './simrun.ts';
import type { WhatIfFlags } from './whatif.ts';

/** The flags that say what fails. */
export type FailureFlags = Pick<
  WhatIfFlags,
  'nodeDown' | 'routerDown' | 'drain' | 'isolate' | 'apiDown' | 'anySingleFailure'
>;

/** What there is to fail. */
export interface Failable {
  readonly nodes: readonly string[];
  /** Every router. */
  readonly routers: readonly string[];
  /** Those beside which there is another way: the others take every client with them. */
  readonly spareRouters: readonly string[];
}

/** What of a booted cluster may fail. */
export function failableOf({ machines, network }: Cluster): Failable {
  const speaking = [...network.bgpRouters.keys()];
  const gateways = new Set(network.topology.machines.flatMap(({ gateway }) => gateway ?? []));
  return {
    nodes: machines.names(), routers: [...network.routers.keys()],
    spareRouters: speaking.filter((name) => !gateways.has(name)),
  };
}

/** The failures that the flags ask for, in the order of the flags; none when they ask for none. */
export function failuresOf(
  flags: FailureFlags, { nodes, routers, spareRouters }: Failable,
): Failure[] {
  const known = (name: string): string => {
    if (nodes.includes(name)) return name;
    throw usageError(`no node ${name}; there are ${nodes.join(', ')}`);
  };
  const failures: Failure[] = [];
  if (flags.nodeDown !== undefined) failures.push(nodeDown(known(flags.nodeDown)));
  if (flags.routerDown !== undefined) {
    if (!routers.includes(flags.routerDown)) {
      throw usageError(`no router ${flags.routerDown}; there are ${routers.join(', ')}`);
    }
    failures.push(routerDown(flags.routerDown));
  }
  if (flags.drain !== undefined) failures.push(drain(known(flags.drain)));
  if (flags.isolate !== undefined) {
    const [node = '', direction = 'both'] = flags.isolate.split(':');
    if (direction !== 'both' && direction !== 'in' && direction !== 'out') {
      throw usageError('--isolate takes NODE, NODE:in or NODE:out');
    }
    failures.push(isolate(known(node), direction));
  }
  if (flags.apiDown !== undefined) {
    const failure = apiDownFor(flags.apiDown);
    if (failure === undefined) {
      throw usageError(`--api-down takes a duration such as 10m, not '${flags.apiDown}'`);
    }
    failures.push(failure);
  }
  if (flags.anySingleFailure === true) failures.push(...everySingleFailure(nodes, spareRouters));
  return failures;
}

const placementsUsual = 200;
/** For all of several failures together: the answer for a folder must not take a minute. */
const placementsShared = 50;
const placementsMin = 5;

/** Placements for each failure: many for one, fewer each for several. */
export function seedsFor(
  flags: Pick<WhatIfFlags, 'seed' | 'seeds'>,
  failures: number,
): { first: number; count: number } {
  const share = Math.max(placementsMin, Math.floor(placementsShared / Math.max(failures, 1)));
  const usual = failures === 1 ? placementsUsual : share;
  const count = flags.seeds === undefined ? usual : wholeNumber('--seeds', flags.seeds);
  return { first: wholeNumber('--seed', flags.seed), count };
}
