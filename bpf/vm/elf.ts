/** An object that the engine cannot load, by what is wrong with it: our build, never user input. */
export class ObjectError extends Error {
  override readonly name = 'ObjectError';
}

/** States one fact about the bytes of an object. */
export function demand(condition: boolean, complaint: string): asserts condition {
  if (!condition) throw new ObjectError(complaint);
}

export interface Section {
  readonly index: number;
  readonly name: string;
  /** `sh_type`: 1 PROGBITS, 8 NOBITS, 9 REL. */
  readonly type: number;
  /** `sh_flags`: 1 write, 2 alloc, 4 code. */
  readonly flags: number;
  readonly link: number;
  readonly info: number;
  /** Content; zeroes for a section that occupies no space in the file. */
  readonly bytes: Uint8Array;
}

export interface ElfSymbol {
  readonly name: string;
  readonly value: number;
  readonly size: number;
  /** Index of the section, 0 for an undefined symbol. */
  readonly section: number;
  /** `STT_*`: 1 object, 2 function, 3 section. */
  readonly type: number;
}

export interface Relocation {
  /** Byte offset in the section that it patches. */
  readonly offset: number;
  /** `R_BPF_*`: 1 is 64_64 (load of an address), 2 is 64_ABS64, 10 is 64_32 (call). */
  readonly type: number;
  readonly symbol: ElfSymbol;
}

/** What a relocatable ELF64 file of machine BPF says (System V ABI, gABI 4.1). */
export interface ElfFile {
  readonly sections: readonly Section[];
  readonly symbols: readonly ElfSymbol[];
  /** Relocations of a section by its index, in the order of the file. */
  relocationsOf(section: number): readonly Relocation[];
}

/** Section types and flags that the loader looks at. */
export const sectionType = { symbols: 2, noBits: 8, relocations: 9 } as const;
export const sectionFlag = { write: 1, alloc: 2, code: 4 } as const;
export const symbolType = { object: 1, function: 2, section: 3 } as const;

const machineBpf = 247;

/** Reads a whole ELF file. Throws ObjectError when it is no little-endian ELF64 object for BPF. */
export function parseElf(content: Uint8Array): ElfFile {
  // What a file is read into may be a Buffer of Node, whose slices share memory.
  const file = new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  const view = viewOf(file);
  demand(file.length >= 64 && view.getUint32(0) === 0x7f454c46, 'not an ELF file');
  demand(file[4] === 2 && file[5] === 1, 'not a little-endian ELF64 file');
  demand(view.getUint16(18, true) === machineBpf, 'not an object for BPF');
  const sections = readSections(file, view);
  const symbols = readSymbols(sections);
  return { sections, symbols, relocationsOf: relocationsBy(sections, symbols) };
}

/** Text at `offset` up to the next zero byte; ASCII. */
export function textAt(strings: Uint8Array, offset: number): string {
  let text = '';
  for (let at = offset; at < strings.length && strings[at] !== 0; at += 1) {
    text += String.fromCharCode(strings[at] ?? 0);
  }
  return text;
}

function readSections(file: Uint8Array, view: DataView): Section[] {
  const tableAt = wordAt(view, 40);
  const entrySize = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  const namesIndex = view.getUint16(62, true);
  demand(tableAt + count * entrySize <= file.length, 'the section table lies outside the file');
  const headers = Array.from({ length: count }, (_, index) => {
    const at = tableAt + index * entrySize;
    const type = view.getUint32(at + 4, true);
    return {
      index, type, nameAt: view.getUint32(at, true), flags: wordAt(view, at + 8),
      link: view.getUint32(at + 40, true), info: view.getUint32(at + 44, true),
      bytes: contentOf(file, { type, from: wordAt(view, at + 24), size: wordAt(view, at + 32) }),
    };
  });
  const names = headers[namesIndex]?.bytes ?? new Uint8Array();
  return headers.map(({ nameAt, ...rest }) => ({ ...rest, name: textAt(names, nameAt) }));
}

function contentOf(
  file: Uint8Array, { type, from, size }: { type: number; from: number; size: number },
): Uint8Array {
  if (type === sectionType.noBits) return new Uint8Array(size);
  demand(from + size <= file.length, 'a section lies outside the file');
  return file.subarray(from, from + size);
}

function readSymbols(sections: readonly Section[]): ElfSymbol[] {
  const table = sections.find(({ type }) => type === sectionType.symbols);
  demand(table !== undefined, 'the object has no symbols');
  const names = sections[table.link]?.bytes ?? new Uint8Array();
  const view = viewOf(table.bytes);
  return Array.from({ length: Math.floor(table.bytes.length / 24) }, (_, index) => {
    const at = index * 24;
    return {
      name: textAt(names, view.getUint32(at, true)),
      type: view.getUint8(at + 4) & 15,
      section: view.getUint16(at + 6, true),
      value: wordAt(view, at + 8),
      size: wordAt(view, at + 16),
    };
  });
}

function relocationsBy(
  sections: readonly Section[], symbols: readonly ElfSymbol[],
): (section: number) => readonly Relocation[] {
  const found = new Map<number, Relocation[]>();
  for (const table of sections.filter(({ type }) => type === sectionType.relocations)) {
    const view = viewOf(table.bytes);
    const list = found.get(table.info) ?? [];
    found.set(table.info, list);
    for (let at = 0; at + 16 <= table.bytes.length; at += 16) {
      const symbol = symbols[view.getUint32(at + 12, true)];
      demand(symbol !== undefined, `${table.name} names a symbol that does not exist`);
      list.push({ offset: wordAt(view, at), type: view.getUint32(at + 8, true), symbol });
    }
  }
  return (section) => found.get(section) ?? [];
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// 64-bit fields of an object file: offsets and sizes, all far below 2^32.
function wordAt(view: DataView, at: number): number {
  demand(view.getUint32(at + 4, true) === 0, 'a field of the file exceeds 32 bits');
  return view.getUint32(at, true);
}
