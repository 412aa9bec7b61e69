import type {
  BatchResult, KernelError, MapBatch, MapEntry, MapFlag, MapKeys, MapPage,
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
    const found: MapEntry[] = [];
    const span = spanOf(this.map.positions);
    for (let at = 0; at < span; at += 1) {
      const entry = this.#entryAt(this.#shuffled(at, span));
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  /** The entries that may differ from zero: an array without the parts that nobody has touched. */
  touched(): MapEntry[] {
    const { map } = this;
    if (!(map instanceof ArrayMap)) return this.dump();
    return [...map.touched()].flatMap((index) => this.#entryAt(index) ?? []);
  }

  /**
   * Up to `rowsMax` rows from where an earlier page ended. What lives from the first page to the
   * last is met exactly once, whatever is written in between.
   */
  scan(from: Uint8Array | undefined, rowsMax: number): MapPage {
    const { position, span } = cursorOf(from) ?? { position: 0, span: spanOf(this.map.positions) };
    const found: MapEntry[] = [];
    let at = position;
    for (; at < span && found.length < rowsMax; at += 1) {
      const entry = this.#entryAt(this.#shuffled(at, span));
      if (entry !== undefined) found.push(entry);
    }
    const { keySize, valueSize } = this;
    const keys = new Uint8Array(found.length * keySize);
    const values = new Uint8Array(found.length * valueSize);
    found.forEach(({ key, value }, row) => {
      keys.set(key, row * keySize);
      values.set(value, row * valueSize);
    });
    const next = at < span ? cursorBytes({ position: at, span }) : undefined;
    return { rows: { count: found.length, keys, values }, next };
  }

  // A permutation of [0, span): products with odd numbers and shifted sums can be undone.
  #shuffled(position: number, span: number): number {
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

  #entryAt(position: number): MapEntry | undefined {
    if (position >= this.map.positions) return undefined;
    const slot = this.map.at(position);
    if (slot === undefined) return undefined;
    const { bytes } = this.#memory;
    const value = bytes.slice(slot.valueAddress, slot.valueAddress + this.valueSize);
    if (slot.keyAddress === 0) return { key: wordBytes(slot.key), value };
    return { key: bytes.slice(slot.keyAddress, slot.keyAddress + this.keySize), value };
  }

  #takeKey(keys: Uint8Array, from: number): void {
    const { bytes } = this.#memory;
    const { keySize } = this;
    for (let at = 0; at < keySize; at += 1) bytes[place.scratch + at] = keys[from + at] ?? 0;
  }
}

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

function wordBytes(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}
