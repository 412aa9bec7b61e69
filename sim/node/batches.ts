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

function sizeOf(bytes: Uint8Array, count: number): number {
  const size = count === 0 ? 0 : bytes.length / count;
  assert(Number.isInteger(size), `${bytes.length} bytes are ${count} equal parts`);
  return size;
}
