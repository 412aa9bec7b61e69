import { assert, err, ok, type Result } from '../lb/result.ts';

/** One type as `bpftool -j btf dump file` prints it; which fields exist depends on `kind`. */
export interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly type_id?: number;
  readonly nr_elems?: number;
  readonly members?: readonly BtfMember[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
  readonly vars?: readonly { readonly type_id: number }[];
}

export interface BtfMember {
  readonly name: string;
  readonly type_id: number;
  readonly bits_offset: number;
}

/** What a field holds. Byte strings are addresses and MACs, kept as the wire has them. */
export type FieldForm =
  | { readonly kind: 'integer'; readonly bytes: 1 | 2 | 4 | 8; readonly network: boolean }
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'words'; readonly count: number };

export interface LayoutField {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly form: FieldForm;
}

export interface LayoutStruct {
  readonly name: string;
  readonly bytes: number;
  readonly fields: readonly LayoutField[];
}

export interface LayoutMap {
  readonly name: string;
  /** BPF_MAP_TYPE_* as a number. */
  readonly type: number;
  /** A struct's name; undefined for an array's index and for a ring buffer. */
  readonly key: string | undefined;
  readonly value: string | undefined;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly entriesMax: number;
  readonly flags: number;
}

export interface LayoutEnum {
  readonly name: string;
  readonly values: readonly { readonly name: string; readonly val: number }[];
}

export interface Layout {
  readonly structs: readonly LayoutStruct[];
  readonly maps: readonly LayoutMap[];
  readonly enums: readonly LayoutEnum[];
}

/** A layout that no codec may be written for; `place` is the struct, or `struct.field`. */
export type LayoutError = {
  readonly kind: 'hole' | 'tail-padding' | 'bit-field' | 'unknown-type';
  readonly place: string;
};

/**
 * Structs, maps and enums of our own (`fl_…`) in the BTF of an object. Holes and tail padding are
 * refused, because bytes that no field names would differ between equal map keys.
 */
export function readLayout(types: readonly BtfType[]): Result<Layout, LayoutError> {
  const byId = new Map(types.map((type) => [type.id, type]));
  const structs: LayoutStruct[] = [];
  for (const type of types) {
    // fl_ip is an address and fl_numbers a bag of enums: neither is a row.
    if (type.kind !== 'STRUCT' || !ours(type.name)) continue;
    if (type.name === 'fl_ip' || type.name === 'fl_numbers') continue;
    const struct = readStruct(type, byId);
    if (!struct.ok) return struct;
    structs.push(struct.value);
  }
  const enums = types.filter((type) => type.kind === 'ENUM' && ours(type.name))
    .map((type) => ({ name: type.name, values: type.values ?? [] }));
  const section = types.find((type) => type.kind === 'DATASEC' && type.name === '.maps');
  const maps = (section?.vars ?? []).map((one) => readMap(typeAt(byId, one.type_id), byId));
  return ok({ structs, maps, enums });
}

function ours(name: string): boolean {
  return name.startsWith('fl_');
}

type TypesById = ReadonlyMap<number, BtfType>;

function typeAt(byId: TypesById, id: number | undefined): BtfType {
  const type = byId.get(id ?? -1);
  assert(type !== undefined, `type ${id} is in the BTF`);
  return type;
}

function readStruct(type: BtfType, byId: TypesById): Result<LayoutStruct, LayoutError> {
  const fields: LayoutField[] = [];
  let end = 0;
  for (const member of type.members ?? []) {
    const place = `${type.name}.${member.name}`;
    if (member.bits_offset % 8 !== 0) return err({ kind: 'bit-field', place });
    const offset = member.bits_offset / 8;
    if (offset !== end) return err({ kind: 'hole', place });
    const form = formOf(typeAt(byId, member.type_id), byId);
    if (form === undefined) return err({ kind: 'unknown-type', place });
    const bytes = form.kind === 'words' ? form.count * 4 : form.bytes;
    fields.push({ name: member.name, offset, bytes, form });
    end = offset + bytes;
  }
  if (end !== type.size) return err({ kind: 'tail-padding', place: type.name });
  return ok({ name: type.name, bytes: end, fields });
}

function formOf(type: BtfType, byId: TypesById): FieldForm | undefined {
  const network = type.name === '__be16' || type.name === '__be32';
  const bare = bareType(type, byId);
  if (bare.kind === 'STRUCT') {
    return bare.name === 'fl_ip' ? { kind: 'bytes', bytes: 16 } : undefined;
  }
  if (bare.kind === 'INT') return integerForm(bare.size, network);
  if (bare.kind !== 'ARRAY') return undefined;
  const element = bareType(typeAt(byId, bare.type_id), byId);
  const count = bare.nr_elems ?? 0;
  if (element.kind !== 'INT') return undefined;
  if (element.size === 1) return { kind: 'bytes', bytes: count };
  return element.size === 4 ? { kind: 'words', count } : undefined;
}

function integerForm(size: number | undefined, network: boolean): FieldForm | undefined {
  if (size !== 1 && size !== 2 && size !== 4 && size !== 8) return undefined;
  return { kind: 'integer', bytes: size, network };
}

function bareType(type: BtfType, byId: TypesById): BtfType {
  let bare = type;
  while (['TYPEDEF', 'VOLATILE', 'CONST', 'PTR'].includes(bare.kind)) {
    bare = typeAt(byId, bare.type_id);
  }
  return bare;
}

// libbpf writes a number as a pointer to an array of that length, and a type as a pointer to it.
function readMap(variable: BtfType, byId: TypesById): LayoutMap {
  const definition = typeAt(byId, variable.type_id);
  const member = (name: string): BtfType | undefined => {
    const found = definition.members?.find((one) => one.name === name);
    return found === undefined ? undefined : bareType(typeAt(byId, found.type_id), byId);
  };
  const key = member('key');
  const value = member('value');
  return {
    name: variable.name,
    type: member('type')?.nr_elems ?? 0,
    key: key?.kind === 'STRUCT' ? key.name : undefined,
    value: value?.kind === 'STRUCT' ? value.name : undefined,
    keyBytes: key?.size ?? 0,
    valueBytes: value?.size ?? 0,
    entriesMax: member('max_entries')?.nr_elems ?? 0,
    flags: member('map_flags')?.nr_elems ?? 0,
  };
}
