/** One field as it stands on the wire (protobuf encoding, wire types 0, 1, 2 and 5). */
export type WireField =
  | { readonly number: number; readonly kind: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly kind: 'bytes'; readonly value: Uint8Array }
  /** Eight or four bytes, least significant first. */
  | { readonly number: number; readonly kind: 'fixed'; readonly value: Uint8Array };

/** The fields of one message in order, or undefined when the bytes are no message. */
export function wireFields(bytes: Uint8Array): readonly WireField[] | undefined {
  const fields: WireField[] = [];
  const cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const tag = varint(cursor);
    if (tag === undefined) return undefined;
    const number = Number(tag >> 3n);
    if (number === 0) return undefined;
    const field = content(cursor, number, Number(tag & 7n));
    if (field === undefined) return undefined;
    fields.push(field);
  }
  return fields;
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

function content(cursor: Cursor, number: number, wireType: number): WireField | undefined {
  if (wireType === 0) {
    const value = varint(cursor);
    return value === undefined ? undefined : { number, kind: 'varint', value };
  }
  const counted = wireType === 2;
  const fixed = wireType === 1 ? 8 : wireType === 5 ? 4 : undefined;
  const length = counted ? Number(varint(cursor) ?? -1n) : fixed ?? -1;
  const end = cursor.at + length;
  if (length < 0 || end > cursor.bytes.length) return undefined;
  const value = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return { number, kind: counted ? 'bytes' : 'fixed', value };
}

/** Every varint of packed bytes, or undefined when they are cut off. */
export function packedVarints(bytes: Uint8Array): readonly bigint[] | undefined {
  const values: bigint[] = [];
  const cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const value = varint(cursor);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

const varintBytesMax = 10;

function varint(cursor: Cursor): bigint | undefined {
  let value = 0n;
  for (let index = 0; index < varintBytesMax; index += 1) {
    const byte = cursor.bytes[cursor.at];
    if (byte === undefined) return undefined;
    cursor.at += 1;
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return BigInt.asUintN(64, value);
  }
  return undefined;
}
