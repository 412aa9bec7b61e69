import type { Constant } from './instruction.ts';
import { mapType, type MapDefinition } from './mapdefinition.ts';
import { indexBytes } from './maps/table.ts';
import type { BpfObject } from './object.ts';

/** Addresses that every machine has in common, in bytes. Nothing lies below `cells`. */
export const place = {
  /** Words that code and host share; see `cell`. */
  cells: 0x1000,
  /** Where host calls put the key of a look-up. */
  scratch: 0x1100,
  /** The context of the running program. */
  context: 0x1400,
  contextBytes: 0x200,
  /** Frames of 512 bytes, each followed by bytes that nobody may touch. */
  stack: 0x1800,
  stackBytes: 0x2400,
  packet: 0x4000,
  packetBytes: 0x8000,
  data: 0xc000,
} as const;

/** Bytes between two frames of the stack: the frame that a program may use, and a gap. */
export const frame = { bytes: 512, stride: 544, countMax: 16 } as const;

/** Addresses of single cells. */
export const cell = {
  /** Instructions that the run may still execute, i32; mode `checked` counts it down. */
  budget: place.cells,
  /** Nanoseconds of the clocks that programs read, u64. */
  monotonic: place.cells + 8,
  boot: place.cells + 16,
  coarse: place.cells + 24,
  /** Uses of entries of LRU maps so far, u64. */
  uses: place.cells + 32,
} as const;

/**
 * Map handles are what a program holds in place of a map pointer: never null, never a pointer that
 * may be followed.
 */
export const mapHandle = {
  of: (map: number): number => (map + 1) * 16,
  index: (handle: number): number => handle / 16 - 1,
} as const;

/** How the elements of an array map lie in memory. */
export type ArrayShape =
  /** In one piece at a fixed address. */
  | { readonly kind: 'piece'; readonly address: number; readonly stride: number;
      readonly count: number }
  /** In chunks of `1 << shift` elements that come into being when touched; their addresses are
   * listed, as u32, from `directory` on. */
  | { readonly kind: 'chunks'; readonly directory: number; readonly shift: number;
      readonly stride: number; readonly count: number };

/** Where the parts of one object lie in every machine that runs it. */
export interface Layout {
  /** Address of each data section. */
  readonly sections: readonly number[];
  /** By map; undefined for maps that are no arrays. */
  readonly arrays: readonly (ArrayShape | undefined)[];
  /** Address of the index of each hash and prefix map (`maps/table.ts`); undefined for others. */
  readonly tables: readonly (number | undefined)[];
  /** A byte for each block of code that is set when the block runs. */
  readonly coverage: number;
  /** Bytes that the layout takes. */
  readonly end: number;
}

const pieceBytesMax = 4096;
const chunkBytes = 4096;

/** Places data sections, arrays and coverage behind the fixed parts. */
export function layoutOf(
  object: BpfObject, maps: readonly MapDefinition[], blockCount: number,
): Layout {
  let end: number = place.data;
  const take = (length: number): number => {
    const address = end;
    // A gap between neighbours, so that an overrun meets bytes that belong to nobody.
    end += Math.ceil(length / 8) * 8 + 8;
    return address;
  };
  const sections = object.sections.map(({ bytes }) => take(bytes.length));
  const arrays = maps.map((map) => isArray(map) ? arrayShape(map, take) : undefined);
  const tables = maps.map((map) => isTable(map) ? take(indexBytes) : undefined);
  const coverage = take(blockCount);
  return { sections, arrays, tables, coverage, end };
}

/** Bytes from one element of an array to the next (kernel/bpf/arraymap.c rounds up to 8). */
export function strideOf({ valueSize }: MapDefinition): number {
  return Math.ceil(valueSize / 8) * 8;
}

function isArray({ type }: MapDefinition): boolean {
  return type === mapType.array || type === mapType.arrayPerCpu;
}

/** Whether translated code may look a key up in the index of a map by itself. */
export function isHash({ type }: MapDefinition): boolean {
  return type === mapType.hash || type === mapType.hashPerCpu || isLru({ type });
}

export function isLru({ type }: Pick<MapDefinition, 'type'>): boolean {
  return type === mapType.hashLru || type === mapType.hashLruPerCpu;
}

function isTable(map: MapDefinition): boolean {
  return isHash(map) || map.type === mapType.prefixes;
}

function arrayShape(map: MapDefinition, take: (length: number) => number): ArrayShape {
  const stride = strideOf(map);
  const count = map.entriesMax;
  if (stride * count <= pieceBytesMax) {
    return { kind: 'piece', address: take(stride * count), stride, count };
  }
  // The largest power of two of elements that fits a chunk; one element where none does.
  const shift = Math.max(0, 31 - Math.clz32(chunkBytes / stride));
  const directory = take(Math.ceil(count / (1 << shift)) * 4);
  return { kind: 'chunks', directory, shift, stride, count };
}

/** What a 64-bit load immediate puts into its register: a number, or an address of the layout. */
export function constantValue(layout: Layout, constant: Constant): bigint {
  switch (constant.kind) {
    case 'number': return constant.value;
    case 'map': return BigInt(mapHandle.of(constant.map));
    case 'data': return BigInt((layout.sections[constant.section] ?? 0) + constant.offset);
    // Slot 0 of the table of functions stays empty: a function pointer is never null.
    case 'function': return BigInt(constant.function + 1);
  }
}
