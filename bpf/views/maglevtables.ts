import { decodeSvcKey, setFlag, type Set as SetRow } from '../layout.gen.ts';
import { faultText } from './mapfault.ts';
import { backendAt, regionIds, type MapReader } from './mapreader.ts';
import { walkService } from './servicewalk.ts';
import { comparePlaces, placeText } from './spelling.ts';

/** One Maglev table of the maps. A service port has one for each scope that is asked. */
export interface MaglevView {
  readonly svc: number;
  readonly scope: 'local' | 'cluster';
  /** Slots. */
  readonly size: number;
}

/** A table with what each endpoint has of it. */
export interface MaglevShares extends MaglevView {
  readonly endpoints: readonly MaglevShare[];
  readonly fault: string | undefined;
}

export interface MaglevShare {
  /** Backend id. */
  readonly id: number;
  readonly endpoint: string | undefined;
  readonly slots: number;
  /** Part of all slots, 0 to 1. */
  readonly share: number;
  readonly fault: string | undefined;
}

interface Table extends MaglevView {
  readonly base: number;
  readonly setId: number;
}

/** Every table by service port and scope. */
export function maglevViews(maps: MapReader): MaglevView[] {
  const ids = maps.dump('fl_svc').map(({ key }) => decodeSvcKey(key).svcId);
  return ids.sort((left, right) => left - right).flatMap((svc) => tablesOf(maps, svc))
    .map(({ svc, scope, size }) => ({ svc, scope, size }));
}

/** The tables of one service port, their endpoints by address and port; none without Maglev. */
export function maglevShares(maps: MapReader, svcId: number): MaglevShares[] {
  return tablesOf(maps, svcId).map(({ base, setId, ...table }) => {
    const ids = regionIds(maps, base, table.size);
    const counts = new Map<number, number>();
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    const short = ids.length < table.size;
    return {
      ...table,
      endpoints: sharesOf(maps, counts, table.size),
      fault: short ? faultText({ kind: 'list-short', setId, base }) : undefined,
    };
  });
}

/** The endpoint id in one slot of a table; undefined where the map ends before it. */
export function maglevSlot(maps: MapReader, view: MaglevView, slot: number): number | undefined {
  const table = tablesOf(maps, view.svc).find(({ scope }) => scope === view.scope);
  return table === undefined ? undefined : regionIds(maps, table.base, slot + 1)[slot];
}

function tablesOf(maps: MapReader, svc: number): Table[] {
  const { set, setId } = walkService(maps, svc);
  if (set === undefined || setId === undefined || (set.flags & setFlag.maglev) === 0) return [];
  const table = (scope: Table['scope'], base: number): Table[] => (
    // Region 0 is no region: a scope that nobody asks, or without endpoints, has no table.
    base === 0 ? [] : [{ svc, scope, size: set.maglevM, base, setId }]
  );
  return [...table('cluster', set.maglevCluster), ...table('local', localBase(set))];
}

function localBase({ localN, maglevLocal }: SetRow): number {
  return localN === 0 ? 0 : maglevLocal;
}

function sharesOf(
  maps: MapReader, counts: ReadonlyMap<number, number>, size: number,
): MaglevShare[] {
  const found = [...counts].map(([id, slots]) => ({ id, slots, backend: backendAt(maps, id) }));
  found.sort((left, right) => {
    if (left.backend === undefined || right.backend === undefined) {
      const missing = Number(left.backend !== undefined) - Number(right.backend !== undefined);
      return missing || left.id - right.id;
    }
    return comparePlaces(left.backend, right.backend) || left.id - right.id;
  });
  return found.map(({ id, slots, backend }) => {
    const share = { id, slots, share: slots / size };
    if (backend !== undefined) return { ...share, endpoint: placeText(backend), fault: undefined };
    const fault = faultText({ kind: 'endpoint-missing', backendId: id });
    return { ...share, endpoint: undefined, fault };
  });
}
