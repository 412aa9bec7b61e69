import type { Fault } from '../../lb/model.ts';
import type { KubeObject } from '../port.ts';
import { parseTimeMs } from '../../lb/time.ts';
import { schemaOf } from './kinds.ts';
import type {
  IntegerSchema, KindSchema, ListSchema, ObjectSchema, Schema, TextSchema,
} from './schema.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * What admission finds wrong with an object of our eight kinds, in field order; none for other
 * kinds. Unknown fields are not faults here: they are pruned (`unknownFields` lists them).
 */
export function validateObject(object: KubeObject): Fault[] {
  const schema = schemaOfObject(object);
  if (schema === undefined) return [];
  const faults: Fault[] = [];
  const unserved = unservedVersion(object);
  if (unserved !== undefined) faults.push({ path: 'apiVersion', message: unserved });
  const spec = object['spec'];
  if (spec !== undefined) validateValue(spec, { schema: schema.spec, path: 'spec', faults });
  else if (schema.specRequired) faults.push({ path: 'spec', message: 'Required value' });
  const status = object['status'];
  if (schema.status !== undefined && status !== undefined) {
    validateValue(status, { schema: schema.status, path: 'status', faults });
  }
  return faults;
}

/** Why no server takes an object of our group in that version, or undefined where one does. */
export function unservedVersion(object: KubeObject): string | undefined {
  const schema = schemaOfObject(object);
  const version = (object.apiVersion ?? '').split('/')[1] ?? '';
  if (
    schema === undefined
    || schema.versions.some((known) => known.served && known.name === version)
  ) {
    return undefined;
  }
  return `no matches for kind "${schema.kind}" in version "${object.apiVersion ?? ''}"`;
}

/** The object with absent fields filled from the schema's defaults; the same object if none was. */
export function defaultObject(object: KubeObject): KubeObject {
  const schema = schemaOfObject(object);
  if (schema === undefined) return object;
  const spec = withDefaults(object['spec'], schema.spec);
  return spec === object['spec'] ? object : { ...object, spec };
}

/** The object without fields that its schema does not know; the same object if it has none. */
export function prune(object: KubeObject): KubeObject {
  const schema = schemaOfObject(object);
  if (schema === undefined) return object;
  const pruned: Record<string, unknown> = {};
  let same = true;
  for (const key of Object.keys(object)) {
    const value = object[key];
    const kept = key === 'spec' ? pruneValue(value, schema.spec)
      : key === 'status' && schema.status !== undefined ? pruneValue(value, schema.status)
      : rootFields.includes(key) ? value : undefined;
    same = same && kept === value;
    if (kept !== undefined) pruned[key] = kept;
  }
  return same ? object : pruned;
}

/** Paths of the fields that `prune` would drop: what `fieldValidation: Strict` refuses. */
export function unknownFields(object: KubeObject): Fault[] {
  const schema = schemaOfObject(object);
  if (schema === undefined) return [];
  const faults: Fault[] = [];
  for (const key of Object.keys(object)) {
    if (
      !rootFields.includes(key)
      && key !== 'spec'
      && !(key === 'status' && schema.status !== undefined)
    ) {
      faults.push(unknown(key));
    }
  }
  listUnknown(object['spec'], { schema: schema.spec, path: 'spec', faults });
  if (schema.status !== undefined) {
    listUnknown(object['status'], { schema: schema.status, path: 'status', faults });
  }
  return faults;
}

const rootFields: readonly string[] = ['apiVersion', 'kind', 'metadata'];

function schemaOfObject(object: KubeObject): KindSchema | undefined {
  const group = (object.apiVersion ?? '').split('/')[0] ?? '';
  return schemaOf(group, object.kind ?? '');
}

interface Place<S extends Schema = Schema> {
  readonly schema: S;
  readonly path: string;
  readonly faults: Fault[];
}

function unknown(path: string): Fault {
  return { path, message: `unknown field "${path}"` };
}

function validateValue(value: unknown, place: Place): void {
  const { schema } = place;
  const before = place.faults.length;
  switch (schema.type) {
    case 'object': validateFields(value, { ...place, schema }); break;
    case 'map': validateMap(value, place, schema.values); break;
    case 'list': validateList(value, { ...place, schema }); break;
    case 'text': validateText(value, { ...place, schema }); break;
    case 'integer': validateInteger(value, { ...place, schema }); break;
    case 'boolean': if (typeof value !== 'boolean') mistyped(value, place, 'boolean');
  }
  // As in the API server, rules are judged only where the structure below is sound.
  if (place.faults.length > before) return;
  for (const rule of schema.rules ?? []) {
    if (!rule.check(value)) {
      place.faults.push({ path: place.path, message: `Invalid value: ${rule.message}` });
    }
  }
}

function mistyped(value: unknown, place: Place, wanted: string): void {
  const got = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  place.faults.push({
    path: place.path, message: `Invalid value: must be of type ${wanted}, not ${got}`,
  });
}

function asFields(value: unknown): Fields | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Fields) : undefined;
}

function validateFields(value: unknown, place: Place<ObjectSchema>): void {
  const fields = asFields(value);
  if (fields === undefined) return mistyped(value, place, 'object');
  for (const name of place.schema.required) {
    if (fields[name] === undefined) {
      place.faults.push({ path: `${place.path}.${name}`, message: 'Required value' });
    }
  }
  for (const name of Object.keys(place.schema.properties)) {
    const schema = place.schema.properties[name];
    const field = fields[name];
    if (schema === undefined || field === undefined) continue;
    validateValue(field, { ...place, schema, path: `${place.path}.${name}` });
  }
}

function validateMap(value: unknown, place: Place, schema: Schema): void {
  const fields = asFields(value);
  if (fields === undefined) return mistyped(value, place, 'object');
  for (const key of Object.keys(fields)) {
    validateValue(fields[key], { ...place, schema, path: `${place.path}.${key}` });
  }
}

function validateList(value: unknown, place: Place<ListSchema>): void {
  if (!Array.isArray(value)) return mistyped(value, place, 'array');
  const { itemsMin = 0, itemsMax, listType, keys, items } = place.schema;
  const { path, faults } = place;
  if (value.length < itemsMin) {
    faults.push({ path, message: `Invalid value: should have at least ${itemsMin} items` });
  }
  if (itemsMax !== undefined && value.length > itemsMax) {
    faults.push({
      path, message: `Too many: ${value.length}: must have at most ${itemsMax} items`,
    });
  }
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const at = `${path}[${index}]`;
    validateValue(item, { schema: items, path: at, faults });
    if (listType === 'atomic') continue;
    const identity = listType === 'set' ? JSON.stringify(item) : identityOf(item, keys);
    if (seen.has(identity)) faults.push({ path: at, message: `Duplicate value: ${identity}` });
    seen.add(identity);
  }
}

function identityOf(item: unknown, keys: readonly string[]): string {
  const fields = asFields(item) ?? {};
  return JSON.stringify(keys.map((key) => [key, fields[key] ?? null]));
}

function validateText(value: unknown, place: Place<TextSchema>): void {
  if (typeof value !== 'string') return mistyped(value, place, 'string');
  const { options, pattern, lengthMin = 0, lengthMax, format } = place.schema;
  const refuse = (message: string): void => { place.faults.push({ path: place.path, message }); };
  if (options !== undefined && !options.includes(value)) {
    const supported = options.map((option) => `"${option}"`).join(', ');
    refuse(`Unsupported value: "${value}": supported values: ${supported}`);
  }
  if (value.length < lengthMin) {
    refuse(`Invalid value: "${value}": must have at least ${lengthMin} characters`);
  }
  if (lengthMax !== undefined && value.length > lengthMax) {
    refuse(`Too long: may not be more than ${lengthMax} characters`);
  }
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value)) {
    refuse(`Invalid value: "${value}": should match '${pattern}'`);
  }
  if (format === 'date-time' && parseTimeMs(value) === undefined) {
    refuse(`Invalid value: "${value}": must be an RFC 3339 time`);
  }
}

function validateInteger(value: unknown, place: Place<IntegerSchema>): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    return mistyped(value, place, 'integer');
  }
  const { min, max } = place.schema;
  const refuse = (message: string): void => {
    place.faults.push({ path: place.path, message: `Invalid value: ${value}: ${message}` });
  };
  if (min !== undefined && value < min) refuse(`should be greater than or equal to ${min}`);
  if (max !== undefined && value > max) refuse(`should be less than or equal to ${max}`);
}

function withDefaults(value: unknown, schema: Schema): unknown {
  if (schema.type === 'list') {
    if (!Array.isArray(value)) return value;
    return sameOr(value, value.map((item) => withDefaults(item, schema.items)));
  }
  const fields = asFields(value);
  if (schema.type !== 'object' || fields === undefined) return value;
  let filled: Record<string, unknown> | undefined;
  for (const name of Object.keys(schema.properties)) {
    const property = schema.properties[name];
    if (property === undefined) continue;
    const before = fields[name];
    const after = before === undefined ? property.default : withDefaults(before, property);
    if (after === before) continue;
    filled ??= { ...fields };
    filled[name] = after;
  }
  return filled ?? value;
}

function pruneValue(value: unknown, schema: Schema): unknown {
  if (schema.type === 'list') {
    if (!Array.isArray(value)) return value;
    return sameOr(value, value.map((item) => pruneValue(item, schema.items)));
  }
  const fields = asFields(value);
  if (schema.type !== 'object' || fields === undefined) return value;
  const pruned: Record<string, unknown> = {};
  let same = true;
  for (const key of Object.keys(fields)) {
    const property = schema.properties[key];
    const kept = property === undefined ? undefined : pruneValue(fields[key], property);
    same = same && kept === fields[key];
    if (kept !== undefined) pruned[key] = kept;
  }
  return same ? value : pruned;
}

function sameOr(before: readonly unknown[], after: readonly unknown[]): readonly unknown[] {
  return after.every((item, index) => item === before[index]) ? before : after;
}

function listUnknown(value: unknown, place: Place): void {
  const { schema, path, faults } = place;
  if (schema.type === 'list' && Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      listUnknown(item, { schema: schema.items, path: `${path}[${index}]`, faults });
    }
  }
  const fields = asFields(value);
  if (schema.type !== 'object' || fields === undefined) return;
  for (const key of Object.keys(fields)) {
    const property = schema.properties[key];
    if (property === undefined) faults.push(unknown(`${path}.${key}`));
    else listUnknown(fields[key], { schema: property, path: `${path}.${key}`, faults });
  }
}
