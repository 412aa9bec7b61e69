import type {
  BatchResult, KernelError, MapBatch, MapEntry, MapFlag, MapKeys, MapPage, MapTally,
} from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { errno, kernelError } from './errno.ts';
import { place } from './layout.ts';
import { ArrayMap } from './maps/array.ts';
import { updateFlag } from './maps/map.ts';
import type { Memory } from './memory.ts';
import type { TableMap } from './runtime.ts';

/**
 * A map of a machine as `KernelPort` shows it: bytes in, bytes out, both copied. Keys and values of
 * a wrong length are EINVAL; removing what is not there succeeds; values of per-CPU maps are those
 * of the only CPU. Dumps and scans meet the entries in an order that the seed decides.
 */
export class MachineMap {
  readonly map: TableMap;
  readonly #memory: Memory;
  readonly #seed: number;

  constructor(memory: Memory, map: TableMap, seed: number) {
    this.#memory = memory;
    this.map = map;
    this.#seed = seed;
  }

  get name(): string {
    return this.map.definition.name;
  }

  /** Entries in it; for an array all that it has. */
  get size(): number {
    return this.map.size;
  }

  /** Bytes of a key. */
  get keySize(): number {
    return this.map.definition.keySize;
  }

  /** Bytes of a value. */
  get valueSize(): number {
    return this.map.definition.valueSize;
  }

  /** The value of a key. Leaves no trace in an LRU map. */
  lookup(key: Uint8Array): Uint8Array | undefined {
    return key.length === this.keySize ? this.#lookupAt(key, 0) : undefined;
  }

  /** The value of each key, in the order of the keys. */
  lookupMany({ count, keys }: MapKeys): readonly (Uint8Array | undefined)[] {
    const fits = keys.length === count * this.keySize;
    return Array.from({ length: count }, (_, row) => (
      fits ? this.#lookupAt(keys, row * this.keySize) : undefined
    ));
  }

  update({ key, value }: MapEntry, flag: MapFlag): Result<void, KernelError> {
    const { error } = this.updateMany({ count: 1, keys: key, values: value }, flag);
    return error === undefined ? ok(undefined) : err(error);
  }

  remove(key: Uint8Array): Result<void, KernelError> {
    const { error } = this.removeMany({ count: 1, keys: key });
    return error === undefined ? ok(undefined) : err(error);
  }

  /** Writes rows in their order and stops at the first refusal. */
  updateMany({ count, keys, values }: MapBatch, flag: MapFlag): BatchResult {
    const { keySize, valueSize } = this;
    if (keys.length !== count * keySize || values.length !== count * valueSize) {
      return { written: 0, error: { kind: 'EINVAL' } };
    }
    for (let row = 0; row < count; row += 1) {
      this.#takeKey(keys, row * keySize);
      const address = this.map.place(place.scratch, updateFlag[flag]);
      if (address <= 0) return { written: row, error: kernelError(address) };
      const { bytes } = this.#memory;
      const from = row * valueSize;
      for (let at = 0; at < valueSize; at += 1) bytes[address + at] = values[from + at] ?? 0;
    }
    return { written: count };
  }

  /** Removes keys in their order and stops at the first refusal. */
  removeMany({ count, keys }: MapKeys): BatchResult {
    const { keySize } = this;
    if (keys.length !== count * keySize) return { written: 0, error: { kind: 'EINVAL' } };
    for (let row = 0; row < count; row += 1) {
      this.#takeKey(keys, row * keySize);
      const status = this.map.remove(place.scratch);
      const refused = status !== 0 && status !== -errno.ENOENT;
      if (refused) return { written: row, error: kernelError(status) };
    }
    return { written: count };
  }

  /** All entries. An array has all of its elements. */
  dump(): MapEntry[] {
    const found: number[] = [];
    const span = spanOf(this.map.positions);
    for (let at = 0; at < span; at += 1) {
      const position = this.#shuffled(at, span);
      if (this.#isThere(position)) found.push(position);
    }
    return this.#entries(found);
  }

  /** The entries that may differ from zero: an array without the parts that nobody has touched. */
  touched(): MapEntry[] {
    const { map } = this;
    if (!(map instanceof ArrayMap)) return this.dump();
    return this.#entries([...map.touched()]);
  }

  /**
   * Up to `rowsMax` rows from where an earlier page ended. What lives from the first page to the
   * last is met exactly once, whatever is written in between.
   */
  scan(from: Uint8Array | undefined, rowsMax: number): MapPage {
    const found: number[] = [];
    const next = this.#walk(from, (position) => found.push(position) < rowsMax);
    return { rows: this.#rows(found), next };
  }

  /** The same without the rows. */
  tally(from: Uint8Array | undefined, rowsMax: number): MapTally {
    let count = 0;
    const next = this.#walk(from, () => {
      count += 1;
      return count < rowsMax;
    });
    return { count, next };
  }

  /** Meets positions that are taken, until `wanted` says enough; where to go on. */
  #walk(
    from: Uint8Array | undefined, wanted: (position: number) => boolean,
  ): Uint8Array | undefined {
    const { position, span } = cursorOf(from) ?? { position: 0, span: spanOf(this.map.positions) };
    let more = true;
    let at = position;
    for (; at < span && more; at += 1) {
      const taken = this.#shuffled(at, span);
      if (this.#isThere(taken)) more = wanted(taken);
    }
    return at < span ? cursorBytes({ position: at, span }) : undefined;
  }

  /** Copies of the keys and values at these positions, one behind the other. */
  #rows(positions: readonly number[]): MapBatch {
    const { keySize, valueSize, map } = this;
    const count = positions.length;
    const rows = {
      count, keys: new Uint8Array(count * keySize), values: new Uint8Array(count * valueSize),
    };
    if (map instanceof ArrayMap) this.#copyElements(rows, positions);
    else if ((keySize | valueSize) % 4 === 0) this.#copyWords(rows, positions);
    else this.#copyBytes(rows, positions);
    return rows;
  }

  #copyElements({ keys, values }: MapBatch, positions: readonly number[]): void {
    const { bytes } = this.#memory;
    const { keySize, valueSize } = this;
    positions.forEach((position, row) => {
      const value = this.map.valueAt(position);
      for (let at = 0; at < keySize; at += 1) keys[row * keySize + at] = position >>> (8 * at);
      values.set(bytes.subarray(value, value + valueSize), row * valueSize);
    });
  }

  // Rows of flows are many: a walk over them is most of what an idle node does.
  #copyWords({ keys, values }: MapBatch, positions: readonly number[]): void {
    const { words } = this.#memory;
    const keyWords = new Int32Array(keys.buffer);
    const valueWords = new Int32Array(values.buffer);
    const [keyCount, valueCount] = [this.keySize >> 2, this.valueSize >> 2];
    const { map } = this;
    let [keyTo, valueTo] = [0, 0];
    for (const position of positions) {
      const [key, value] = [map.keyAt(position) >> 2, map.valueAt(position) >> 2];
      for (let word = 0; word < keyCount; word += 1) {
        keyWords[keyTo + word] = words[key + word] ?? 0;
      }
      for (let word = 0; word < valueCount; word += 1) {
        valueWords[valueTo + word] = words[value + word] ?? 0;
      }
      keyTo += keyCount;
      valueTo += valueCount;
    }
  }

  #copyBytes({ keys, values }: MapBatch, positions: readonly number[]): void {
    const { bytes } = this.#memory;
    const { keySize, valueSize, map } = this;
    positions.forEach((position, row) => {
      const [key, value] = [map.keyAt(position), map.valueAt(position)];
      keys.set(bytes.subarray(key, key + keySize), row * keySize);
      values.set(bytes.subarray(value, value + valueSize), row * valueSize);
    });
  }

  // Views of two arrays: an array for each key and value costs more than what is in it.
  #entries(positions: readonly number[]): MapEntry[] {
    const { keySize, valueSize } = this;
    const { keys, values } = this.#rows(positions);
    return positions.map((_, row) => ({
      key: keys.subarray(row * keySize, (row + 1) * keySize),
      value: values.subarray(row * valueSize, (row + 1) * valueSize),
    }));
  }

  // Neighbours of a large map stay together: they lie side by side in memory, and a walk that jumps
  // waits for memory at each row.
  #shuffled(position: number, span: number): number {
    if (span <= wholeSpanMax) return this.#permuted(position, span);
    const group = this.#permuted(position >>> groupBits, span >>> groupBits);
    return (group << groupBits) | ((position ^ this.#seed) & ((1 << groupBits) - 1));
  }

  // A permutation of [0, span): products with odd numbers and shifted sums can be undone.
  #permuted(position: number, span: number): number {
    const mask = span - 1;
    const half = (32 - Math.clz32(mask)) >> 1;
    const odd = (Math.imul(this.#seed, 0x9e3779b1) | 1) & mask;
    let at = (Math.imul(position, odd) + this.#seed) & mask;
    at ^= half === 0 ? 0 : at >>> half;
    at = Math.imul(at, 0x2c1b3c6d & mask | 1) & mask;
    return at ^ (half === 0 ? 0 : at >>> half);
  }

  #lookupAt(keys: Uint8Array, from: number): Uint8Array | undefined {
    this.#takeKey(keys, from);
    const address = this.map.peek(place.scratch);
    return address === 0 ? undefined : this.#memory.bytes.slice(address, address + this.valueSize);
  }

  #isThere(position: number): boolean {
    return position < this.map.positions && this.map.valueAt(position) !== 0;
  }

  #takeKey(keys: Uint8Array, from: number): void {
    const { bytes } = this.#memory;
    const { keySize } = this;
    for (let at = 0; at < keySize; at += 1) bytes[place.scratch + at] = keys[from + at] ?? 0;
  }
}

/** Up to this span each entry finds its own place in the order of a walk, above groups do. */
const wholeSpanMax = 1_024;
const groupBits = 4;

/** Where a scan goes on: positions of the permutation of `span` slots that it began with. */
interface Cursor {
  readonly position: number;
  readonly span: number;
}

function cursorOf(bytes: Uint8Array | undefined): Cursor | undefined {
  if (bytes === undefined) return undefined;
  const [position = 0, span = 0] = new Uint32Array(new Uint8Array(bytes).buffer);
  return { position, span };
}

function cursorBytes({ position, span }: Cursor): Uint8Array {
  return new Uint8Array(Uint32Array.of(position, span).buffer);
}

function spanOf(positions: number): number {
  return positions <= 1 ? positions : 1 << (32 - Math.clz32(positions - 1));
}
