import { ipFromBytes } from '../../lb/ip.ts';
import type { KernelPort } from '../../lb/ports.ts';
import {
  decodeAddr, decodeAddrKey, decodeFront, decodeMember, decodeMemberKey, decodeRange,
  decodeRangeKey, decodeSvc, decodeSvcKey, encodeBackend, encodeLut, encodeSet,
} from '../layout.gen.ts';
import { setRow } from './apply.ts';
import { addressBytes, bytesText } from './image.ts';
import type { Programmer } from './programmer.ts';
import type { Programmed } from './programmed.ts';
import { rangeText, type RangeRow } from './ranges.ts';
import { frontImage, readCells } from './restore.ts';
import { placeOf } from './reveal.ts';

const cellIds = 16;

/**
 * The steps of one comparison of the maps with what is known of them. Each is done in one go, and
 * others may run in between; each corrects what is known, asks for the repair, and gives how many
 * rows were not as written: a bug, or a hand in the maps (datapath.md 10).
 */
export function auditSteps(kernel: KernelPort, programmer: Programmer): readonly (() => number)[] {
  return [
    () => auditRecords(kernel, programmer),
    () => auditSets(kernel, programmer),
    () => auditLists(kernel, programmer),
    () => auditBackends(kernel, programmer),
    () => auditMembers(kernel, programmer),
    () => auditRanges(kernel, programmer),
    () => auditFronts(kernel, programmer),
    () => auditAddresses(kernel, programmer),
  ];
}

function auditRecords(kernel: KernelPort, programmer: Programmer): number {
  const rows = new Map(kernel.dump('fl_svc').map(
    ({ key, value }) => [decodeSvcKey(key).svcId, decodeSvc(value)],
  ));
  let repairs = 0;
  for (const [svcId, port] of programmer.stores.bySvcId) {
    const row = rows.get(svcId);
    rows.delete(svcId);
    if (row === undefined && !port.live) continue;
    if (port.live && row?.gen === port.gen && row.setId === port.set?.setId) continue;
    repairs += 1;
    damage(port, programmer);
  }
  for (const [svcId, { gen }] of rows) {
    repairs += 1;
    programmer.takeStray(svcId, gen);
  }
  return repairs;
}

function auditSets(kernel: KernelPort, programmer: Programmer): number {
  const ports = [...programmer.stores.bySvcId.values()].filter(({ set }) => set !== undefined);
  const cells = readCells(kernel, 'fl_set', ports.map(({ set }) => set?.setId ?? 0));
  let repairs = 0;
  for (const [index, port] of ports.entries()) {
    const { set, svcId, gen } = port;
    if (set === undefined || same(cells[index], encodeSet(setRow(set, svcId, gen)))) continue;
    repairs += 1;
    damage(port, programmer);
  }
  return repairs;
}

// Selection tables are compared a few a round, when their service ports are gone through again.
function auditLists(kernel: KernelPort, programmer: Programmer): number {
  const owners: { readonly port: Programmed; readonly cell: number; readonly from: number }[] = [];
  for (const port of programmer.stores.bySvcId.values()) {
    const { region, maglev } = port.set ?? {};
    for (let cell = 0; cell < (region?.cells ?? 0); cell += 1) {
      owners.push({ port, cell: (region?.base ?? 0) + cell, from: cell * cellIds });
    }
    if (maglev === undefined) continue;
    maglev.verified = false;
    programmer.look(port);
  }
  const cells = readCells(kernel, 'fl_lut', owners.map(({ cell }) => cell));
  const damaged = new Set<Programmed>();
  for (const [index, { port, from }] of owners.entries()) {
    const ids = port.set?.list.slice(from, from + cellIds).map(({ id }) => id) ?? [];
    const backend = Array.from({ length: cellIds }, (_, at) => ids[at] ?? 0);
    if (!same(cells[index], encodeLut({ backend }))) damaged.add(port);
  }
  for (const port of damaged) damage(port, programmer);
  return damaged.size;
}

function auditBackends(kernel: KernelPort, programmer: Programmer): number {
  const { backends, bySvcId } = programmer.stores;
  const known = [...backends.values()].filter(({ written }) => written);
  const cells = readCells(kernel, 'fl_backend', known.map(({ id }) => id));
  const broken = known.filter(({ image, gen, ifindex }, index) => {
    const { key, port, proto, flags } = image;
    const addr = addressBytes(key);
    return !same(cells[index], encodeBackend({ addr, port, proto, flags, gen, ifindex }));
  });
  if (broken.length === 0) return 0;
  for (const backend of broken) backends.disown(backend);
  for (const port of bySvcId.values()) {
    if (port.members.some(({ backend }) => backend.damaged)) programmer.look(port);
  }
  return broken.length;
}

function auditMembers(kernel: KernelPort, programmer: Programmer): number {
  const rows = new Map(kernel.dump('fl_member').map((row) => [bytesText(row.key), row]));
  const bits = new Map([...rows].map(([text, { key, value }]) => {
    const { svcId, backendId } = decodeMemberKey(key);
    return [`${svcId} ${backendId}`, { text, bits: decodeMember(value).bits }];
  }));
  let repairs = 0;
  for (const [svcId, port] of programmer.stores.bySvcId) {
    for (const member of port.members) {
      const name = `${svcId} ${member.backend.id}`;
      const row = bits.get(name);
      bits.delete(name);
      if ((row?.bits ?? 0) === member.bits) continue;
      member.bits = row?.bits ?? 0;
      repairs += 1;
      programmer.look(port);
    }
  }
  for (const { text } of bits.values()) {
    const key = rows.get(text)?.key;
    if (key !== undefined) kernel.remove('fl_member', key);
  }
  return repairs + bits.size;
}

function auditRanges(kernel: KernelPort, programmer: Programmer): number {
  const { stores } = programmer;
  const lists = new Map<number, RangeRow[]>();
  for (const { key, value } of kernel.dump('fl_range')) {
    const { rangeId, prefixlen, addr } = decodeRangeKey(key);
    const rows = lists.get(rangeId) ?? [];
    rows.push({ prefixlen, addr, bits: decodeRange(value).bits });
    lists.set(rangeId, rows);
  }
  let repairs = 0;
  for (const port of stores.bySvcId.values()) {
    const ranges = port.set?.ranges;
    if (ranges === undefined || rangeText(lists.get(ranges.id) ?? []) === ranges.text) continue;
    repairs += 1;
    damage(port, programmer);
  }
  for (const [id, rows] of lists) {
    if (stores.hasRanges(id)) continue;
    repairs += rows.length;
    const stray = { id, rows, text: rangeText(rows) };
    stores.useRanges(stray);
    stores.retireRanges(stray, 0);
  }
  return repairs;
}

function auditFronts(kernel: KernelPort, programmer: Programmer): number {
  const { fronts, addresses, bySvcId } = programmer.stores;
  const rows = new Map(kernel.dump('fl_front').map(({ key, value }) => {
    const row = decodeFront(value);
    return [bytesText(key), { ...row, image: frontImage(key, row.kind) }];
  }));
  let repairs = 0;
  const correct = (row: { image: ReturnType<typeof frontImage>; svcId: number }): void => {
    const before = fronts.get(row.image.key)?.svcId ?? 0;
    const place = placeOf(row.image);
    const holder = bySvcId.get(before);
    if (holder !== undefined) holder.fronts -= 1;
    const present = bySvcId.get(row.svcId);
    if (present !== undefined) present.fronts += 1;
    const change = Number(row.svcId !== 0) - Number(before !== 0);
    if (place !== undefined && change !== 0) addresses.place(place).fronts += change;
    fronts.observe(row.image, row.svcId);
    fronts.touchKey(row.image.key);
    repairs += 1;
  };
  for (const front of fronts.values()) {
    const row = rows.get(front.image.key);
    rows.delete(front.image.key);
    if ((row?.svcId ?? 0) === front.svcId && (row?.kind ?? 0) === front.kind) continue;
    correct({ image: row?.image ?? front.image, svcId: row?.svcId ?? 0 });
  }
  for (const row of rows.values()) correct(row);
  return repairs;
}

function auditAddresses(kernel: KernelPort, programmer: Programmer): number {
  const { addresses } = programmer.stores;
  const rows = new Map(kernel.dump('fl_addr').map(
    ({ key, value }) => [bytesText(key), { ...decodeAddrKey(key), ...decodeAddr(value) }],
  ));
  let repairs = 0;
  const correct = (place: Parameters<typeof addresses.place>[0], bits: number): void => {
    addresses.observe(place, bits);
    addresses.touch(addresses.place(place));
    repairs += 1;
  };
  for (const address of addresses.values()) {
    const row = rows.get(address.key);
    rows.delete(address.key);
    if ((row?.bits ?? 0) !== address.bits) correct(address, row?.bits ?? 0);
  }
  for (const [key, { addr, bits }] of rows) correct({ key, ip: ipFromBytes(addr) }, bits);
  return repairs;
}

function damage(port: Programmed, programmer: Programmer): void {
  port.damaged = true;
  programmer.look(port);
}

function same(found: Uint8Array | undefined, wanted: Uint8Array): boolean {
  return found !== undefined && found.length === wanted.length
    && found.every((byte, index) => byte === wanted[index]);
}
