import type {
  BatchResult, KernelError, MapBatch, MapEntry, MapFlag, MapKeys, MapPage,
} from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { errno, kernelError } from './errno.ts';
import { place } from './layout.ts';
import { ArrayMap } from './maps/array.ts';
import { updateFlag, type MapSlot } from './maps/map.ts';
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
    const found: MapSlot[] = [];
    const span = spanOf(this.map.positions);
    for (let at = 0; at < span; at += 1) {
      const slot = this.#slotAt(this.#shuffled(at, span));
      if (slot !== undefined) found.push(slot);
    }
    return this.#entries(found);
  }

  /** The entries that may differ from zero: an array without the parts that nobody has touched. */
  touched(): MapEntry[] {
    const { map } = this;
    if (!(map instanceof ArrayMap)) return this.dump();
    return this.#entries([...map.touched()].flatMap((index) => this.#slotAt(index) ?? []));
  }

  /**
   * Up to `rowsMax` rows from where an earlier page ended. What lives from the first page to the
   * last is met exactly once, whatever is written in between.
   */
  scan(from: Uint8Array | undefined, rowsMax: number): MapPage {
    const { position, span } = cursorOf(from) ?? { position: 0, span: spanOf(this.map.positions) };
    const found: MapSlot[] = [];
    let at = position;
    for (; at < span && found.length < rowsMax; at += 1) {
      const slot = this.#slotAt(this.#shuffled(at, span));
      if (slot !== undefined) found.push(slot);
    }
    const next = at < span ? cursorBytes({ position: at, span }) : undefined;
    return { rows: this.#rows(found), next };
  }

  /** Copies of keys and values, one behind the other. */
  #rows(slots: readonly MapSlot[]): MapBatch {
    const { keySize, valueSize } = this;
    const count = slots.length;
    const keys = new Uint8Array(count * keySize);
    const values = new Uint8Array(count * valueSize);
    const { bytes } = this.#memory;
    slots.forEach(({ keyAddress, key, valueAddress }, row) => {
      const isIndex = keyAddress === 0;
      for (let at = 0; at < keySize; at += 1) {
        keys[row * keySize + at] = isIndex ? key >>> (8 * at) : bytes[keyAddress + at] ?? 0;
      }
      for (let at = 0; at < valueSize; at += 1) {
        values[row * valueSize + at] = bytes[valueAddress + at] ?? 0;
      }
    });
    return { count, keys, values };
  }

  // Views of two arrays: an array for each key and value costs more than what is in it.
  #entries(slots: readonly MapSlot[]): MapEntry[] {
    const { keySize, valueSize } = this;
    const { keys, values } = this.#rows(slots);
    return slots.map((_, row) => ({
      key: keys.subarray(row * keySize, (row + 1) * keySize),
      value: values.subarray(row * valueSize, (row + 1) * valueSize),
    }));
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

  #slotAt(position: number): MapSlot | undefined {
    return position >= this.map.positions ? undefined : this.map.at(position);
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
