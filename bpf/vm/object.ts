import { Btf, SourceLines, type Place } from './btf.ts';
import {
  demand, parseElf, sectionFlag, symbolType, viewOf,
  type ElfFile, type ElfSymbol, type Relocation, type Section,
} from './elf.ts';
import { decode, type Constant, type Instruction } from './instruction.ts';
import { readMaps, type MapDefinition } from './mapdefinition.ts';

export interface BpfFunction {
  readonly name: string;
  /** Name of the ELF section, `xdp`, `tc`, `cgroup/connect4`; `.text` for what is only called. */
  readonly section: string;
  /** Whether the host may run it: a function outside `.text`. */
  readonly isProgram: boolean;
  readonly code: readonly Instruction[];
  /** First slot of the function in its section. */
  readonly start: number;
}

/** Variables of one section: `.rodata`, `.data`, `.bss` and their variants. */
export interface DataSection {
  readonly name: string;
  readonly writable: boolean;
  readonly bytes: Uint8Array;
}

/** A variable of a data section. Offset and size in bytes. */
export interface Variable {
  readonly name: string;
  readonly section: number;
  readonly offset: number;
  readonly size: number;
}

/** An object as the engine and a loader of the kernel see it, relocated and decoded. */
export interface BpfObject {
  readonly functions: readonly BpfFunction[];
  readonly maps: readonly MapDefinition[];
  readonly sections: readonly DataSection[];
  readonly variables: readonly Variable[];
  /** Undefined for an object that no compiler wrote. */
  readonly btf?: Btf;
  /** Source line of a slot of a function; undefined in an object compiled without -g. */
  placeOf(position: { readonly function: number; readonly slot: number }): Place | undefined;
}

/**
 * Reads an object as clang writes it for `-target bpf` (RFC 9669, libbpf's conventions for maps and
 * sections). Throws ObjectError for anything that the engine would not execute faithfully.
 */
export function loadObject(file: Uint8Array): BpfObject {
  const elf = parseElf(file);
  const btfSection = elf.sections.find(({ name }) => name === '.BTF');
  demand(btfSection !== undefined, 'the object has no BTF: compile it with -g');
  const btf = new Btf(btfSection.bytes);
  const functionSymbols = functionsOf(elf);
  const maps = readMaps(elf, btf, functionSymbols);
  const dataSections = elf.sections.filter(isData);
  const linker: Linker = { elf, functions: functionSymbols, maps, dataSections };
  const functions = functionSymbols.map((symbol) => functionOf(linker, symbol));
  const extended = elf.sections.find(({ name }) => name === '.BTF.ext');
  const lines = extended && new SourceLines(extended.bytes, btf);
  return {
    functions, maps, btf,
    sections: dataSections.map(({ name, flags, bytes }) => ({
      name, bytes, writable: (flags & sectionFlag.write) !== 0 && !name.startsWith('.rodata'),
    })),
    variables: variablesOf(elf, dataSections),
    placeOf({ function: index, slot }) {
      const found = functions[index];
      return found && lines?.placeOf(found.section, (found.start + slot) * 8);
    },
  };
}

interface Linker {
  readonly elf: ElfFile;
  readonly functions: readonly ElfSymbol[];
  readonly maps: readonly MapDefinition[];
  readonly dataSections: readonly Section[];
}

function isCode(section: Section | undefined): boolean {
  return ((section?.flags ?? 0) & sectionFlag.code) !== 0;
}

function isData(section: Section): boolean {
  return /^\.(?:rodata|data|bss)(?:\.|$)/.test(section.name) && section.bytes.length > 0;
}

function functionsOf(elf: ElfFile): ElfSymbol[] {
  return elf.symbols
    .filter((symbol) => symbol.type === symbolType.function && isCode(elf.sections[symbol.section]))
    .toSorted((left, right) => left.section - right.section || left.value - right.value);
}

function functionOf(linker: Linker, symbol: ElfSymbol): BpfFunction {
  const section = linker.elf.sections[symbol.section];
  demand(section !== undefined, `${symbol.name} lies in no section`);
  const start = symbol.value / 8;
  const range = { from: start, to: start + symbol.size / 8 };
  const relocations = new Map(
    linker.elf.relocationsOf(section.index).map((one) => [one.offset / 8, one]),
  );
  const code = decode(viewOf(section.bytes), range, {
    callee: (at, number) => calleeOf(linker, { section, at, number }, relocations.get(at)),
    constant(at, number) {
      const relocation = relocations.get(at);
      return relocation && constantOf(linker, relocation, number);
    },
  });
  const isProgram = section.name !== '.text';
  return { name: symbol.name, section: section.name, isProgram, code, start };
}

interface CallSite {
  readonly section: Section;
  readonly at: number;
  readonly number: number;
}

// A call is relative to the next slot; one into another section carries a relocation whose symbol
// is the section (imm counts from its start) or the function itself (imm is -1).
function calleeOf(linker: Linker, site: CallSite, relocation: Relocation | undefined): number {
  if (relocation === undefined) {
    return functionAt(linker, { section: site.section.index, slot: site.at + 1 + site.number });
  }
  const { section, value, name } = relocation.symbol;
  demand(section !== 0, `the object calls ${name}, which it does not define`);
  return functionAt(linker, { section, slot: value / 8 + site.number + 1 });
}

function functionAt(linker: Linker, { section, slot }: { section: number; slot: number }): number {
  const found = linker.functions.findIndex(
    (symbol) => symbol.section === section && symbol.value === slot * 8,
  );
  demand(found >= 0, `no function starts at slot ${slot} of ${linker.elf.sections[section]?.name}`);
  return found;
}

function constantOf(linker: Linker, { symbol }: Relocation, number: number): Constant {
  const section = linker.elf.sections[symbol.section];
  demand(symbol.section !== 0, `the object needs ${symbol.name}, which it does not define`);
  demand(section !== undefined, `${symbol.name} lies in no section`);
  const offset = symbol.value + number;
  if (isCode(section)) {
    const found = functionAt(linker, { section: section.index, slot: offset / 8 });
    return { kind: 'function', function: found };
  }
  if (section.name === '.maps') {
    const map = linker.maps.findIndex((one) => one.offset === offset);
    demand(map >= 0, `no map lies at byte ${offset} of .maps`);
    return { kind: 'map', map };
  }
  const index = linker.dataSections.indexOf(section);
  demand(index >= 0, `the code refers to section ${section.name}`);
  return { kind: 'data', section: index, offset };
}

function variablesOf(elf: ElfFile, dataSections: readonly Section[]): Variable[] {
  return elf.symbols.flatMap((symbol) => {
    const section = dataSections.findIndex(({ index }) => index === symbol.section);
    if (symbol.type !== symbolType.object || section < 0) return [];
    return [{ name: symbol.name, section, offset: symbol.value, size: symbol.size }];
  });
}
