import { ipBytes16, ipFromBytes, type Ip } from '../lb/ip.ts';
import type { MapEntry } from '../lb/ports.ts';
import { assert } from '../lb/result.ts';
import { macBytes, macText } from './frames.ts';

/** Name of the pinned responder map (l2.md 10.1). */
export const responderMap = 'fl_l2';
/** Name of its counters: same key, one u64 of answers. */
export const responderStats = 'fl_l2_stats';

/** What a key names: an address on the interface that a request came in by. */
export interface ResponderKey {
  readonly ifindex: number;
  readonly ip: Ip;
}

/** What a key promises: answers with `mac` while CLOCK_BOOTTIME is below `expiryNs`. */
export interface ResponderValue {
  readonly expiryNs: bigint;
  readonly mac: string;
}

/** Sizes of its rows. */
export const responderBytes = { keyBytes: 20, valueBytes: 16 } as const;

/** 20 bytes: ifindex u32 (host order, which is little-endian here), address 16 bytes. */
export function encodeResponderKey(key: ResponderKey): Uint8Array {
  const bytes = new Uint8Array(responderBytes.keyBytes);
  new DataView(bytes.buffer).setUint32(0, key.ifindex, true);
  bytes.set(ipBytes16(key.ip), 4);
  return bytes;
}

export function decodeResponderKey(bytes: Uint8Array): ResponderKey {
  assert(bytes.length === 20, `a key of ${responderMap} has 20 bytes`);
  const ifindex = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return { ifindex, ip: ipFromBytes(bytes.subarray(4)) };
}

/** 16 bytes: expiry u64, MAC 6 bytes, 2 zero bytes. */
export function encodeResponderValue(value: ResponderValue): Uint8Array {
  const bytes = new Uint8Array(responderBytes.valueBytes);
  new DataView(bytes.buffer).setBigUint64(0, value.expiryNs, true);
  bytes.set(macBytes(value.mac), 8);
  return bytes;
}

export function decodeResponderValue(bytes: Uint8Array): ResponderValue {
  assert(bytes.length === 16, `a value of ${responderMap} has 16 bytes`);
  const expiryNs = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  return { expiryNs, mac: macText(bytes, 8) };
}

/** An entry as the kernel takes it. */
export function encodeResponderEntry(key: ResponderKey, value: ResponderValue): MapEntry {
  return { key: encodeResponderKey(key), value: encodeResponderValue(value) };
}
