import type { KernelPort } from '../../lb/ports.ts';
import {
  decodeBackend, decodeLut, decodeMember, decodeSet, decodeSvc, encodeMemberKey, encodeSvcKey,
  type Backend, type Set as SetRow, type Svc,
} from '../layout.gen.ts';
import { putU32 } from '../bytes.ts';

/** Reads of one node's maps: of a live kernel, of a simulated one, or of rows that were kept. */
export type MapReader = Pick<KernelPort, 'dump' | 'lookup'>;

const cellIds = 16;

/** The record of a service port; undefined when there is none. */
export function serviceRecord(maps: MapReader, svcId: number): Svc | undefined {
  const bytes = maps.lookup('fl_svc', encodeSvcKey({ svcId }));
  return bytes === undefined ? undefined : decodeSvc(bytes);
}

/** A set that somebody wrote; a cell of zeros is none, because no generation is 0. */
export function setAt(maps: MapReader, setId: number): SetRow | undefined {
  const bytes = setId === 0 ? undefined : maps.lookup('fl_set', indexKey(setId));
  const set = bytes === undefined ? undefined : decodeSet(bytes);
  return set?.gen === 0 ? undefined : set;
}

/** A backend that somebody wrote; a cell of zeros is none, because no protocol is 0. */
export function backendAt(maps: MapReader, id: number): Backend | undefined {
  const bytes = id === 0 ? undefined : maps.lookup('fl_backend', indexKey(id));
  const backend = bytes === undefined ? undefined : decodeBackend(bytes);
  return backend?.proto === 0 ? undefined : backend;
}

/** Bits of a member; 0 when it is none. */
export function memberBits(maps: MapReader, svcId: number, backendId: number): number {
  const bytes = maps.lookup('fl_member', encodeMemberKey({ svcId, backendId }));
  return bytes === undefined ? 0 : decodeMember(bytes).bits;
}

/**
 * The first `count` ids of a region of `fl_lut`. Fewer where the region leaves the map, which also
 * bounds what a broken set can ask for.
 */
export function regionIds(maps: MapReader, baseCell: number, count: number): number[] {
  const ids: number[] = [];
  for (let cell = baseCell; ids.length < count; cell += 1) {
    const bytes = cell > 0xffff_ffff ? undefined : maps.lookup('fl_lut', indexKey(cell));
    if (bytes === undefined) break;
    for (const id of Array.from(decodeLut(bytes).backend)) ids.push(id);
  }
  return ids.length > count ? ids.slice(0, count) : ids;
}

/** Cells of `fl_lut` that hold so many ids. */
export function cellsFor(ids: number): number {
  return Math.ceil(ids / cellIds);
}

function indexKey(index: number): Uint8Array {
  const key = new Uint8Array(4);
  putU32(key, 0, index);
  return key;
}
