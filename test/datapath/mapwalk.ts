import {
  addrBit, decodeAddr, decodeBackend, decodeFront, decodeLut, decodeMember, decodeRange,
  decodeRangeKey, decodeNetKey, decodeSet, decodeSvc, encodeAddrKey, encodeFrontKey,
  encodeMemberKey, encodeSvcKey, frontKind, memberBit, rangeBit, setFlag, type Set as SetRow,
} from '../../bpf/layout.gen.ts';
import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import type { FlowPacket } from '../../lb/decide.ts';
import { ipBytes16, ipFromBytes } from '../../lb/ip.ts';
import { protocolNumbers } from '../../lb/murmur.ts';
import { policyVerdict, type Scope, type SourceClass } from '../../lb/policy.ts';
import type { FrontKind } from '../../lb/view.ts';
import { bytesText } from '../../bpf/datapath/image.ts';
import type { SimKernel } from '../../sim/node/kernel.ts';

/** What a walk reads: one node's maps as bytes. */
export interface MapReader {
  lookup(map: string, key: Uint8Array): Uint8Array | undefined;
  entries(map: string): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

export function readerOf(kernel: SimKernel): MapReader {
  return {
    lookup: (map, key) => kernel.lookup(map, key),
    entries: (map) => kernel.touched(map),
  };
}

const kinds: ReadonlyMap<number, FrontKind> = new Map([
  [frontKind.clusterIp, 'clusterIp'], [frontKind.vip, 'vip'],
  [frontKind.externalIp, 'externalIp'], [frontKind.nodePort, 'nodePort'],
]);

/**
 * What the programs make of the first packet of a flow: front, record, set, window, cells and
 * backends. A dangling reference is `DROP stale` or `DROP noBackend`.
 */
export function walkMaps(maps: MapReader, packet: FlowPacket, options: DatapathOptions): string {
  const front = frontOf(maps, packet);
  if (front === undefined) return miss(maps, packet, options);
  const kind = kinds.get(front.kind);
  if (kind === undefined) return `DROP kind ${front.kind}`;
  const record = maps.lookup('fl_svc', encodeSvcKey({ svcId: front.svcId }));
  if (record === undefined) return 'DROP stale';
  const { gen, setId } = decodeSvc(record);
  const set = decodeSet(maps.lookup('fl_set', index(setId)) ?? new Uint8Array(64));
  if (setId === 0 || set.gen !== gen || set.svcId !== front.svcId) return 'DROP stale';
  if (kind === 'vip' && !admits(maps, set.rangeId, packet)) return 'DROP srcRange';
  const source = classOf(maps, packet);
  if (kind === 'clusterIp' && source === 'external' && !options.externalClusterIp) {
    return 'DROP externalClusterIp';
  }
  const internalLocal = (set.flags & setFlag.internalLocal) !== 0;
  const externalLocal = (set.flags & setFlag.externalLocal) !== 0;
  const verdict = policyVerdict({ source, front: kind, internalLocal, externalLocal }, options);
  const candidates = windowOf(maps, set, verdict.scope);
  if (typeof candidates === 'string') return candidates;
  if (candidates.length === 0) {
    return (set.flags & setFlag.usable) === 0 ? 'REJECT noEndpoint' : 'DROP policyEmpty';
  }
  return [...candidates, ...(verdict.masquerade ? ['M'] : [])].join(' ');
}

function frontOf(maps: MapReader, packet: FlowPacket): { svcId: number; kind: number } | undefined {
  const { target, targetPort: port, protocol, ingress } = packet;
  const proto = protocolNumbers[protocol];
  const row = maps.lookup('fl_front', encodeFrontKey({ addr: ipBytes16(target), port, proto }));
  if (row !== undefined) return decodeFront(row);
  const loopback = ingress === 'host' && (target.startsWith('127.') || target === '::1');
  if (!loopback && (bitsOf(maps, packet.target) & addrBit.nodePort) === 0) return undefined;
  const addr = new Uint8Array(16);
  if (!target.includes(':')) addr.fill(0xff, 10, 12);
  const node = maps.lookup('fl_front', encodeFrontKey({ addr, port, proto }));
  return node === undefined ? undefined : decodeFront(node);
}

function miss(maps: MapReader, packet: FlowPacket, options: DatapathOptions): string {
  const bits = bitsOf(maps, packet.target);
  if ((bits & addrBit.clusterIp) !== 0) return 'REJECT unknownPort';
  if ((bits & addrBit.foreign) !== 0) return 'NOT_MINE';
  if (inNet(maps, packet.target)) return 'DROP unallocated';
  const guarded = (bits & addrBit.vip) !== 0 && (bits & addrBit.node) === 0;
  return guarded && packet.ingress === 'external' && options.vipGuard ? 'DROP vipPort' : 'NOT_MINE';
}

function classOf(maps: MapReader, packet: FlowPacket): SourceClass {
  const own = (bitsOf(maps, packet.source) & addrBit.node) !== 0;
  if (packet.ingress === 'host' || own) return 'node';
  return packet.ingress === 'pod' ? 'pod' : 'external';
}

function bitsOf(maps: MapReader, address: FlowPacket['source']): number {
  const row = maps.lookup('fl_addr', encodeAddrKey({ addr: ipBytes16(address) }));
  return row === undefined ? 0 : decodeAddr(row).bits;
}

function inNet(maps: MapReader, address: FlowPacket['source']): boolean {
  const addr = ipBytes16(address);
  for (const { key } of maps.entries('fl_net')) {
    const net = decodeNetKey(key);
    if (samePrefix(net.addr, addr, net.prefixlen)) return true;
  }
  return false;
}

function admits(maps: MapReader, rangeId: number, { source, target }: FlowPacket): boolean {
  if (rangeId === 0) return true;
  const addr = ipBytes16(source);
  let best = { prefixlen: -1, bits: 0 };
  for (const { key, value } of maps.entries('fl_range')) {
    const range = decodeRangeKey(key);
    if (range.rangeId !== rangeId || !samePrefix(range.addr, addr, range.prefixlen - 32)) continue;
    if (range.prefixlen > best.prefixlen) {
      best = { prefixlen: range.prefixlen, bits: decodeRange(value).bits };
    }
  }
  if ((best.bits & rangeBit.admit) !== 0) return true;
  return (best.bits & rangeBit.self) !== 0 && source === target;
}

function samePrefix(left: Uint8Array, right: Uint8Array, bits: number): boolean {
  for (let bit = 0; bit < bits; bit += 1) {
    const mask = 0x80 >> (bit & 7);
    if (((left[bit >> 3]! ^ right[bit >> 3]!) & mask) !== 0) return false;
  }
  return true;
}

// Addresses with ports in the order of the list, or why the window cannot be used.
function windowOf(maps: MapReader, set: SetRow, scope: Scope): readonly string[] | string {
  const from = scope === 'local' ? 0 : set.clusterOff;
  const count = scope === 'local' ? set.localN : set.clusterN;
  const bit = scope === 'local' ? memberBit.local : memberBit.cluster;
  const ids = idsOf(maps, { base: set.listBase, from, count });
  const names: string[] = [];
  for (const backendId of ids) {
    const row = maps.lookup('fl_backend', index(backendId));
    const backend = row === undefined ? undefined : decodeBackend(row);
    if (backendId === 0 || backend === undefined || backend.proto === 0) return 'DROP noBackend';
    const member = maps.lookup('fl_member', encodeMemberKey({ svcId: set.svcId, backendId }));
    if (member === undefined || (decodeMember(member).bits & bit) === 0) return 'DROP noMember';
    names.push(`${ipFromBytes(backend.addr)}:${backend.port}`);
  }
  if ((set.flags & setFlag.maglev) === 0 || count === 0) return names;
  const base = scope === 'local' ? set.maglevLocal : set.maglevCluster;
  const slots = new Set(idsOf(maps, { base, from: 0, count: set.maglevM }));
  const listed = new Set(ids);
  return [...slots].every((id) => listed.has(id)) ? names : 'DROP wrongSlot';
}

/** Ids of a region, `from` and `count` in ids. */
export function idsOf(
  maps: MapReader, { base, from, count }: { base: number; from: number; count: number },
): number[] {
  const ids: number[] = [];
  const cells = new Map<number, ArrayLike<number>>();
  for (let at = from; at < from + count; at += 1) {
    const cell = base + (at >> 4);
    const words = cells.get(cell)
      ?? decodeLut(maps.lookup('fl_lut', index(cell)) ?? new Uint8Array(64)).backend;
    cells.set(cell, words);
    ids.push(words[at & 15]!);
  }
  return ids;
}

function index(id: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, id, true);
  return key;
}

/** All rows of a map, as texts that can be compared. */
export function rowsOf(maps: MapReader, map: string): ReadonlyMap<string, string> {
  const rows = [...maps.entries(map)];
  return new Map(rows.map(({ key, value }) => [bytesText(key), bytesText(value)]));
}
