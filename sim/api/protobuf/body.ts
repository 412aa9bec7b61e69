import { err, ok } from '../../../lb/result.ts';
import { formatMicroTime, formatTime } from '../../../lb/time.ts';
import type { KubeObject } from '../../../kube/port.ts';
import { base64Of } from '../base64.ts';
import { builtInMessages, messageOfKind } from '../message/catalog.ts';
import type { Field, FieldType, Message, Scalar } from '../message/grammar.ts';
import { badRequest, type Outcome } from '../refusal.ts';
import { textOfUtf8 } from '../../../lb/utf8.ts';
import { packedVarints, wireFields, type WireField } from './wire.ts';

/** `k8s` and a zero: what every protobuf body of Kubernetes begins with. */
const magic: readonly number[] = [0x6b, 0x38, 0x73, 0];

/**
 * The object in a body of type `application/vnd.kubernetes.protobuf`, in the shape that its JSON
 * has: an envelope with apiVersion and kind around a built-in message (simulator.md 6.4, 3).
 * 415 for a kind that has no message here, 400 for bytes that are none.
 */
export function protobufObject(body: Uint8Array): Outcome<KubeObject> {
  const known = magic.every((byte, index) => body[index] === byte);
  const envelope = known ? wireFields(body.subarray(magic.length)) : undefined;
  if (envelope === undefined) return badRequest('the protobuf body has no Kubernetes envelope');
  const typeMeta = wireFields(bytesOf(envelope, 1)) ?? [];
  const apiVersion = textOfUtf8(bytesOf(typeMeta, 1));
  const kind = textOfUtf8(bytesOf(typeMeta, 2));
  const message = messageOf(apiVersion, kind);
  if (message === undefined) {
    const text = `the protobuf message ${kind} of ${apiVersion} is not known here; send JSON`;
    return err({ kind: 'invalid', code: 415, reason: 'UnsupportedMediaType', message: text });
  }
  const content = decode(bytesOf(envelope, 2), message);
  if (content === undefined) return badRequest(`the protobuf body is no ${kind} of ${apiVersion}`);
  return ok({ apiVersion, kind, ...content });
}

// Every group has its own name for the options of a deletion. Schemas of definitions have an
// encoding of their own, which nobody sends.
function messageOf(apiVersion: string, kind: string): Message | undefined {
  if (kind === 'DeleteOptions') return builtInMessages.get('meta.DeleteOptions');
  const message = messageOfKind(apiVersion, kind);
  return message?.package === 'apiextensions' ? undefined : message;
}

function bytesOf(fields: readonly WireField[], number: number): Uint8Array {
  const field = fields.findLast((candidate) => candidate.number === number);
  return field?.kind === 'bytes' ? field.value : new Uint8Array();
}

/** The content of a message, or undefined for bytes that are none; unknown fields are skipped. */
function decode(bytes: Uint8Array, message: Message): Record<string, unknown> | undefined {
  const fields = wireFields(bytes);
  if (fields === undefined) return undefined;
  const content: Record<string, unknown> = {};
  for (const wire of fields) {
    const field = message.wire.get(wire.number);
    if (field === undefined) continue;
    const value = valueOf(wire, field.type);
    if (value === undefined) return undefined;
    if (!put(content, field, value)) return undefined;
  }
  return content;
}

/** What a value is once read: `none` is a time that was never set. */
type Value = { readonly value: unknown } | 'none';

function put(content: Record<string, unknown>, field: Field, read: Value): boolean {
  if (read === 'none') return true;
  const { value } = read;
  const { name, type } = field;
  if (field.inline) Object.assign(content, value);
  else if (type.kind === 'list') {
    const list = content[name] ?? [];
    if (!Array.isArray(list)) return false;
    content[name] = [...list as unknown[], ...value as unknown[]];
  } else if (type.kind === 'map') {
    content[name] = { ...content[name] as object | undefined, ...value as object };
  } else if (field.pointer || !isZero(value)) content[name] = value;
  return true;
}

// Go writes fields that are no pointers whatever they hold; in JSON such zeros are left out.
function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false
    || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

function valueOf(wire: WireField, type: FieldType): Value | undefined {
  switch (type.kind) {
    case 'scalar': return scalarOf(wire, type.scalar);
    case 'message': return messageValue(wire, type.name);
    case 'list': return listValue(wire, type.of);
    case 'map': return mapValue(wire, type.of);
  }
}

function messageValue(wire: WireField, name: string): Value | undefined {
  const message = builtInMessages.get(name);
  if (wire.kind !== 'bytes' || message === undefined) return undefined;
  const value = decode(wire.value, message);
  return value === undefined ? undefined : { value };
}

function listValue(wire: WireField, of: FieldType): Value | undefined {
  if (wire.kind === 'bytes' && of.kind === 'scalar' && isNumeric(of.scalar)) {
    const numbers = packedVarints(wire.value);
    return numbers && { value: numbers.map((number) => Number(BigInt.asIntN(64, number))) };
  }
  const item = valueOf(wire, of);
  return item === undefined || item === 'none' ? undefined : { value: [item.value] };
}

function isNumeric(scalar: Scalar): boolean {
  return scalar === 'int32' || scalar === 'int64';
}

// An entry is a message of key and value; a list as value is wrapped in a message of its own.
function mapValue(wire: WireField, of: FieldType): Value | undefined {
  const entry = wire.kind === 'bytes' ? wireFields(wire.value) : undefined;
  if (entry === undefined) return undefined;
  const key = textOfUtf8(bytesOf(entry, 1));
  const stored = entry.find((field) => field.number === 2);
  if (of.kind === 'list') {
    const items = wireFields(bytesOf(entry, 2));
    return items && { value: { [key]: items.map((item) => textOfUtf8(bytesOf([item], 1))) } };
  }
  const empty: WireField = { number: 2, kind: 'bytes', value: new Uint8Array() };
  const value = valueOf(stored ?? empty, of);
  return value === undefined || value === 'none' ? undefined : { value: { [key]: value.value } };
}

function scalarOf(wire: WireField, scalar: Scalar): Value | undefined {
  if (scalar === 'int32' || scalar === 'int64' || scalar === 'bool') {
    if (wire.kind !== 'varint') return undefined;
    const number = Number(BigInt.asIntN(64, wire.value));
    return { value: scalar === 'bool' ? number !== 0 : number };
  }
  if (scalar === 'double') {
    if (wire.kind !== 'fixed' || wire.value.length !== 8) return undefined;
    const { buffer, byteOffset } = wire.value;
    return { value: new DataView(buffer, byteOffset).getFloat64(0, true) };
  }
  if (wire.kind !== 'bytes') return undefined;
  if (scalar === 'string') return { value: textOfUtf8(wire.value) };
  if (scalar === 'bytes') return { value: base64Of(wire.value) };
  const parts = wireFields(wire.value);
  return parts === undefined ? undefined : composedOf(parts, scalar);
}

// Messages that are one value in JSON.
function composedOf(parts: readonly WireField[], scalar: Scalar): Value | undefined {
  const number = (at: number): number => {
    const part = parts.findLast((candidate) => candidate.number === at);
    return part?.kind === 'varint' ? Number(BigInt.asIntN(64, part.value)) : 0;
  };
  switch (scalar) {
    case 'Time': case 'MicroTime': {
      const [seconds, nanoseconds] = [number(1), number(2)];
      if (seconds === 0 && nanoseconds === 0) return 'none';
      if (seconds < 0) return undefined;
      const wall = seconds * 1_000_000 + Math.floor(nanoseconds / 1000);
      return { value: scalar === 'Time' ? formatTime(wall) : formatMicroTime(wall) };
    }
    case 'IntOrString':
      return { value: number(1) === 1 ? textOfUtf8(bytesOf(parts, 3)) : number(2) };
    case 'Quantity': return { value: textOfUtf8(bytesOf(parts, 1)) };
    case 'Any': return jsonOf(textOfUtf8(bytesOf(parts, 1)));
    default: return undefined;
  }
}

function jsonOf(text: string): Value | undefined {
  if (text === '') return 'none';
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
