import { assert } from '../../lb/result.ts';

/**
 * Protocol buffers as far as GoBGP's API uses them (protobuf.dev, encoding): a message is a table
 * of fields, which gives its codec and both its types. Unknown fields are skipped, missing ones
 * have the defaults of proto3, and what equals its default is not written.
 */
export interface Field<Read, Write = Read> {
  readonly number: number;
  readonly absent: Read;
  put(into: number[], value: Write): void;
  /** `before`: what stood there so far; fields that repeat add to it. */
  take(wire: Wire, before: Read): Read;
}

// The widest type that every field has: both sides of a codec differ by field.
// oxlint-disable-next-line typescript/no-explicit-any
type AnyField = Field<any, any>;
export type Fields = Readonly<Record<string, AnyField>>;

/** What decoding gives: every field, with its default where it was missing. */
export type Read<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Field<infer R, infer _> ? R : never;
};
/** What encoding takes: any of the fields. */
export type Write<F extends Fields> = {
  readonly [Name in keyof F]?: F[Name] extends Field<infer _, infer W> ? W : never;
};

/** One field as it stands on the wire; numbers of more than 53 bits lose their low ones. */
type Wire = { readonly number: number } & (
  | { readonly kind: 'varint'; readonly value: number; readonly low: number }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'fixed' }
);

export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

export function encode<F extends Fields>(fields: F, value: Write<F>): Uint8Array {
  return Uint8Array.from(octets(fields, value));
}

function octets<F extends Fields>(fields: F, value: Write<F>): number[] {
  const into: number[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const part: unknown = value[name];
    if (part !== undefined) field.put(into, part);
  }
  return into;
}

/** Throws `MalformedMessage` on bytes that are no message. */
export function decode<F extends Fields>(fields: F, bytes: Uint8Array): Read<F> {
  const value: Record<string, unknown> = {};
  const named = new Map<number, readonly [string, AnyField]>();
  for (const [name, field] of Object.entries(fields)) {
    value[name] = field.absent;
    named.set(field.number, [name, field]);
  }
  const cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const wire = next(cursor);
    const known = named.get(wire.number);
    if (known !== undefined) value[known[0]] = known[1].take(wire, value[known[0]]);
  }
  // Every field was given its default above and then only what its own codec took.
  return value as Read<F>;
}

/** Unsigned number; enums too. Above 2^53 its low bits are lost. */
export function uint(number: number): Field<number> {
  return {
    number,
    absent: 0,
    put: (into, value) => {
      assert(Number.isSafeInteger(value) && value >= 0, `${value} is an unsigned integer`);
      if (value !== 0) varint(varint(into, number * 8), value);
    },
    take: (wire, before) => (wire.kind === 'varint' ? wire.value : before),
  };
}

/** int32: negative numbers take ten bytes, as if they had 64 bits. */
export function int32(number: number): Field<number> {
  return {
    number,
    absent: 0,
    put: (into, value) => {
      assert(value === (value | 0), `${value} has 32 bits`);
      if (value === 0) return;
      varint(into, number * 8);
      if (value > 0) varint(into, value);
      else into.push(...negative(value));
    },
    take: (wire, before) => (wire.kind === 'varint' ? wire.low : before),
  };
}

export function bool(number: number): Field<boolean> {
  return {
    number,
    absent: false,
    put: (into, value) => { if (value) varint(varint(into, number * 8), 1); },
    take: (wire, before) => (wire.kind === 'varint' ? wire.value !== 0 : before),
  };
}

export function string(number: number): Field<string> {
  return {
    number,
    absent: '',
    put: (into, value) => { if (value !== '') counted(into, number, utf8(value)); },
    take: (wire, before) => (wire.kind === 'bytes' ? textOf(wire.value) : before),
  };
}

/** Bytes, or a message whose content is decoded by its reader. Empty ones are written. */
export function bytes(number: number): Field<Uint8Array | undefined, Uint8Array> {
  return {
    number,
    absent: undefined,
    put: (into, value) => counted(into, number, value),
    take: (wire, before) => (wire.kind === 'bytes' ? wire.value : before),
  };
}

/** A message within a message; undefined where there is none. Empty ones are written. */
export function message<F extends Fields>(
  number: number, fields: F,
): Field<Read<F> | undefined, Write<F>> {
  return {
    number,
    absent: undefined,
    put: (into, value) => counted(into, number, octets(fields, value)),
    take: (wire, before) => (wire.kind === 'bytes' ? decode(fields, wire.value) : before),
  };
}

/** Repeated strings, bytes and messages. */
export function repeated<R, W>(
  field: Field<R | undefined, W>,
): Field<readonly R[], readonly W[]> {
  const { number, absent } = field;
  return {
    number,
    absent: [],
    put: (into, values) => {
      for (const value of values) {
        const length = into.length;
        field.put(into, value);
        // An element that equals its default stands there all the same.
        if (into.length === length) counted(into, number, []);
      }
    },
    take: (wire, before) => {
      const value = field.take(wire, absent);
      return value === undefined ? before : [...before, value];
    },
  };
}

/** Repeated unsigned numbers, packed. */
export function packed(number: number): Field<readonly number[]> {
  return {
    number,
    absent: [],
    put: (into, values) => {
      if (values.length === 0) return;
      const content: number[] = [];
      for (const value of values) varint(content, value);
      counted(into, number, content);
    },
    take: (wire, before) => {
      if (wire.kind === 'varint') return [...before, wire.value];
      if (wire.kind !== 'bytes') return before;
      const [cursor, values] = [{ bytes: wire.value, at: 0 }, [...before]];
      while (cursor.at < wire.value.length) values.push(readVarint(cursor).value);
      return values;
    },
  };
}

function counted(into: number[], number: number, content: Uint8Array | readonly number[]): void {
  varint(varint(into, number * 8 + 2), content.length);
  for (const octet of content) into.push(octet);
}

function varint(into: number[], value: number): number[] {
  let rest = value;
  while (rest >= 0x80) {
    into.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  into.push(rest);
  return into;
}

function negative(value: number): number[] {
  const octetsOf = Array.from({ length: 9 }, (_, at) => (
    Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(7 * at)) & 0x7fn) + 0x80
  ));
  return [...octetsOf, 1];
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

function next(cursor: Cursor): Wire {
  const tag = readVarint(cursor).value;
  const number = Math.floor(tag / 8);
  switch (tag % 8) {
    case 0: return { number, kind: 'varint', ...readVarint(cursor) };
    case 1: return skip(cursor, number, 8);
    case 2: {
      const length = readVarint(cursor).value;
      const value = cursor.bytes.subarray(cursor.at, cursor.at + length);
      if (value.length < length) throw new MalformedMessage(`field ${number} is cut off`);
      cursor.at += length;
      return { number, kind: 'bytes', value };
    }
    case 5: return skip(cursor, number, 4);
    default: throw new MalformedMessage(`field ${number} has an unknown wire type`);
  }
}

function skip(cursor: Cursor, number: number, length: number): Wire {
  cursor.at += length;
  if (cursor.at > cursor.bytes.length) throw new MalformedMessage(`field ${number} is cut off`);
  return { number, kind: 'fixed' };
}

const varintBytesMax = 10;

/** The value, and its low 32 bits as a signed number. */
function readVarint(cursor: Cursor): { readonly value: number; readonly low: number } {
  let [value, scale, low] = [0, 1, 0];
  for (let index = 0; index < varintBytesMax; index += 1) {
    const octet = cursor.bytes[cursor.at];
    if (octet === undefined) break;
    cursor.at += 1;
    value += (octet & 0x7f) * scale;
    scale *= 0x80;
    if (index < 5) low |= (octet & 0x7f) << (7 * index);
    if (octet < 0x80) return { value, low };
  }
  throw new MalformedMessage('a number is cut off');
}

/** UTF-8 without the host's encoder, which the core does not know. */
export function utf8(text: string): readonly number[] {
  const escaped = encodeURIComponent(text.toWellFormed());
  const octetsOf: number[] = [];
  for (let at = 0; at < escaped.length; at += 1) {
    const plain = escaped.charCodeAt(at);
    if (plain === 0x25) octetsOf.push(Number.parseInt(escaped.slice(at + 1, (at += 2) + 1), 16));
    else octetsOf.push(plain);
  }
  return octetsOf;
}

/** Bytes that are no UTF-8 are read as Latin-1: such a text is for people only. */
function textOf(content: Uint8Array): string {
  let [escaped, plain, ascii] = ['', '', true];
  for (const octet of content) {
    plain += String.fromCharCode(octet);
    if (octet < 0x80 && octet !== 0x25) escaped += String.fromCharCode(octet);
    else escaped += `%${octet.toString(16).padStart(2, '0')}`;
    ascii &&= octet < 0x80;
  }
  if (ascii) return plain;
  try {
    return decodeURIComponent(escaped);
  } catch {
    return plain;
  }
}
