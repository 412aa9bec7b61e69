import { ipFromBytes } from '../../lb/ip.ts';
import type { KernelPort, MapKeys } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import type { ServicePortId } from '../../lb/serviceport.ts';
import { putU32 } from '../bytes.ts';
import {
  decodeAddr, decodeAddrKey, decodeBackend, decodeFront, decodeFrontKey, decodeLut, decodeMember,
  decodeMemberKey, decodeRange, decodeRangeKey, decodeSet, decodeSvc, decodeSvcKey,
  type Set as SetRow, setFlag,
} from '../layout.gen.ts';
import type { Backend } from './backends.ts';
import type { Region } from './ids.ts';
import { backendKey, bytesText, type BackendImage, type FrontImage } from './image.ts';
import { scopesOf } from './plan.ts';
import { Programmed, type MaglevTables, type Member, type ProgrammedSet } from './programmed.ts';
import { rangeText, type RangeList, type RangeRow } from './ranges.ts';
import { placeOf } from './reveal.ts';
import type { Stores } from './stores.ts';
import type { MapName } from './writer.ts';

/** What an earlier process left: service ports without a name, and rows that nothing names. */
export interface Restored {
  /** By svc id; those without a record in the map are not live. */
  readonly ports: ReadonlyMap<number, Programmed>;
  readonly ranges: readonly RangeList[];
  /** There was nothing in the maps. */
  readonly empty: boolean;
}

/** Ids of service ports that came and went since the highest one that is left (datapath.md 10). */
const svcIdStride = 65_536;
const cellIds = 16;
const noName = '' as ServicePortId;

/**
 * Reads the maps of an earlier process into empty stores (datapath.md 11, step 6): what service
 * records reach is in use, all other cells are free. Writes nothing. A record whose set is not
 * whole stays live and gets a new set when its service port is gone through.
 */
export function restore(kernel: KernelPort, stores: Stores): Restored {
  const ports = new Map<number, Programmed>();
  const rows = readSets(kernel, readRecords(kernel, ports));
  const lists = readLists(kernel, rows);
  const members = readMembers(kernel, ports);
  const ids = new Set([...lists.values()].flat().concat([...members.keys()]));
  const backends = restoreBackends(kernel, stores, ids);
  for (const [id, users] of members) {
    const backend = backends.get(id);
    if (backend === undefined) continue;
    for (const { port, bits } of users) port.members.push(useOf(backend, bits));
  }
  const ranges = readRanges(kernel);
  const setIds = new Set<number>();
  for (const [port, row] of rows) {
    const list = (lists.get(port) ?? []).map((id) => backends.get(id));
    port.set = wholeSet(row, { list, ranges, stores });
    if (port.set === undefined) continue;
    setIds.add(row.setId);
    addListed(port, port.set.list);
  }
  stores.sets.restore(setIds);
  for (const [svcId, port] of ports) stores.bySvcId.set(svcId, port);
  const rowCount = restoreFronts(kernel, stores) + ports.size + ranges.size;
  const svcIds = [...stores.bySvcId.keys()];
  const last = svcIds.reduce((max, id) => Math.max(max, id), 0);
  if (last > 0 && last + svcIdStride <= 0xffff_ffff) stores.svcIds.restore(last + svcIdStride);
  stores.rangeIds.restore([...ranges.keys()].reduce((max, id) => Math.max(max, id), 0));
  const used = new Set([...ports.values()].map(({ set }) => set?.ranges));
  for (const list of ranges.values()) stores.useRanges(list);
  const unused = [...ranges.values()].filter((list) => !used.has(list));
  return { ports, ranges: unused, empty: rowCount === 0 };
}

/** Reads cells of an ARRAY map by index, in order. */
export function readCells(
  kernel: KernelPort, map: MapName, indices: readonly number[],
): readonly (Uint8Array | undefined)[] {
  const keys = new Uint8Array(indices.length * 4);
  for (const [at, index] of indices.entries()) putU32(keys, at * 4, index);
  const batch: MapKeys = { count: indices.length, keys };
  return indices.length === 0 ? [] : kernel.lookupMany(map, batch);
}

interface StoredRecord {
  readonly port: Programmed;
  readonly setId: number;
}

function readRecords(kernel: KernelPort, ports: Map<number, Programmed>): StoredRecord[] {
  return kernel.dump('fl_svc').map(({ key, value }) => {
    const port = new Programmed(noName);
    const { gen, setId } = decodeSvc(value);
    port.svcId = decodeSvcKey(key).svcId;
    port.gen = gen;
    port.live = true;
    ports.set(port.svcId, port);
    return { port, setId };
  });
}

type StoredSet = SetRow & { readonly setId: number };

function readSets(
  kernel: KernelPort, records: readonly StoredRecord[],
): Map<Programmed, StoredSet> {
  const values = readCells(kernel, 'fl_set', records.map(({ setId }) => setId));
  const rows = new Map<Programmed, StoredSet>();
  for (const [index, { port, setId }] of records.entries()) {
    const value = values[index];
    if (value === undefined || setId === 0) continue;
    const row = decodeSet(value);
    if (row.gen === port.gen && row.svcId === port.svcId) rows.set(port, { ...row, setId });
  }
  return rows;
}

// Backend ids of each list; a port whose list cannot be read is left out.
function readLists(
  kernel: KernelPort, rows: ReadonlyMap<Programmed, StoredSet>,
): Map<Programmed, readonly number[]> {
  const cells: number[] = [];
  for (const row of rows.values()) {
    const count = Math.ceil(listedOf(row) / cellIds);
    for (let cell = 0; cell < count; cell += 1) cells.push(row.listBase + cell);
  }
  const values = readCells(kernel, 'fl_lut', cells);
  const lists = new Map<Programmed, readonly number[]>();
  let at = 0;
  for (const [port, row] of rows) {
    const ids: number[] = [];
    const count = Math.ceil(listedOf(row) / cellIds);
    for (const value of values.slice(at, at + count)) {
      if (value !== undefined) ids.push(...Array.from(decodeLut(value).backend));
    }
    at += count;
    lists.set(port, ids.slice(0, listedOf(row)).filter((id) => id !== 0));
  }
  return lists;
}

function listedOf(row: SetRow): number {
  return Math.max(row.localN, row.clusterOff + row.clusterN);
}

interface Membership {
  readonly port: Programmed;
  readonly bits: number;
}

// By backend id. Rows of a service port without record make one, so that they are removed with it.
function readMembers(
  kernel: KernelPort, ports: Map<number, Programmed>,
): Map<number, Membership[]> {
  const members = new Map<number, Membership[]>();
  for (const { key, value } of kernel.dump('fl_member')) {
    const { svcId, backendId } = decodeMemberKey(key);
    const port = ports.get(svcId) ?? new Programmed(noName);
    port.svcId = svcId;
    ports.set(svcId, port);
    const users = members.get(backendId) ?? [];
    users.push({ port, bits: decodeMember(value).bits });
    members.set(backendId, users);
  }
  return members;
}

function restoreBackends(
  kernel: KernelPort, stores: Stores, ids: ReadonlySet<number>,
): Map<number, Backend> {
  const sorted = [...ids].sort((left, right) => left - right);
  const values = readCells(kernel, 'fl_backend', sorted);
  const rows = sorted.flatMap((id, index) => {
    const value = values[index];
    if (value === undefined) return [];
    const { addr, port, proto, flags, gen, ifindex } = decodeBackend(value);
    const image: Omit<BackendImage, 'key'> = { port, proto, flags };
    return [{ id, gen, ifindex, image: { ...image, key: backendKey(bytesText(addr), image) } }];
  });
  return new Map(stores.backends.restore(rows).map((backend) => [backend.id, backend]));
}

function useOf(backend: Backend, bits: number): Member {
  backend.uses += 1;
  return { backend, bits, wanted: bits, prior: bits };
}

// A backend of the list without a member row is a member all the same: it must not be given away.
function addListed(port: Programmed, list: readonly Backend[]): void {
  const present = new Set(port.members.map(({ backend }) => backend));
  for (const backend of list) if (!present.has(backend)) port.members.push(useOf(backend, 0));
}

function readRanges(kernel: KernelPort): Map<number, RangeList> {
  const rows = new Map<number, RangeRow[]>();
  for (const { key, value } of kernel.dump('fl_range')) {
    const { prefixlen, rangeId, addr } = decodeRangeKey(key);
    const list = rows.get(rangeId) ?? [];
    list.push({ prefixlen, addr, bits: decodeRange(value).bits });
    rows.set(rangeId, list);
  }
  return new Map([...rows].map(([id, list]) => [id, { id, rows: list, text: rangeText(list) }]));
}

interface SetParts {
  readonly list: readonly (Backend | undefined)[];
  readonly ranges: ReadonlyMap<number, RangeList>;
  readonly stores: Stores;
}

function wholeSet(row: StoredSet, { list, ranges, stores }: SetParts): ProgrammedSet | undefined {
  const known = list.filter((backend) => backend !== undefined);
  const rangeList = ranges.get(row.rangeId);
  if (known.length !== listedOf(row)) return undefined;
  if (row.rangeId !== 0 && rangeList === undefined) return undefined;
  const maglev = (row.flags & setFlag.maglev) !== 0;
  const tableCells = maglev ? Math.ceil(row.maglevM / cellIds) : 0;
  const places = [
    { base: row.listBase, cells: Math.ceil(known.length / cellIds) },
    { base: row.maglevCluster, cells: tableCells },
    { base: row.maglevLocal, cells: row.maglevLocal === row.maglevCluster ? 0 : tableCells },
  ];
  const regions = reserveAll(places, stores);
  if (regions === undefined) return undefined;
  const [region, cluster, ownLocal] = regions;
  const local = row.maglevLocal === row.maglevCluster ? cluster : ownLocal;
  const { flags, localN, clusterOff, clusterN, affinityS, setId } = row;
  const fields = { flags, localN, clusterOff, clusterN, affinityS };
  const tables: MaglevTables = {
    size: row.maglevM, scopes: scopesOf(row), local, cluster, verified: false,
  };
  return {
    setId, fields, list: known, region, maglev: maglev ? tables : undefined, ranges: rangeList,
  };
}

// All or none; an empty place is no region. Undefined: two sets claim one cell.
function reserveAll(
  places: readonly Region[], { regions }: Stores,
): readonly (Region | undefined)[] | undefined {
  const taken: (Region | undefined)[] = [];
  for (const place of places) {
    const empty = place.base === 0 || place.cells === 0;
    if (!empty && !regions.reserve(place)) {
      for (const region of taken) if (region !== undefined) regions.release(region);
      return undefined;
    }
    taken.push(empty ? undefined : place);
  }
  return taken;
}

// Gives the number of rows. The kind of a front is kept as the row has it.
function restoreFronts(kernel: KernelPort, stores: Stores): number {
  const addresses = kernel.dump('fl_addr');
  const fronts = kernel.dump('fl_front');
  for (const { key, value } of addresses) {
    const place = { key: bytesText(key), ip: ipFromBytes(decodeAddrKey(key).addr) };
    stores.addresses.observe(place, decodeAddr(value).bits);
  }
  for (const { key, value } of fronts) {
    const { svcId, kind } = decodeFront(value);
    const image = frontImage(key, kind);
    stores.fronts.observe(image, svcId);
    const port = stores.bySvcId.get(svcId);
    if (port !== undefined) port.fronts += 1;
    const place = placeOf(image);
    if (place !== undefined) stores.addresses.place(place).fronts += 1;
  }
  return addresses.length + fronts.length;
}

/** A front as its row says it. */
export function frontImage(key: Uint8Array, kind: number): FrontImage {
  const { addr, port, proto } = decodeFrontKey(key);
  const anywhere = addr.subarray(12).every((byte) => byte === 0)
    && addr.subarray(0, 10).every((byte) => byte === 0);
  const ip = anywhere ? undefined : ipFromBytes(addr);
  return { key: bytesText(key), address: bytesText(addr), port, proto, kind, ip };
}

/** Gives a service port of this process the rows of one of an earlier process. */
export function adopt(port: Programmed, found: Programmed, stores: Stores): void {
  assert(port.svcId === 0, `${port.id} has no rows yet`);
  port.svcId = found.svcId;
  port.gen = found.gen;
  port.live = found.live;
  port.set = found.set;
  port.members = found.members;
  port.fronts = found.fronts;
  stores.bySvcId.set(port.svcId, port);
}
