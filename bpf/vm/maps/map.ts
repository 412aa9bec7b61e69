import type { MapDefinition } from '../mapdefinition.ts';

/** `BPF_ANY`, `BPF_NOEXIST`, `BPF_EXIST` of bpf_map_update_elem. */
export const updateFlag = { any: 0, noexist: 1, exist: 2 } as const;

/**
 * A map as programs see it: keys and values are addresses in the machine's memory. Results that
 * are not addresses are 0 or a negated errno.
 */
export interface EngineMap {
  readonly definition: MapDefinition;
  /** Entries that are in it; for an array all of them. */
  readonly size: number;
  /** Address of the value, which stays valid as long as the entry lives; 0 when absent. */
  lookup(keyAddress: number): number;
  /** The same without the trace that a program's look-up leaves in an LRU map. */
  peek(keyAddress: number): number;
  /**
   * Makes room for a value under a key and returns its address, to be written at once; or a
   * negated errno: EEXIST, ENOENT, E2BIG or ENOSPC when full, EINVAL for bad flags or keys.
   */
  place(keyAddress: number, flags: number): number;
  /** ENOENT when absent, EINVAL where nothing can be removed. */
  remove(keyAddress: number): number;
  /** Positions of a walk: every entry has exactly one position below this. */
  readonly positions: number;
  /** Address of the value at a position; 0 where there is none now. */
  valueAt(position: number): number;
  /** Address of the key of the value there; 0 in an array, where the position itself is the key. */
  keyAt(position: number): number;
}
