import type { KernelError, MapEntry, MapFlag } from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';

export type MapKind = 'hash' | 'lru' | 'lpm' | 'array';

/** What a map was declared with. Sizes in bytes; an absent size admits any length. */
export interface MapShape {
  /** Default `hash`. An array has 4-byte keys and a declared value size. */
  readonly kind?: MapKind;
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

/** One entry of a map. Its buffers belong to the map: nobody writes to them. */
export interface Slot extends MapEntry {
  /** The key as a text. */
  readonly text: string;
}

const pooledBytesMin = 64;
const variantsMax = 8;

/**
 * Entries of all kernels of a world, equal ones kept once: a hundred nodes hold much the same rows.
 * Nothing can tell, because buffers never leave a map but as copies. Small values, which differ by
 * node anyway, are not shared.
 */
export class SlotPool {
  #variants = new Map<string, Slot[]>();

  /** A slot of private copies, shared with every equal one. */
  slot(text: string, entry: MapEntry): Slot {
    if (entry.value.length < pooledBytesMin) return copyOf(text, entry);
    const variants = this.#variants.get(text);
    if (variants === undefined) {
      const first = copyOf(text, entry);
      this.#variants.set(text, [first]);
      return first;
    }
    const equal = variants.find((variant) => sameBytes(variant.value, entry.value));
    if (equal !== undefined) return equal;
    const [{ text: shared } = { text }] = variants;
    const slot = copyOf(shared, entry);
    variants.unshift(slot);
    if (variants.length > variantsMax) variants.pop();
    return slot;
  }
}

function copyOf(text: string, entry: MapEntry): Slot {
  return { text, key: entry.key.slice(), value: entry.value.slice() };
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}

/**
 * One map of a kernel: bytes to bytes, with a limit and the errno of the real one. Cells of an
 * array that nobody wrote to take no memory. The agent never asks a trie for a longest prefix, so
 * here a trie is a table of its keys.
 */
export class SimMap {
  readonly shape: MapShape;
  fault: MapFault | undefined;
  /** Rises with each change. */
  revision = 0;
  #calls = 0;
  #slots = new Map<string, Slot>();
  #pool: SlotPool;
  #listeners: ((slot: Slot, present: boolean) => void)[] = [];

  constructor(shape: MapShape, pool: SlotPool) {
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

  /** Called after each change, with the new entry or the one that went. */
  onChange(listener: (slot: Slot, present: boolean) => void): void {
    this.#listeners.push(listener);
  }

  update(
    entry: MapEntry, flag: MapFlag, fails: (fault: MapFault) => boolean,
  ): Result<void, KernelError> {
    const refused = this.#refused(fails) ?? this.#misshapen(entry);
    if (refused !== undefined) return err(refused);
    const text = keyText(entry.key);
    const present = this.#slots.get(text);
    const there = present !== undefined || this.shape.kind === 'array';
    if (flag === 'noexist' && there) return err({ kind: 'EEXIST' });
    if (flag === 'exist' && !there) return err({ kind: 'ENOENT' });
    if (present === undefined) {
      const full = this.#full(entry.key);
      if (full !== undefined) return err(full);
    }
    const slot = this.#pool.slot(text, entry);
    this.#slots.set(slot.text, slot);
    this.#changed(slot, true);
    return ok(undefined);
  }

  remove(key: Uint8Array, fails: (fault: MapFault) => boolean): Result<void, KernelError> {
    const refused = this.#refused(fails);
    if (refused !== undefined) return err(refused);
    // Cells of an array are there for ever (array_map_delete_elem, kernel/bpf/arraymap.c).
    if (this.shape.kind === 'array') return err({ kind: 'EINVAL' });
    const text = keyText(key);
    const present = this.#slots.get(text);
    if (present === undefined) return ok(undefined);
    this.#slots.delete(text);
    this.#changed(present, false);
    return ok(undefined);
  }

  /** The map's own buffer, for the kernel's programs; adapters copy it. */
  peek(key: Uint8Array): Uint8Array | undefined {
    const value = this.#slots.get(keyText(key))?.value;
    const { kind, valueSize, entriesMax } = this.shape;
    if (value !== undefined || kind !== 'array') return value;
    return indexOf(key) < entriesMax ? new Uint8Array(valueSize ?? 0) : undefined;
  }

  /** The entry of a key in the text form of slots. */
  slot(text: string): Slot | undefined {
    return this.#slots.get(text);
  }

  /** Entries as the map holds them, in an order that means nothing. */
  entries(): readonly MapEntry[] {
    if (this.shape.kind !== 'array') return [...this.#slots.values()];
    return Array.from({ length: this.shape.entriesMax }, (_, index) => {
      const key = new Uint8Array(4);
      new DataView(key.buffer).setUint32(0, index, true);
      return { key, value: this.peek(key) ?? new Uint8Array(0) };
    });
  }

  /** Up to `rowsMax` entries after the first `passed` ones, in the order of their first write. */
  page(passed: number, rowsMax: number): readonly MapEntry[] {
    return this.#slots.values().drop(passed).take(rowsMax).toArray();
  }

  clear(): void {
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    for (const slot of slots) this.#changed(slot, false);
  }

  #full(key: Uint8Array): KernelError | undefined {
    const { kind, entriesMax } = this.shape;
    const limit = Math.min(entriesMax, this.fault?.entriesMax ?? Infinity);
    if (kind === 'array') return indexOf(key) < limit ? undefined : { kind: 'E2BIG' };
    if (this.#slots.size < limit) return undefined;
    if (kind === 'lru') {
      this.#evict();
      return undefined;
    }
    // A full hash map overwrites what it has and refuses what is new (E2BIG, kernel/bpf/hashtab.c);
    // a trie says ENOSPC (kernel/bpf/lpm_trie.c).
    return { kind: kind === 'lpm' ? 'ENOSPC' : 'E2BIG' };
  }

  // The kernel's choice of a victim is approximate too; the oldest will do.
  #evict(): void {
    const oldest = this.#slots.values().next();
    if (oldest.done === true) return;
    this.#slots.delete(oldest.value.text);
    this.#changed(oldest.value, false);
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

  #changed(slot: Slot, present: boolean): void {
    this.revision += 1;
    for (const listener of this.#listeners) listener(slot, present);
  }
}

function indexOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true);
}

// Equal exactly for equal bytes. Spreading them over the arguments takes four times as long.
function keyText(key: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, key) as string;
}
