import {
  backendFlag, memberBit, setFlag, type Backend, type Set as SetRow,
} from '../layout.gen.ts';
import type { MapFault } from './mapfault.ts';
import {
  backendAt, memberBits, regionIds, serviceRecord, setAt, type MapReader,
} from './mapreader.ts';

/**
 * Whom a listed endpoint serves: `local` stands in both windows, as a local endpoint usually does,
 * `cluster` and `local-only` in one (datapath.md 7, Local first).
 */
export type SlotScope = 'local' | 'local-only' | 'cluster' | 'none';

/** One place of a service port's endpoint list. */
export interface WalkedSlot {
  readonly slot: number;
  readonly backendId: number;
  readonly scope: SlotScope;
  /** Undefined exactly with `endpoint-missing`. */
  readonly backend: Backend | undefined;
  readonly fault: MapFault | undefined;
}

/** One service port as a program reads it, up to the first thing that is not there. */
export interface ServiceWalk {
  readonly svcId: number;
  readonly gen: number | undefined;
  readonly setId: number | undefined;
  readonly set: SetRow | undefined;
  readonly slots: readonly WalkedSlot[];
  /** What ended the walk before its slots. */
  readonly fault: MapFault | undefined;
}

/** As often as a program looks again before it drops (datapath.md 7, Reading). */
const readsMax = 3;

/**
 * Follows a service port's record to its endpoints. The agent may write meanwhile, so a fault
 * counts only when it is still there after the record was read anew.
 */
export function walkService(maps: MapReader, svcId: number): ServiceWalk {
  let walk = walkOnce(maps, svcId);
  for (let reads = 1; reads < readsMax && faultsOf(walk).length > 0; reads += 1) {
    walk = walkOnce(maps, svcId);
  }
  return walk;
}

/** Everything that is wrong with one service port, in the order of the walk. */
export function faultsOf({ fault, slots }: ServiceWalk): MapFault[] {
  return [fault, ...slots.map((slot) => slot.fault)].filter((one) => one !== undefined);
}

/** True when the endpoint runs on this node. */
export function runsHere({ backend }: WalkedSlot): boolean {
  return backend !== undefined && (backend.flags & backendFlag.local) !== 0;
}

/** What a set says beside its endpoints: `external-local`, `affinity=10800s`, ... */
export function setFlags(set: SetRow): string[] {
  const flags = [
    [setFlag.internalLocal, 'internal-local'],
    [setFlag.externalLocal, 'external-local'],
    [setFlag.affinity, `affinity=${set.affinityS}s`],
    [setFlag.maglev, 'maglev'],
  ] as const;
  const shown: string[] = flags.flatMap(
    ([bit, text]) => ((set.flags & bit) === 0 ? [] : [text]),
  );
  if (set.rangeId !== 0) shown.push('ranges');
  // New flows are refused and not only dropped.
  if ((set.flags & setFlag.usable) === 0) shown.push('no-endpoint');
  return shown;
}

function walkOnce(maps: MapReader, svcId: number): ServiceWalk {
  const nothing = { svcId, gen: undefined, setId: undefined, set: undefined, slots: [] } as const;
  const record = serviceRecord(maps, svcId);
  if (record === undefined) return { ...nothing, fault: { kind: 'service-missing', svcId } };
  const { gen, setId } = record;
  const set = setAt(maps, setId);
  const reached = { ...nothing, gen, setId };
  if (set === undefined) return { ...reached, fault: { kind: 'set-missing', setId } };
  if (set.gen !== gen || set.svcId !== svcId) {
    const found = { svcId: set.svcId, gen: set.gen };
    return { ...reached, fault: { kind: 'set-stale', setId, wanted: { svcId, gen }, found } };
  }
  const count = Math.max(set.localN, set.clusterN === 0 ? 0 : set.clusterOff + set.clusterN);
  const ids = regionIds(maps, set.listBase, count);
  const slots = ids.map((backendId, slot) => slotOf(maps, set, { backendId, slot }));
  const short = ids.length < count;
  const fault = short ? { kind: 'list-short', setId, base: set.listBase } as const : undefined;
  return { ...reached, set, slots, fault };
}

function slotOf(
  maps: MapReader, set: SetRow, { backendId, slot }: { backendId: number; slot: number },
): WalkedSlot {
  const local = slot < set.localN;
  const cluster = slot >= set.clusterOff && slot < set.clusterOff + set.clusterN;
  const scope = local ? (cluster ? 'local' : 'local-only') : (cluster ? 'cluster' : 'none');
  const backend = backendAt(maps, backendId);
  const place = { slot, backendId, scope, backend } as const;
  if (backend === undefined) return { ...place, fault: { kind: 'endpoint-missing', backendId } };
  const bits = memberBits(maps, set.svcId, backendId);
  const lacksLocal = local && (bits & memberBit.local) === 0;
  const lacks = lacksLocal || (cluster && (bits & memberBit.cluster) === 0);
  const missing = lacksLocal ? 'local' : 'cluster';
  return { ...place, fault: lacks ? { kind: 'not-member', backendId, scope: missing } : undefined };
}
