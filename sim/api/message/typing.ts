import { objectOf } from '../json.ts';
import { messageOfType } from './catalog.ts';
import type { FieldType, Message, Scalar } from './grammar.ts';

/** Where a value stands: in which struct, and under which path without indexes. */
interface Place {
  readonly struct: string;
  readonly path: string;
}

/**
 * The first value of an object that has not the type of its field, in the words of Go's decoder, or
 * undefined where all have. Unknown fields are not its concern, null counts as absent.
 */
export function typeFault(object: unknown, message: Message): string | undefined {
  return messageFault(object, message, '');
}

function messageFault(value: unknown, message: Message, path: string): string | undefined {
  const fields = objectOf(value) ?? {};
  const struct = message.name.slice(message.package.length + 1);
  for (const field of message.fields.values()) {
    const inside = fields[field.name];
    if (inside === undefined || inside === null) continue;
    const at = path === '' ? field.name : `${path}.${field.name}`;
    const fault = valueFault(inside, field.type, { struct, path: at });
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function valueFault(value: unknown, type: FieldType, place: Place): string | undefined {
  if (!fits(value, type)) {
    const at = `${place.struct}.${place.path}`;
    return `json: cannot unmarshal ${jsonType(value)} into Go struct field ${at} of type `
      + goType(type);
  }
  switch (type.kind) {
    case 'scalar': return undefined;
    case 'message': {
      const message = messageOfType(type);
      return message && messageFault(value, message, place.path);
    }
    case 'list': return firstFault(Array.isArray(value) ? value : [], type.of, place);
    case 'map': return firstFault(Object.values(objectOf(value) ?? {}), type.of, place);
  }
}

function firstFault(
  values: readonly unknown[], type: FieldType, place: Place,
): string | undefined {
  for (const value of values) {
    if (value === null) continue;
    const fault = valueFault(value, type, place);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function fits(value: unknown, type: FieldType): boolean {
  switch (type.kind) {
    case 'list': return Array.isArray(value);
    case 'map': case 'message': return objectOf(value) !== undefined;
    case 'scalar': return fitsScalar(value, type.scalar);
  }
}

function fitsScalar(value: unknown, scalar: Scalar): boolean {
  switch (scalar) {
    case 'Any': return true;
    case 'bool': return typeof value === 'boolean';
    case 'int32': case 'int64': return typeof value === 'number' && Number.isInteger(value);
    case 'double': return typeof value === 'number';
    case 'IntOrString': case 'Quantity':
      return typeof value === 'string' || typeof value === 'number';
    case 'string': case 'bytes': case 'Time': case 'MicroTime': return typeof value === 'string';
  }
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number' && !Number.isInteger(value)) return `number ${value}`;
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

const goScalars: Readonly<Partial<Record<Scalar, string>>> = {
  double: 'float64', bytes: '[]uint8', Time: 'v1.Time', MicroTime: 'v1.MicroTime',
  IntOrString: 'intstr.IntOrString', Quantity: 'resource.Quantity',
};

function goType(type: FieldType): string {
  switch (type.kind) {
    case 'scalar': return goScalars[type.scalar] ?? type.scalar;
    case 'list': return `[]${goType(type.of)}`;
    case 'map': return `map[string]${goType(type.of)}`;
    case 'message': return `v1.${type.name.slice(type.name.indexOf('.') + 1)}`;
  }
}
