import type { Ip } from './ip.ts';
import { ipBytes16 } from './ip.ts';
import type { Protocol } from './model.ts';

/** The cluster's seed where none is configured, and in every vector (datapath.md 1). */
export const defaultHashSeed = 0x666c6c64;

/** IP protocol numbers (IANA). */
export const protocolNumbers = {
  TCP: 6, UDP: 17, SCTP: 132,
} as const satisfies Record<Protocol, number>;

/**
 * MurmurHash3 x86 32-bit, an unsigned 32-bit integer (reference: Austin Appleby, public domain).
 */
export function murmur32(bytes: Uint8Array, seed: number): number {
  const blocks = bytes.length >>> 2;
  let hash = seed | 0;
  for (let block = 0; block < blocks; block += 1) {
    hash ^= scramble(wordAt(bytes, block * 4, 4));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= scramble(wordAt(bytes, blocks * 4, bytes.length & 3));
  return mix32(hash ^ bytes.length);
}

/** The finalizer of MurmurHash3, which also spreads the SNAT port probes (datapath.md 8.3). */
export function mix32(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function wordAt(bytes: Uint8Array, offset: number, count: number): number {
  let word = 0;
  for (let index = 0; index < count; index += 1) {
    word |= (bytes[offset + index] ?? 0) << (8 * index);
  }
  return word;
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/** The five facts that tell one flow from another. */
export interface FlowTuple {
  readonly source: Ip;
  readonly sourcePort: number;
  readonly target: Ip;
  readonly targetPort: number;
  readonly protocol: Protocol;
}

/** The 40 bytes that a flow is hashed by (datapath.md 3). */
export function flowKey(flow: FlowTuple): Uint8Array {
  const key = new Uint8Array(40);
  putAddress(key, 0, flow.source);
  putAddress(key, 16, flow.target);
  const view = new DataView(key.buffer);
  view.setUint16(32, flow.sourcePort);
  view.setUint16(34, flow.targetPort);
  key[36] = protocolNumbers[flow.protocol];
  return key;
}

/** The key of affinity services: the client alone, so that every node finds the same endpoint. */
export function affinityKey(source: Ip): Uint8Array {
  const key = new Uint8Array(40);
  putAddress(key, 0, source);
  return key;
}

// Every new flow is hashed: canonical IPv4 text is read without a general parser.
function putAddress(key: Uint8Array, offset: number, address: Ip): void {
  if (address.includes(':')) {
    key.set(ipBytes16(address), offset);
    return;
  }
  key[offset + 10] = 0xff;
  key[offset + 11] = 0xff;
  let at = offset + 12;
  for (let index = 0; index < address.length; index += 1) {
    const unit = address.charCodeAt(index);
    if (unit === 0x2e) at += 1;
    else key[at] = (key[at] ?? 0) * 10 + unit - 0x30;
  }
}
