import type { Btf } from './vm/btf.ts';

/** Where a field lies in a struct, in bytes. */
export interface ShapeField {
  readonly offset: number;
  readonly bytes: number;
}

/** A struct by the names of its fields; padding is no field. */
export interface Shape {
  readonly bytes: number;
  readonly fields: ReadonlyMap<string, ShapeField>;
}

/** Shape of a struct of a BTF by its id; undefined for what is no struct. */
export function shapeOf(btf: Btf, id: number): Shape | undefined {
  const { members, size } = btf.plain(id);
  if (members.length === 0) return undefined;
  const named = members.filter(({ name }) => !/^pad\d*$/u.test(name));
  return {
    bytes: size,
    fields: new Map(named.map(({ name, type, offset }) => (
      [name, { offset: offset / 8, bytes: btf.sizeOf(type) }]
    ))),
  };
}

/**
 * Writes a struct of one shape in another one, field by field of the same name. A field that grew
 * has zeros behind, which little-endian numbers need; one that the other shape lacks is zero.
 */
export function reshape(
  bytes: Uint8Array, { from, to }: { readonly from: Shape; readonly to: Shape },
): Uint8Array {
  const into = new Uint8Array(to.bytes);
  for (const [name, field] of to.fields) {
    const source = from.fields.get(name);
    if (source === undefined) continue;
    const length = Math.min(source.bytes, field.bytes);
    into.set(bytes.subarray(source.offset, source.offset + length), field.offset);
  }
  return into;
}
