import type {
  BatchResult, KernelError, MapBatch, MapEntry, MapKeys,
} from '../../lb/ports.ts';
import { assert, type Result } from '../../lb/result.ts';

/** Applies `write` to each row of a batch in order, up to the first refusal. */
export function writeRows(
  rows: MapBatch, write: (entry: MapEntry) => Result<void, KernelError>,
): BatchResult {
  const valueSize = sizeOf(rows.values, rows.count);
  let at = 0;
  return takeKeys(rows, (key) => {
    const value = rows.values.subarray(at, at + valueSize);
    at += valueSize;
    return write({ key, value });
  });
}

/** Applies `take` to each key in order, up to the first refusal. */
export function takeKeys(
  { keys, count }: MapKeys, take: (key: Uint8Array) => Result<void, KernelError>,
): BatchResult {
  const keySize = sizeOf(keys, count);
  for (let written = 0; written < count; written += 1) {
    const result = take(keys.subarray(written * keySize, (written + 1) * keySize));
    if (!result.ok) return { written, error: result.error };
  }
  return { written: count };
}

/** Entries of one map as a batch. */
export function joinRows(entries: readonly MapEntry[]): MapBatch {
  const keySize = entries[0]?.key.length ?? 0;
  const valueSize = entries[0]?.value.length ?? 0;
  const keys = new Uint8Array(entries.length * keySize);
  const values = new Uint8Array(entries.length * valueSize);
  for (const [index, { key, value }] of entries.entries()) {
    keys.set(key, index * keySize);
    values.set(value, index * valueSize);
  }
  return { count: entries.length, keys, values };
}

/** How many entries the pages before `token` passed. */
export function pageStart(token: Uint8Array | undefined): number {
  return token === undefined ? 0 : new DataView(token.buffer, token.byteOffset).getUint32(0);
}

export function pageToken(passed: number): Uint8Array {
  const token = new Uint8Array(4);
  new DataView(token.buffer).setUint32(0, passed);
  return token;
}

function sizeOf(bytes: Uint8Array, count: number): number {
  const size = count === 0 ? 0 : bytes.length / count;
  assert(Number.isInteger(size), `${bytes.length} bytes are ${count} equal parts`);
  return size;
}
