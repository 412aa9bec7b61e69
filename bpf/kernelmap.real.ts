import type {
  BatchResult, KernelError, MapBatch, MapEntry, MapFlag, MapKeys, MapPage,
} from '../lb/ports.ts';
import { assert, err, ok, type Result } from '../lb/result.ts';
import type { Addon, MapHandle } from './native.real.ts';
import { isRefused, kernelError } from './refusal.real.ts';

/** A map as the kernel knows it. Sizes in bytes. */
export interface MapFacts {
  /** enum bpf_map_type. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly entriesMax: number;
  readonly flags: number;
  readonly id: number;
  /** Values kept per key: 1, or one for each possible CPU. */
  readonly cpus: number;
  /** What the kernel copies for one key: per-CPU values are rounded up to 8 bytes each. */
  readonly valueBytes: number;
}

const typeArray = 2;
const flagMmapable = 1 << 10;
const flagNumbers: Readonly<Record<MapFlag, number>> = { any: 0, noexist: 1, exist: 2 };

// A batch of a thousand takes about 0.3 ms: timers are never late (datapath.md 15).
const batchRows = 1_000;

/** What the kernel tells of a map. */
export function mapFacts(addon: Addon, handle: MapHandle): MapFacts {
  const numbers = addon.mapFacts(handle);
  assert(!isRefused(numbers), 'an open map tells its facts');
  const [type = 0, keySize = 0, valueSize = 0, entriesMax = 0, ...rest] = numbers as number[];
  const [flags = 0, id = 0, cpus = 0, valueBytes = 0] = rest;
  return { type, keySize, valueSize, entriesMax, flags, id, cpus, valueBytes };
}

/**
 * One map of the kernel. Per-CPU values come out summed in 64-bit words and go in as one CPU's; a
 * mmapable array is read and written without system calls.
 */
export class KernelMap {
  readonly facts: MapFacts;
  readonly handle: MapHandle;
  #addon: Addon;
  #cells: Uint8Array | undefined;

  constructor(addon: Addon, handle: MapHandle) {
    this.#addon = addon;
    this.handle = handle;
    this.facts = mapFacts(addon, handle);
    if (this.facts.type !== typeArray || (this.facts.flags & flagMmapable) === 0) return;
    const cells = addon.mapCells(handle);
    if (!isRefused(cells)) this.#cells = new Uint8Array(cells as ArrayBuffer);
  }

  close(): void {
    this.#addon.close(this.handle);
  }

  update({ key, value }: MapEntry, flag: MapFlag): Result<void, KernelError> {
    if (this.#cells !== undefined || this.facts.cpus > 1) {
      const { error } = this.updateMany({ count: 1, keys: key, values: value }, flag);
      return error === undefined ? ok(undefined) : err(error);
    }
    const code = this.#addon.mapUpdate(this.handle, key, value, flagNumbers[flag]);
    return isRefused(code) ? err(kernelError(code)) : ok(undefined);
  }

  remove(key: Uint8Array): Result<void, KernelError> {
    const code = this.#addon.mapDelete(this.handle, key);
    const error = isRefused(code) ? kernelError(code) : undefined;
    return error === undefined || error.kind === 'ENOENT' ? ok(undefined) : err(error);
  }

  updateMany(rows: MapBatch, flag: MapFlag): BatchResult {
    if (!this.#fits(rows) || rows.values.length !== rows.count * this.facts.valueSize) {
      return { written: 0, error: { kind: 'EINVAL' } };
    }
    if (this.#cells !== undefined) return this.#writeCells(rows, flag);
    return this.#inBatches(rows, ({ from, to, keys }) => {
      const values = this.#laid(rows.values.subarray(
        from * this.facts.valueSize, to * this.facts.valueSize,
      ));
      return this.#addon.mapUpdateBatch(this.handle, keys, values, to - from, flagNumbers[flag]);
    });
  }

  removeMany(keys: MapKeys): BatchResult {
    if (!this.#fits(keys)) return { written: 0, error: { kind: 'EINVAL' } };
    return this.#inBatches(
      keys, (part) => this.#addon.mapDeleteBatch(this.handle, part.keys, part.to - part.from),
    );
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    if (key.length !== this.facts.keySize) return undefined;
    if (this.#cells !== undefined) return this.#cell(indexOf(key))?.slice();
    const value = new Uint8Array(this.facts.valueBytes);
    const code = this.#addon.mapLookup(this.handle, key, value);
    return isRefused(code) ? undefined : this.#summed(value, 1);
  }

  lookupMany({ count, keys }: MapKeys): readonly (Uint8Array | undefined)[] {
    const { valueSize, valueBytes } = this.facts;
    if (!this.#fits({ count, keys })) return Array.from({ length: count }, () => undefined);
    if (this.#cells !== undefined) {
      return Array.from(indicesOf(keys), (index) => this.#cell(index)?.slice());
    }
    const present = new Uint8Array(count);
    const values = new Uint8Array(count * valueBytes);
    const code = this.#addon.mapLookupEach(this.handle, keys, values, present, count);
    if (isRefused(code)) return Array.from({ length: count }, () => undefined);
    const read = this.#summed(values, count);
    return Array.from(present, (there, row) => (
      there === 1 ? read.slice(row * valueSize, (row + 1) * valueSize) : undefined
    ));
  }

  dump(): readonly MapEntry[] {
    const entries: MapEntry[] = [];
    let next: Uint8Array | undefined;
    do {
      const page = this.scan(next, batchRows);
      entries.push(...entriesOf(page.rows, this.facts));
      ({ next } = page);
    } while (next !== undefined);
    return entries;
  }

  scan(from: Uint8Array | undefined, rowsMax: number): MapPage {
    const { keySize, valueBytes, valueSize, entriesMax } = this.facts;
    const cursor = from?.slice() ?? new Uint8Array(Math.max(4, keySize));
    // One bucket of a hash comes whole or not at all (ENOSPC), so the room may have to grow.
    for (let room = rowsMax; ; room *= 2) {
      const keys = new Uint8Array(room * keySize);
      const values = new Uint8Array(room * valueBytes);
      const [count, more] = this.#addon.mapReadBatch(
        this.handle, from === undefined, cursor, keys, values, room,
      );
      if (kernelError(more).kind === 'ENOSPC' && room < entriesMax) continue;
      assert(!isRefused(more), `map ${this.facts.id} is read: errno ${-more}`);
      const rows = {
        count, keys: keys.slice(0, count * keySize),
        values: this.#summed(values.subarray(0, count * valueBytes), count),
      };
      assert(rows.values.length === count * valueSize, 'a row has one value');
      return { rows, next: more === 1 ? cursor : undefined };
    }
  }

  #fits({ keys, count }: MapKeys): boolean {
    return keys.length === count * this.facts.keySize;
  }

  #inBatches(
    { count, keys }: MapKeys,
    write: (part: { from: number; to: number; keys: Uint8Array }) => readonly [number, number],
  ): BatchResult {
    const { keySize } = this.facts;
    for (let from = 0; from < count; from += batchRows) {
      const to = Math.min(count, from + batchRows);
      const [done, code] = write({ from, to, keys: keys.subarray(from * keySize, to * keySize) });
      if (isRefused(code)) return { written: from + done, error: kernelError(code) };
    }
    return { written: count };
  }

  /**
   * Cells in a row are written in one go: a Maglev table is thousands of them. The system call that
   * commits takes the lock of a hash bucket, so programs that see its row see these cells.
   */
  #writeCells({ count, keys, values }: MapBatch, flag: MapFlag): BatchResult {
    const { valueSize, entriesMax } = this.facts;
    const indices = indicesOf(keys);
    const stride = roundedTo8(valueSize);
    let row = 0;
    while (row < count) {
      const first = indices[row] ?? 0;
      if (first >= entriesMax) return { written: row, error: { kind: 'E2BIG' } };
      // Every cell of an array is there from the start.
      if (flag === 'noexist') return { written: row, error: { kind: 'EEXIST' } };
      let length = 1;
      while (
        stride === valueSize && row + length < count && first + length < entriesMax
        && indices[row + length] === first + length
      ) length += 1;
      const part = values.subarray(row * valueSize, (row + length) * valueSize);
      this.#cells?.set(part, first * stride);
      row += length;
    }
    return { written: count };
  }

  #cell(index: number): Uint8Array | undefined {
    if (this.#cells === undefined || index >= this.facts.entriesMax) return undefined;
    const at = index * roundedTo8(this.facts.valueSize);
    return this.#cells.subarray(at, at + this.facts.valueSize);
  }

  /** Values of one CPU each as the kernel takes them: the other CPUs have zeros. */
  #laid(values: Uint8Array): Uint8Array {
    const { cpus, valueSize, valueBytes } = this.facts;
    if (cpus === 1) return values;
    const laid = new Uint8Array((values.length / valueSize) * valueBytes);
    for (let row = 0; row * valueSize < values.length; row += 1) {
      laid.set(values.subarray(row * valueSize, (row + 1) * valueSize), row * valueBytes);
    }
    return laid;
  }

  /** Values as the port gives them: those of all CPUs added up. */
  #summed(values: Uint8Array, count: number): Uint8Array {
    if (this.facts.cpus === 1) return values.slice();
    const sums = new Uint8Array(count * this.facts.valueSize);
    const code = this.#addon.mapSum(this.handle, values, sums, count);
    assert(!isRefused(code), 'per-CPU values are 64-bit words');
    return sums;
  }
}

function indexOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true);
}

function indicesOf(keys: Uint8Array): Uint32Array {
  // Copied, because a view of words must begin at a word. A Buffer's slice would be no copy.
  return new Uint32Array(new Uint8Array(keys).buffer);
}

function roundedTo8(size: number): number {
  return Math.ceil(size / 8) * 8;
}

function entriesOf({ count, keys, values }: MapBatch, facts: MapFacts): MapEntry[] {
  const { keySize, valueSize } = facts;
  return Array.from({ length: count }, (_, row) => ({
    key: keys.slice(row * keySize, (row + 1) * keySize),
    value: values.slice(row * valueSize, (row + 1) * valueSize),
  }));
}
