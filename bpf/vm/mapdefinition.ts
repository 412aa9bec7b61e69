import { btfKind, type Btf, type BtfMember, type BtfType } from './btf.ts';
import { demand, symbolType, type ElfFile, type ElfSymbol } from './elf.ts';

/** Map types that the engine has (`BPF_MAP_TYPE_*` of include/uapi/linux/bpf.h). */
export const mapType = {
  hash: 1, array: 2, programs: 3, hashPerCpu: 5, arrayPerCpu: 6, hashLru: 9, hashLruPerCpu: 10,
  prefixes: 11, ring: 27,
} as const;

/** A map as `.maps` declares it. Sizes in bytes. */
export interface MapDefinition {
  readonly name: string;
  /** One of `mapType`. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  /** Ids of their types in the BTF; 0 where only a size is declared. */
  readonly keyType: number;
  readonly valueType: number;
  readonly entriesMax: number;
  /** `BPF_F_*` flags of creation. */
  readonly flags: number;
  /** Byte offset in `.maps`. */
  readonly offset: number;
  /** Initial content of a program array: function by slot. */
  readonly programs: ReadonlyMap<number, number>;
}

const known: ReadonlySet<number> = new Set(Object.values(mapType));

/** The maps of the object in the order of `.maps` (libbpf's BTF-defined maps). */
export function readMaps(
  elf: ElfFile, btf: Btf, functions: readonly ElfSymbol[],
): MapDefinition[] {
  const section = elf.sections.find(({ name }) => name === '.maps');
  if (section === undefined) return [];
  // clang leaves the offsets in the BTF at zero: only the symbols know where a map lies.
  return elf.symbols
    .filter((symbol) => symbol.section === section.index && symbol.type === symbolType.object)
    .toSorted((left, right) => left.value - right.value)
    .map((symbol) => {
      const variable = btf.types.find(
        ({ kind, name }) => kind === btfKind.variable && name === symbol.name,
      );
      demand(variable !== undefined, `map ${symbol.name} has no BTF`);
      const struct = btf.plain(variable.type);
      const programs = programsOf(elf, { symbol, struct, section: section.index }, functions);
      return { ...shapeOf(btf, struct, symbol.name), offset: symbol.value, programs };
    });
}

function shapeOf(
  btf: Btf, struct: BtfType, name: string,
): Omit<MapDefinition, 'offset' | 'programs'> {
  const member = (wanted: string): BtfMember | undefined => struct.members.find(
    (one) => one.name === wanted,
  );
  // `__uint(max_entries, 8)` declares a pointer to an array of eight.
  const number = (wanted: string): number => {
    const found = member(wanted);
    return found === undefined ? 0 : btf.plain(btf.plain(found.type).type).count;
  };
  // `__type(key, struct k)` declares a pointer to the type.
  const typeOf = (wanted: string): number => {
    const found = member(wanted);
    return found === undefined ? 0 : btf.plain(found.type).type;
  };
  const size = (wanted: string): number => {
    const id = typeOf(wanted);
    return id === 0 ? number(`${wanted}_size`) : btf.sizeOf(id);
  };
  const type = number('type');
  demand(known.has(type), `map ${name} has type ${type}, which the engine does not have`);
  const isPrograms = type === mapType.programs;
  return {
    name, type, keySize: size('key') || (isPrograms ? 4 : 0),
    valueSize: size('value') || (isPrograms ? 4 : 0),
    keyType: typeOf('key'), valueType: typeOf('value'),
    entriesMax: number('max_entries'), flags: number('map_flags'),
  };
}

interface MapSymbol {
  readonly symbol: ElfSymbol;
  readonly struct: BtfType;
  readonly section: number;
}

// `.values` of a program array is a list of addresses of functions.
function programsOf(
  elf: ElfFile, { symbol, struct, section }: MapSymbol, functions: readonly ElfSymbol[],
): ReadonlyMap<number, number> {
  const values = struct.members.find(({ name }) => name === 'values');
  if (values === undefined) return new Map();
  const from = symbol.value + values.offset / 8;
  return new Map(elf.relocationsOf(section)
    .filter(({ offset }) => offset >= from && offset < symbol.value + symbol.size)
    .map((relocation) => [
      (relocation.offset - from) / 8, functions.indexOf(relocation.symbol),
    ]));
}
