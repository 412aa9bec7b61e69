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

/** One hash map of a kernel: bytes to bytes, with a limit and the errno of the real one. */
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
    if (flag === 'noexist' && present !== undefined) return err({ kind: 'EEXIST' });
    if (flag === 'exist' && present === undefined) return err({ kind: 'ENOENT' });
    const limit = Math.min(this.shape.entriesMax, this.fault?.entriesMax ?? Infinity);
    // A full hash map overwrites what it has and refuses what is new (E2BIG, kernel/bpf/hashtab.c).
    if (present === undefined && this.#slots.size >= limit) return err({ kind: 'E2BIG' });
    const slot = this.#pool.slot(text, entry);
    this.#slots.set(slot.text, slot);
    this.#changed(slot, true);
    return ok(undefined);
  }

  remove(key: Uint8Array, fails: (fault: MapFault) => boolean): Result<void, KernelError> {
    const refused = this.#refused(fails);
    if (refused !== undefined) return err(refused);
    const text = keyText(key);
    const present = this.#slots.get(text);
    if (present === undefined) return ok(undefined);
    this.#slots.delete(text);
    this.#changed(present, false);
    return ok(undefined);
  }

  /** The map's own buffer, for the kernel's programs; adapters copy it. */
  peek(key: Uint8Array): Uint8Array | undefined {
    return this.#slots.get(keyText(key))?.value;
  }

  /** The entry of a key in the text form of slots. */
  slot(text: string): Slot | undefined {
    return this.#slots.get(text);
  }

  /** Entries as the map holds them, in an order that means nothing. */
  entries(): readonly MapEntry[] {
    return [...this.#slots.values()];
  }

  clear(): void {
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    for (const slot of slots) this.#changed(slot, false);
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

// Equal exactly for equal bytes. Spreading them over the arguments takes four times as long.
function keyText(key: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, key) as string;
}
