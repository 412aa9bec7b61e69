import type { Ip } from '../lb/ip.ts';
import type { KernelPort, MapBatch, Micros } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import {
  encodeResponderKey, encodeResponderValue, responderBytes, responderMap,
} from './responder-map.ts';

/** Keys extended by one call. */
const batchRowsMax = 1_000;

interface Key {
  readonly address: Ip;
  readonly bytes: Uint8Array;
  /** `bytes` as a text. */
  readonly text: string;
  readonly mac: string;
  expiry: Micros;
  /** What the map should hold. */
  value: Uint8Array;
}

/** Keys that one call extends, and its rows. */
interface Batch {
  readonly keys: readonly Key[];
  readonly rows: MapBatch;
}

/** A link as keys need it. */
export interface KeyLink {
  readonly ifindex: number;
  readonly mac: string;
}

/** What the level check found and put right. */
export interface KeyCheck {
  /** Addresses with a key missing or different. */
  readonly mismatched: readonly Ip[];
  /** Keys that nobody wanted; they are deleted. */
  readonly strays: number;
}

/**
 * This node's keys in the responder map, the only place that decides who answers. Expiries are
 * CLOCK_BOOTTIME in microseconds here and in nanoseconds in the map.
 */
export class ResponderKeys {
  #kernel: KernelPort;
  #held = new Map<Ip, Map<number, Key>>();
  #byText = new Map<string, Key>();
  /** The value encoded last: a renewal gives thousands of keys the same. */
  #last: { readonly mac: string; readonly expiry: Micros; readonly value: Uint8Array } | undefined;
  /** Of the addresses extended last; undefined: a key came or went since. */
  #batches: { readonly of: readonly Ip[]; readonly list: readonly Batch[] } | undefined;
  /** Writes that the kernel refused. */
  errors = 0;

  constructor(kernel: KernelPort) {
    this.#kernel = kernel;
  }

  /** Rule S2: deletes everything and reads the map back; false: something is left. */
  clear(): boolean {
    this.#batches = undefined;
    this.#held.clear();
    this.#byText.clear();
    for (const { key } of this.#kernel.dump(responderMap)) this.#kernel.remove(responderMap, key);
    return this.#kernel.dump(responderMap).length === 0;
  }

  has(address: Ip): boolean {
    return this.#held.has(address);
  }

  /** Interfaces with a key of this address, ascending. */
  ifindexes(address: Ip): number[] {
    return [...(this.#held.get(address)?.keys() ?? [])].sort((a, b) => a - b);
  }

  get size(): number {
    return this.#held.size;
  }

  /** Makes the keys of `address` be exactly those of `links`, and reads them back (L2). */
  put(address: Ip, links: readonly KeyLink[], expiry: Micros): boolean {
    const keys = this.#held.get(address) ?? new Map<number, Key>();
    this.#held.set(address, keys);
    this.#batches = undefined;
    let sound = true;
    for (const ifindex of this.ifindexes(address)) {
      if (!links.some((link) => link.ifindex === ifindex) && !this.#removeOne(keys, ifindex)) {
        sound = false;
      }
    }
    for (const { ifindex, mac } of links) {
      const bytes = keys.get(ifindex)?.bytes ?? encodeResponderKey({ ifindex, ip: address });
      const value = this.#valueOf(mac, expiry);
      const key = { address, bytes, text: textOf(bytes), mac, expiry, value };
      keys.set(ifindex, key);
      this.#byText.set(key.text, key);
      const written = this.#kernel.update(responderMap, { key: bytes, value }, 'any');
      if (!written.ok) this.errors += 1;
      if (!written.ok || !sameBytes(this.#kernel.lookup(responderMap, bytes), value)) sound = false;
    }
    return sound;
  }

  /**
   * Raises expiries of existing keys in as few calls as can be; creates none (l2.md 5.4). What an
   * identical list of addresses comes to is remembered, for renewals prolong the same every second.
   */
  extend(addresses: readonly Ip[], expiry: Micros): void {
    if (this.#batches?.of !== addresses) {
      const keys = addresses.flatMap((address) => [...this.#held.get(address)?.values() ?? []]);
      this.#batches = { of: addresses, list: batchesOf(keys) };
    }
    for (const batch of this.#batches.list) this.#extendBatch(batch, expiry);
  }

  #extendBatch(batch: Batch, expiry: Micros): void {
    const due = ({ expiry: before }: Key): boolean => expiry > before;
    let { keys, rows } = batch.keys.every(due) ? batch : batchOf(batch.keys.filter(due));
    while (keys.length > 0) {
      const { valueBytes } = responderBytes;
      let row = 0;
      for (const { mac } of keys) {
        rows.values.set(this.#valueOf(mac, expiry), row * valueBytes);
        row += 1;
      }
      const { written, error } = this.#kernel.updateMany(responderMap, rows, 'exist');
      for (let index = 0; index < written; index += 1) this.#extended(keys[index], expiry);
      if (error === undefined) return;
      // A missing key is the level check's to repair, an expiry that did not rise dies by itself.
      this.errors += 1;
      ({ keys, rows } = batchOf(keys.slice(written + 1)));
    }
  }

  #extended(key: Key | undefined, expiry: Micros): void {
    if (key === undefined) return;
    key.expiry = expiry;
    key.value = this.#valueOf(key.mac, expiry);
  }

  /** Deletes every key of `address` and reads them back as gone; false: one may be left. */
  remove(address: Ip): boolean {
    const keys = this.#held.get(address);
    if (keys === undefined) return true;
    let gone = true;
    for (const ifindex of this.ifindexes(address)) {
      if (!this.#removeOne(keys, ifindex)) gone = false;
    }
    if (gone) this.#held.delete(address);
    return gone;
  }

  /** The latest instant at which a key of `address` may still answer. */
  lastExpiry(address: Ip): Micros {
    let last = 0;
    for (const key of this.#held.get(address)?.values() ?? []) last = Math.max(last, key.expiry);
    return last;
  }

  /** Compares the map with what should be in it; strays go at once. */
  check(): KeyCheck {
    const sound = new Set<Key>();
    let strays = 0;
    for (const { key, value } of this.#kernel.dump(responderMap)) {
      const found = this.#byText.get(textOf(key));
      if (found === undefined) {
        strays += 1;
        this.#kernel.remove(responderMap, key);
      } else if (sameBytes(value, found.value)) sound.add(found);
    }
    const mismatched = new Set<Ip>();
    for (const key of this.#byText.values()) if (!sound.has(key)) mismatched.add(key.address);
    return { mismatched: [...mismatched].sort(compareText), strays };
  }

  #valueOf(mac: string, expiry: Micros): Uint8Array {
    if (this.#last?.mac !== mac || this.#last.expiry !== expiry) {
      const value = encodeResponderValue({ expiryNs: BigInt(expiry) * 1000n, mac });
      this.#last = { mac, expiry, value };
    }
    return this.#last.value;
  }

  #removeOne(keys: Map<number, Key>, ifindex: number): boolean {
    const key = keys.get(ifindex);
    if (key === undefined) return true;
    const removed = this.#kernel.remove(responderMap, key.bytes);
    if (!removed.ok) this.errors += 1;
    if (this.#kernel.lookup(responderMap, key.bytes) !== undefined) return false;
    this.#batches = undefined;
    keys.delete(ifindex);
    this.#byText.delete(key.text);
    return true;
  }
}

function batchesOf(keys: readonly Key[]): Batch[] {
  const batches: Batch[] = [];
  for (let from = 0; from < keys.length; from += batchRowsMax) {
    batches.push(batchOf(keys.slice(from, from + batchRowsMax)));
  }
  return batches;
}

/** Room for one write of these keys. */
function batchOf(keys: readonly Key[]): Batch {
  const { keyBytes, valueBytes } = responderBytes;
  const bytes = new Uint8Array(keys.length * keyBytes);
  for (const [row, key] of keys.entries()) bytes.set(key.bytes, row * keyBytes);
  const values = new Uint8Array(keys.length * valueBytes);
  return { keys, rows: { count: keys.length, keys: bytes, values } };
}

function sameBytes(left: Uint8Array | undefined, right: Uint8Array): boolean {
  if (left?.length !== right.length) return false;
  for (let index = 0; index < right.length; index += 1) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}

// Spreading bytes over the arguments takes four times as long.
function textOf(bytes: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, bytes) as string;
}
