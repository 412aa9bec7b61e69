import { demand, textAt, viewOf } from './elf.ts';

/** Kinds of BTF types (`BTF_KIND_*` of include/uapi/linux/btf.h). */
export const btfKind = {
  int: 1, pointer: 2, array: 3, struct: 4, union: 5, enum: 6, forward: 7, typedef: 8, volatile: 9,
  const: 10, restrict: 11, function: 12, prototype: 13, variable: 14, section: 15, float: 16,
  declarationTag: 17, typeTag: 18, enum64: 19,
} as const;

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  /** Bits from the start of the struct; without the width of a bit field. */
  readonly offset: number;
}

export interface BtfType {
  readonly kind: number;
  readonly name: string;
  /** Bytes, for types that have a size of their own. */
  readonly size: number;
  /** The type that this one refers to, 0 for none. */
  readonly type: number;
  /** Members of a struct or union. */
  readonly members: readonly BtfMember[];
  /** Elements of an array. */
  readonly count: number;
}

/** Types of an object (`.BTF`), by their id; id 0 is void. */
export class Btf {
  readonly types: readonly BtfType[];
  readonly strings: Uint8Array;

  constructor(bytes: Uint8Array) {
    const view = viewOf(bytes);
    demand(bytes.length >= 24 && view.getUint16(0, true) === 0xeb9f, 'the BTF is not readable');
    const body = view.getUint32(4, true);
    const typesAt = body + view.getUint32(8, true);
    const stringsAt = body + view.getUint32(16, true);
    this.strings = bytes.subarray(stringsAt, stringsAt + view.getUint32(20, true));
    const types = bytes.subarray(typesAt, typesAt + view.getUint32(12, true));
    this.types = readTypes(viewOf(types), this.strings);
  }

  type(id: number): BtfType {
    const found = this.types[id];
    demand(found !== undefined, `BTF names type ${id}, which does not exist`);
    return found;
  }

  /** The type behind typedefs and qualifiers. */
  plain(id: number): BtfType {
    let type = this.type(id);
    while (transparent.has(type.kind)) type = this.type(type.type);
    return type;
  }

  /** Bytes that a value of the type takes. */
  sizeOf(id: number): number {
    const type = this.plain(id);
    if (type.kind === btfKind.pointer) return 8;
    if (type.kind === btfKind.array) return type.count * this.sizeOf(type.type);
    return type.size;
  }
}

const transparent: ReadonlySet<number> = new Set([
  btfKind.typedef, btfKind.volatile, btfKind.const, btfKind.restrict, btfKind.typeTag,
]);
const withMembers: ReadonlySet<number> = new Set([btfKind.struct, btfKind.union]);
const sized: ReadonlySet<number> = new Set([
  btfKind.int, btfKind.struct, btfKind.union, btfKind.enum, btfKind.section, btfKind.float,
  btfKind.enum64,
]);

const nothing: BtfType = { kind: 0, name: 'void', size: 0, type: 0, members: [], count: 0 };

function readTypes(view: DataView, strings: Uint8Array): BtfType[] {
  const types = [nothing];
  let at = 0;
  while (at + 12 <= view.byteLength) {
    const word = view.getUint32(at + 4, true);
    const kind = (word >>> 24) & 31;
    const length = word & 0xffff;
    const sizeOrType = view.getUint32(at + 8, true);
    const name = textAt(strings, view.getUint32(at, true));
    const isArray = kind === btfKind.array;
    const refers = isArray ? view.getUint32(at + 12, true) : sizeOrType;
    types.push({
      kind, name,
      size: sized.has(kind) ? sizeOrType : 0,
      type: sized.has(kind) ? 0 : refers,
      members: withMembers.has(kind) ? readMembers(view, strings, { at: at + 12, length }) : [],
      count: isArray ? view.getUint32(at + 20, true) : 0,
    });
    at += 12 + tailSize(kind, length);
  }
  return types;
}

function readMembers(
  view: DataView, strings: Uint8Array, { at, length }: { at: number; length: number },
): BtfMember[] {
  return Array.from({ length }, (_, index) => ({
    name: textAt(strings, view.getUint32(at + index * 12, true)),
    type: view.getUint32(at + index * 12 + 4, true),
    offset: view.getUint32(at + index * 12 + 8, true) & 0xffffff,
  }));
}

function tailSize(kind: number, length: number): number {
  switch (kind) {
    case btfKind.int:
    case btfKind.variable:
    case btfKind.declarationTag: return 4;
    case btfKind.array: return 12;
    case btfKind.struct:
    case btfKind.union:
    case btfKind.section:
    case btfKind.enum64: return length * 12;
    case btfKind.enum:
    case btfKind.prototype: return length * 8;
    default: return 0;
  }
}

/** Where in the source an instruction comes from. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * Source lines of one object (`.BTF.ext`), by section name and byte offset of an instruction.
 * An object compiled without -g has none.
 */
export class SourceLines {
  readonly #bySection = new Map<string, { readonly at: number; readonly place: Place }[]>();

  constructor(bytes: Uint8Array, btf: Btf) {
    const view = viewOf(bytes);
    const body = view.getUint32(4, true);
    let at = body + view.getUint32(16, true);
    const end = at + view.getUint32(20, true);
    const recordSize = view.getUint32(at, true);
    at += 4;
    while (at + 8 <= end) {
      const section = textAt(btf.strings, view.getUint32(at, true));
      const count = view.getUint32(at + 4, true);
      const records = Array.from({ length: count }, (_, index) => at + 8 + index * recordSize);
      this.#bySection.set(section, records.map((record) => ({
        at: view.getUint32(record, true),
        place: {
          file: textAt(btf.strings, view.getUint32(record + 4, true)),
          line: view.getUint32(record + 12, true) >>> 10,
        },
      })));
      at += 8 + count * recordSize;
    }
  }

  /** The line that the instruction at byte `offset` of `section` belongs to. */
  placeOf(section: string, offset: number): Place | undefined {
    return this.#bySection.get(section)?.findLast(({ at }) => at <= offset)?.place;
  }
}
