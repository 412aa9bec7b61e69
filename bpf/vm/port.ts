import type { KernelPort, MapPage } from '../../lb/ports.ts';
import { err } from '../../lb/result.ts';
import type { Machine } from './machine.ts';

/** The part of `KernelPort` that is about maps. */
export type MapPort = Omit<KernelPort, 'bootId' | 'hostLock'>;

/** The maps of a machine behind the port; a name that the object does not have is ENOENT. */
export function mapPort(machine: Machine): MapPort {
  const absent = { written: 0, error: { kind: 'ENOENT' } } as const;
  return {
    update: (map, entry, flag) => machine.find(map)?.update(entry, flag) ?? err({ kind: 'ENOENT' }),
    remove: (map, key) => machine.find(map)?.remove(key) ?? err({ kind: 'ENOENT' }),
    updateMany: (map, rows, flag) => machine.find(map)?.updateMany(rows, flag) ?? absent,
    removeMany: (map, keys) => machine.find(map)?.removeMany(keys) ?? absent,
    lookup: (map, key) => machine.find(map)?.lookup(key),
    lookupMany: (map, keys) => machine.find(map)?.lookupMany(keys)
      ?? Array.from({ length: keys.count }, () => undefined),
    dump: (map) => machine.find(map)?.dump() ?? [],
    scan: (map, from, rowsMax) => machine.find(map)?.scan(from, rowsMax) ?? emptyPage(),
    tally: (map, from, rowsMax) => machine.find(map)?.tally(from, rowsMax) ?? nothing,
  };
}

const nothing = { count: 0, next: undefined } as const;

function emptyPage(): MapPage {
  return { rows: { count: 0, keys: new Uint8Array(), values: new Uint8Array() }, next: undefined };
}
