import { errno } from '../errno.ts';
import type { MapDefinition } from '../mapdefinition.ts';
import type { Memory } from '../memory.ts';
import { updateFlag, type EngineMap } from './map.ts';
import { EntryTable } from './table.ts';

/**
 * LPM_TRIE (kernel/bpf/lpm_trie.c): a key is a prefix length in bits, u32 of this machine, and the
 * bytes of an address. The longest prefix that contains the address, and is no longer than the
 * length asked for, is found. Stored as exact matches by length: tables here have few lengths.
 */
export class PrefixMap implements EngineMap {
  readonly definition: MapDefinition;
  limit: number;
  readonly #memory: Memory;
  readonly #table: EntryTable;
  readonly #masked: number;
  readonly #rawAt: number;
  readonly #counts: Int32Array;
  /** Lengths that occur, longest first. */
  #lengths: readonly number[] = [];

  constructor(memory: Memory, definition: MapDefinition, index: number) {
    const { keySize, valueSize } = definition;
    this.#memory = memory;
    this.definition = definition;
    this.limit = definition.entriesMax;
    // The kernel gives a key back as it was written, bits behind the prefix included.
    this.#rawAt = Math.ceil(valueSize / 8) * 8;
    const tailSize = this.#rawAt - valueSize + keySize;
    const shape = { keySize, valueSize, tailSize, remembersUse: false };
    this.#table = new EntryTable(memory, shape, index);
    this.#masked = memory.allocate(keySize);
    this.#counts = new Int32Array((keySize - 4) * 8 + 1);
  }

  get size(): number {
    return this.#table.size;
  }

  get positions(): number {
    return this.#table.positions;
  }

  lookup(keyAddress: number): number {
    const length = this.#memory.view.getUint32(keyAddress, true);
    if (length >= this.#counts.length) return 0;
    for (const candidate of this.#lengths) {
      if (candidate > length) continue;
      this.#mask(keyAddress, candidate);
      const entry = this.#table.find(this.#masked);
      if (entry !== 0) return this.#table.valueAddress(entry);
    }
    return 0;
  }

  peek(keyAddress: number): number {
    return this.lookup(keyAddress);
  }

  place(keyAddress: number, flags: number): number {
    const length = this.#memory.view.getUint32(keyAddress, true);
    if (flags < 0 || flags > updateFlag.exist) return -errno.EINVAL;
    if (length >= this.#counts.length) return -errno.EINVAL;
    this.#mask(keyAddress, length);
    const old = this.#table.find(this.#masked);
    if (old === 0 && flags === updateFlag.exist) return -errno.ENOENT;
    if (old !== 0 && flags === updateFlag.noexist) return -errno.EEXIST;
    if (old === 0 && this.#table.size >= this.limit) return -errno.ENOSPC;
    const entry = this.#table.insert(this.#masked);
    const address = this.#table.valueAddress(entry);
    const raw = address + this.#rawAt;
    this.#memory.copy(raw, { address: keyAddress, length: this.definition.keySize });
    if (old !== 0) this.#table.remove(old);
    else this.#count(length, 1);
    return address;
  }

  remove(keyAddress: number): number {
    const length = this.#memory.view.getUint32(keyAddress, true);
    if (length >= this.#counts.length) return -errno.EINVAL;
    this.#mask(keyAddress, length);
    const entry = this.#table.find(this.#masked);
    if (entry === 0) return -errno.ENOENT;
    this.#table.remove(entry);
    this.#count(length, -1);
    return 0;
  }

  valueAt(position: number): number {
    const entry = this.#table.at(position);
    return entry === 0 ? 0 : this.#table.valueAddress(entry);
  }

  keyAt(position: number): number {
    return this.valueAt(position) + this.#rawAt;
  }

  #count(length: number, change: number): void {
    const before = this.#counts[length] ?? 0;
    this.#counts[length] = before + change;
    if (before !== 0 && before + change !== 0) return;
    const lengths = [...this.#counts.keys()].filter((one) => this.#counts[one] !== 0);
    this.#lengths = lengths.reverse();
  }

  /** Writes the key with this length and zeroes behind it to where the table looks. */
  #mask(keyAddress: number, length: number): void {
    const { bytes, view } = this.#memory;
    view.setUint32(this.#masked, length, true);
    const byteCount = this.definition.keySize - 4;
    for (let at = 0; at < byteCount; at += 1) {
      const bits = Math.min(8, Math.max(0, length - at * 8));
      const mask = (0xff00 >> bits) & 0xff;
      bytes[this.#masked + 4 + at] = (bytes[keyAddress + 4 + at] ?? 0) & mask;
    }
  }
}
