import { decodeMemberKey, decodeSvcKey, maps as declared, setFlag } from '../layout.gen.ts';
import { cellsFor, type MapReader } from './mapreader.ts';
import { walkService, type ServiceWalk } from './servicewalk.ts';

/** How full one map is. */
export interface MapFill {
  readonly map: string;
  readonly entries: number;
  readonly limit: number;
}

type MapName = keyof typeof declared;

/** Entries of maps by name, where they are not those of a medium node. */
export type MapLimits = Readonly<Partial<Record<MapName, number>>>;

/**
 * Fill of each map whose entries the agent or a flow adds, by name. An ARRAY has all its cells from
 * the start, so there what service records reach counts; what waits in quarantine does not.
 */
export function mapFills(maps: MapReader, limits: MapLimits = {}): MapFill[] {
  const walks = maps.dump('fl_svc').map(({ key }) => walkService(maps, decodeSvcKey(key).svcId));
  const names = (Object.keys(declared) as MapName[]).sort((left, right) => (left < right ? -1 : 1));
  return names.flatMap((map) => {
    const entries = entriesOf(maps, map, walks);
    return entries === undefined
      ? []
      : [{ map, entries, limit: limits[map] ?? declared[map].entriesMax }];
  });
}

function entriesOf(
  maps: MapReader, map: MapName, walks: readonly ServiceWalk[],
): number | undefined {
  if (map === 'fl_set') return walks.filter(({ set }) => set !== undefined).length;
  if (map === 'fl_lut') return cellsOf(walks);
  if (map === 'fl_backend') {
    return new Set(maps.dump('fl_member').map(({ key }) => decodeMemberKey(key).backendId)).size;
  }
  const { type } = declared[map];
  const counted = type === 'hash' || type === 'lru-hash' || type === 'lpm-trie';
  return counted ? maps.dump(map).length : undefined;
}

// Regions may be shared by generations, never by service ports.
function cellsOf(walks: readonly ServiceWalk[]): number {
  let cells = 0;
  for (const { set, slots } of walks) {
    if (set === undefined) continue;
    cells += cellsFor(slots.length);
    if ((set.flags & setFlag.maglev) === 0) continue;
    const tables = new Set([set.maglevCluster, set.maglevLocal].filter((base) => base !== 0));
    cells += tables.size * cellsFor(set.maglevM);
  }
  return cells;
}
