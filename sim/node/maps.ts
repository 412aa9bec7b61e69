import { hashBytes } from '../trace.ts';
import type { KernelError, MapEntry, MapFlag } from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';

/** What a map was declared with. Sizes in bytes; an absent size admits any length. */
export interface MapShape {
  readonly entriesMax: number;
  readonly keySize?: number;
  readonly valueSize?: number;
}

/** What a fault does to the updates and deletions of one map (simulator.md 8, `kernel.*`). */
export interface MapFault {
  /** Calls fail with this; default EIO. */
  readonly errno?: KernelError['kind'];
  /** Share of calls that fail. */
  readonly ratio?: { readonly numerator: number; readonly denominator: number };
  /** The n-th call from now fails, 1 being the next; later ones do not. */
  readonly nth?: number;
  /** A lower limit of entries: what is in stays, new keys are refused. */
  readonly entriesMax?: number;
}

interface Slot {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const poolBytesMin = 64;

/**
 * Equal large values of all kernels of a world, kept once: a hundred nodes hold much the same rows.
 * Nothing can tell, because values never leave a map but as copies.
 */
export class BytesPool {
  #byHash = new Map<number, Uint8Array[]>();

  /** A private copy of `bytes`, shared with every equal one. */
  keep(bytes: Uint8Array): Uint8Array {
    if (bytes.length < poolBytesMin) return bytes.slice();
    const hash = hashBytes(bytes);
    const known = this.#byHash.get(hash);
    const equal = known?.find((other) => sameBytes(other, bytes));
    if (equal !== undefined) return equal;
    const copy = bytes.slice();
    if (known === undefined) this.#byHash.set(hash, [copy]);
    else known.push(copy);
    return copy;
  }
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}

/** One hash map of a kernel: bytes to bytes, with a limit and the errno of the real one. */
export class SimMap {
  readonly shape: MapShape;
  fault: MapFault | undefined;
  /** Rises with each change. */
  revision = 0;
  #calls = 0;
  #slots = new Map<string, Slot>();
  #pool: BytesPool;
  #listeners: ((key: Uint8Array, value: Uint8Array | undefined) => void)[] = [];

  constructor(shape: MapShape, pool: BytesPool) {
    this.shape = shape;
    this.#pool = pool;
  }

  get size(): number {
    return this.#slots.size;
  }

  setFault(fault: MapFault | undefined): void {
    this.fault = fault;
    this.#calls = 0;
  }

  /** Called after each change, with the map's own buffers, which nobody may write to. */
  onChange(listener: (key: Uint8Array, value: Uint8Array | undefined) => void): void {
    this.#listeners.push(listener);
  }

  update(
    entry: MapEntry, flag: MapFlag, fails: (fault: MapFault) => boolean,
  ): Result<void, KernelError> {
    const refused = this.#refused(fails) ?? this.#misshapen(entry);
    if (refused !== undefined) return err(refused);
    const text = keyText(entry.key);
    const present = this.#slots.get(text);
    if (flag === 'noexist' && present !== undefined) return err({ kind: 'EEXIST' });
    if (flag === 'exist' && present === undefined) return err({ kind: 'ENOENT' });
    const limit = Math.min(this.shape.entriesMax, this.fault?.entriesMax ?? Infinity);
    // A full hash map overwrites what it has and refuses what is new (E2BIG, kernel/bpf/hashtab.c).
    if (present === undefined && this.#slots.size >= limit) return err({ kind: 'E2BIG' });
    const slot = { key: present?.key ?? entry.key.slice(), value: this.#pool.keep(entry.value) };
    this.#slots.set(text, slot);
    this.#changed(slot.key, slot.value);
    return ok(undefined);
  }

  remove(key: Uint8Array, fails: (fault: MapFault) => boolean): Result<void, KernelError> {
    const refused = this.#refused(fails);
    if (refused !== undefined) return err(refused);
    const text = keyText(key);
    const present = this.#slots.get(text);
    if (present === undefined) return ok(undefined);
    this.#slots.delete(text);
    this.#changed(present.key, undefined);
    return ok(undefined);
  }

  /** The map's own buffer, for the kernel's programs; adapters copy it. */
  peek(key: Uint8Array): Uint8Array | undefined {
    return this.#slots.get(keyText(key))?.value;
  }

  /** Entries as the map holds them, in an order that means nothing. */
  entries(): readonly MapEntry[] {
    return [...this.#slots.values()];
  }

  clear(): void {
    const keys = [...this.#slots.values()].map((slot) => slot.key);
    this.#slots.clear();
    for (const key of keys) this.#changed(key, undefined);
  }

  #refused(fails: (fault: MapFault) => boolean): KernelError | undefined {
    if (this.fault === undefined) return undefined;
    this.#calls += 1;
    const struck = this.fault.nth === this.#calls || fails(this.fault);
    return struck ? { kind: this.fault.errno ?? 'EIO' } : undefined;
  }

  #misshapen(entry: MapEntry): KernelError | undefined {
    const { keySize, valueSize } = this.shape;
    const fits = entry.key.length === (keySize ?? entry.key.length)
      && entry.value.length === (valueSize ?? entry.value.length);
    return fits ? undefined : { kind: 'EINVAL' };
  }

  #changed(key: Uint8Array, value: Uint8Array | undefined): void {
    this.revision += 1;
    for (const listener of this.#listeners) listener(key, value);
  }
}

/** Bytes as a text that is equal exactly for equal bytes. */
function keyText(key: Uint8Array): string {
  return String.fromCharCode(...key);
}
