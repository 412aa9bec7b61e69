import { ArrayMap } from '../../bpf/vm/maps/array.ts';
import { PrefixMap } from '../../bpf/vm/maps/prefixes.ts';
import type { MachineMap } from '../../bpf/vm/tablemap.ts';
import type {
  BatchResult, KernelError, MapBatch, MapEntry, MapFlag, MapPage, MapTally,
} from '../../lb/ports.ts';
import { err, type Result } from '../../lb/result.ts';
import { writeRows } from './batches.ts';

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

/** Called after each write from outside the programs; undefined: the entry is gone. */
export type MapListener = (key: Uint8Array, value: Uint8Array | undefined) => void;

/**
 * One map of a simulated kernel as bpf(2) shows it: the map that the programs use, with the faults
 * of a scenario in front of it.
 */
export class SimMap {
  fault: MapFault | undefined;
  #map: MachineMap;
  #calls = 0;
  #listeners: MapListener[] = [];

  constructor(map: MachineMap) {
    this.#map = map;
  }

  get size(): number {
    return this.#map.size;
  }

  setFault(fault: MapFault | undefined): void {
    this.fault = fault;
    this.#calls = 0;
  }

  onChange(listener: MapListener): void {
    this.#listeners.push(listener);
  }

  update(
    entry: MapEntry, flag: MapFlag, fails: (fault: MapFault) => boolean,
  ): Result<void, KernelError> {
    const refused = this.#refused(fails) ?? this.#full(entry.key);
    if (refused !== undefined) return err(refused);
    const result = this.#map.update(entry, flag);
    if (result.ok) this.#changed(entry.key, entry.value);
    return result;
  }

  /** Writes rows in their order and stops at the first refusal. */
  updateMany(
    rows: MapBatch, flag: MapFlag, fails: (fault: MapFault) => boolean,
  ): BatchResult {
    if (this.fault !== undefined) return writeRows(rows, (row) => this.update(row, flag, fails));
    const result = this.#map.updateMany(rows, flag);
    if (this.#listeners.length === 0) return result;
    const { keySize, valueSize } = this.#map;
    for (let row = 0; row < result.written; row += 1) {
      const key = rows.keys.subarray(row * keySize, (row + 1) * keySize);
      this.#changed(key, rows.values.subarray(row * valueSize, (row + 1) * valueSize));
    }
    return result;
  }

  remove(key: Uint8Array, fails: (fault: MapFault) => boolean): Result<void, KernelError> {
    const refused = this.#refused(fails);
    if (refused !== undefined) return err(refused);
    const result = this.#map.remove(key);
    if (result.ok) this.#changed(key, undefined);
    return result;
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    return this.#map.lookup(key);
  }

  dump(): readonly MapEntry[] {
    return this.#map.dump();
  }

  tally(from: Uint8Array | undefined, rowsMax: number): MapTally {
    return this.#map.tally(from, rowsMax);
  }

  scan(from: Uint8Array | undefined, rowsMax: number): MapPage {
    return this.#map.scan(from, rowsMax);
  }

  /** Of an array the cells that are not zero. */
  touched(): readonly MapEntry[] {
    const found = this.#map.touched();
    if (!(this.#map.map instanceof ArrayMap)) return found;
    return found.filter(({ value }) => value.some((byte) => byte !== 0));
  }

  /** Goes on as another map of the same layout, which gets the rows. */
  moveTo(map: MachineMap): void {
    for (const row of this.touched()) map.update(row, 'any');
    this.#map = map;
  }

  #full(key: Uint8Array): KernelError | undefined {
    const limit = this.fault?.entriesMax;
    if (limit === undefined) return undefined;
    if (this.#map.map instanceof ArrayMap) {
      const index = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
      return index < limit ? undefined : { kind: 'E2BIG' };
    }
    if (this.#map.size < limit || this.#map.lookup(key) !== undefined) return undefined;
    // As the kernel does: kernel/bpf/hashtab.c says E2BIG, kernel/bpf/lpm_trie.c ENOSPC.
    return { kind: this.#map.map instanceof PrefixMap ? 'ENOSPC' : 'E2BIG' };
  }

  #refused(fails: (fault: MapFault) => boolean): KernelError | undefined {
    if (this.fault === undefined) return undefined;
    this.#calls += 1;
    const struck = this.fault.nth === this.#calls || fails(this.fault);
    return struck ? { kind: this.fault.errno ?? 'EIO' } : undefined;
  }

  #changed(key: Uint8Array, value: Uint8Array | undefined): void {
    for (const listener of this.#listeners) listener(key, value);
  }
}
