import type { Fault } from '../../../lb/model.ts';
import { parseTimeMs } from '../../../lb/time.ts';
import { equalJson, listOf, objectOf, textOf, type JsonObject } from '../json.ts';

/** Where a value stands, and what judges it there. */
interface Place {
  readonly schema: JsonObject;
  readonly path: string;
  readonly faults: Fault[];
}

/**
 * What is wrong with a value under a structural schema of a CustomResourceDefinition, in the words
 * of the API server (A10). Rules in CEL are not judged here: those of our own kinds are functions
 * beside their schemas.
 */
export function structuralFaults(value: unknown, schema: JsonObject, path = ''): Fault[] {
  const faults: Fault[] = [];
  judge(value, { schema, path, faults });
  return faults;
}

function judge(value: unknown, place: Place): void {
  const { schema, path, faults } = place;
  if (value === null && schema['nullable'] === true) return;
  const type = schema['type'];
  const mixed = schema['x-kubernetes-int-or-string'] === true;
  if (mixed ? !isMixed(value) : type !== undefined && !isOfType(value, type)) {
    const wanted = mixed ? 'integer or string' : String(type);
    const got = JSON.stringify(typeName(value));
    faults.push(
      { path, message: `Invalid value: ${got}: ${inBody(path)} must be of type ${wanted}: ${got}` },
    );
    return;
  }
  const options = schema['enum'];
  if (Array.isArray(options) && !options.some((option) => equalJson(option, value))) {
    const supported = options.map((option) => JSON.stringify(option)).join(', ');
    faults.push({
      path, message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported}`,
    });
  }
  if (typeof value === 'string') judgeText(value, place);
  else if (typeof value === 'number') judgeNumber(value, place);
  else if (Array.isArray(value)) judgeList(value, place);
  else {
    const fields = objectOf(value);
    if (fields !== undefined) judgeFields(fields, place);
  }
  judgeJunctions(value, place);
}

function inBody(path: string): string {
  return `${path} in body`;
}

function isMixed(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value));
}

function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case 'object': return objectOf(value) !== undefined;
    case 'array': return Array.isArray(value);
    case 'integer': return typeof value === 'number' && Number.isInteger(value);
    default: return typeof value === type;
  }
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function judgeText(value: string, { schema, path, faults }: Place): void {
  const refuse = (rule: string): void => {
    faults.push(
      { path, message: `Invalid value: ${JSON.stringify(value)}: ${inBody(path)} ${rule}` },
    );
  };
  const { maxLength, minLength, pattern, format } = schema;
  if (typeof maxLength === 'number' && value.length > maxLength) {
    faults.push({ path, message: `Too long: may not be more than ${maxLength} bytes` });
  }
  if (typeof minLength === 'number' && value.length < minLength) {
    refuse(`should be at least ${minLength} chars long`);
  }
  if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value)) {
    refuse(`should match '${pattern}'`);
  }
  if (format === 'date-time' && parseTimeMs(value) === undefined) {
    refuse(`must be of type date-time: ${JSON.stringify(value)}`);
  }
}

function judgeNumber(value: number, { schema, path, faults }: Place): void {
  const refuse = (rule: string): void => {
    faults.push({ path, message: `Invalid value: ${value}: ${inBody(path)} should be ${rule}` });
  };
  const { minimum, maximum } = schema;
  const above = schema['exclusiveMinimum'] === true;
  const below = schema['exclusiveMaximum'] === true;
  if (typeof minimum === 'number' && (above ? value <= minimum : value < minimum)) {
    refuse(`greater than ${above ? '' : 'or equal to '}${minimum}`);
  }
  if (typeof maximum === 'number' && (below ? value >= maximum : value > maximum)) {
    refuse(`less than ${below ? '' : 'or equal to '}${maximum}`);
  }
}

function judgeList(items: readonly unknown[], { schema, path, faults }: Place): void {
  const { minItems, maxItems } = schema;
  if (typeof maxItems === 'number' && items.length > maxItems) {
    faults.push(
      { path, message: `Too many: ${items.length}: must have at most ${maxItems} items` },
    );
  }
  if (typeof minItems === 'number' && items.length < minItems) {
    const rule = `${inBody(path)} should have at least ${minItems} items`;
    faults.push({ path, message: `Invalid value: ${items.length}: ${rule}` });
  }
  const below = objectOf(schema['items']) ?? {};
  const kind = schema['x-kubernetes-list-type'];
  const keys = listOf(schema['x-kubernetes-list-map-keys']).map(String);
  const seen: unknown[] = [];
  for (const [index, item] of items.entries()) {
    const at = `${path}[${index}]`;
    judge(item, { schema: below, path: at, faults });
    if (kind !== 'map' && kind !== 'set') continue;
    const identity = kind === 'set' ? item : pick(item, keys);
    if (seen.some((other) => equalJson(other, identity))) {
      faults.push({ path: at, message: `Duplicate value: ${JSON.stringify(identity)}` });
    }
    seen.push(identity);
  }
}

function pick(item: unknown, keys: readonly string[]): JsonObject {
  const fields = objectOf(item) ?? {};
  return Object.fromEntries(keys.map((key) => [key, fields[key]]));
}

function judgeFields(fields: JsonObject, { schema, path, faults }: Place): void {
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  for (const name of listOf(schema['required'])) {
    if (typeof name !== 'string' || fields[name] !== undefined) continue;
    faults.push({ path: at(name), message: 'Required value' });
  }
  const properties = objectOf(schema['properties']) ?? {};
  const others = objectOf(schema['additionalProperties']);
  for (const name of Object.keys(fields)) {
    const below = objectOf(properties[name]) ?? others;
    if (below === undefined || fields[name] === undefined) continue;
    judge(fields[name], { schema: below, path: at(name), faults });
  }
}

// Junctions judge and never describe: pruning and defaults do not look into them.
function judgeJunctions(value: unknown, { schema, path, faults }: Place): void {
  const accepts = (entry: unknown): boolean => (
    structuralFaults(value, objectOf(entry) ?? {}, path).length === 0
  );
  for (const entry of listOf(schema['allOf'])) {
    faults.push(...structuralFaults(value, objectOf(entry) ?? {}, path));
  }
  const shown = JSON.stringify(value);
  const any = schema['anyOf'];
  if (Array.isArray(any) && !any.some(accepts)) {
    const rule = `${inBody(path)} must validate at least one schema (anyOf)`;
    faults.push({ path, message: `Invalid value: ${shown}: ${rule}` });
  }
  const one = schema['oneOf'];
  if (Array.isArray(one) && one.filter(accepts).length !== 1) {
    const rule = `${inBody(path)} must validate one and only one schema (oneOf)`;
    faults.push({ path, message: `Invalid value: ${shown}: ${rule}` });
  }
  if (schema['not'] !== undefined && accepts(schema['not'])) {
    const rule = `${inBody(path)} must not validate the schema (not)`;
    faults.push({ path, message: `Invalid value: ${shown}: ${rule}` });
  }
}

/** The value with absent fields filled from the defaults of its schema. */
export function withStructuralDefaults(value: unknown, schema: JsonObject): unknown {
  if (Array.isArray(value)) {
    const below = objectOf(schema['items']) ?? {};
    return value.map((item) => withStructuralDefaults(item, below));
  }
  const fields = objectOf(value);
  if (fields === undefined) return value;
  const filled: Record<string, unknown> = { ...fields };
  const properties = objectOf(schema['properties']) ?? {};
  for (const name of Object.keys(properties)) {
    const below = objectOf(properties[name]) ?? {};
    if (filled[name] === undefined && below['default'] !== undefined) {
      filled[name] = below['default'];
    }
    if (filled[name] !== undefined) filled[name] = withStructuralDefaults(filled[name], below);
  }
  const others = objectOf(schema['additionalProperties']);
  if (others === undefined) return filled;
  for (const name of Object.keys(filled)) {
    if (properties[name] === undefined) {
      filled[name] = withStructuralDefaults(filled[name], others);
    }
  }
  return filled;
}

/** Called with the path of each field that the schema does not know. */
export type OnUnknown = (path: string) => void;

const objectFields: readonly string[] = ['apiVersion', 'kind', 'metadata'];

/** The value without fields that its schema does not know; at the root every object has some. */
export function pruned(
  value: unknown, schema: JsonObject, place: { path: string; unknown?: OnUnknown },
): unknown {
  const keepsAll = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (keepsAll && schema['properties'] === undefined) return value;
  const { path } = place;
  if (Array.isArray(value)) {
    const below = objectOf(schema['items']) ?? {};
    return value.map((item, index) => pruned(item, below, { ...place, path: `${path}[${index}]` }));
  }
  const fields = objectOf(value);
  if (fields === undefined) return value;
  const properties = objectOf(schema['properties']) ?? {};
  const others = schema['additionalProperties'];
  const embedded = path === '' || schema['x-kubernetes-embedded-resource'] === true;
  const keeps = keepsAll || others === true;
  const kept: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const at = path === '' ? name : `${path}.${name}`;
    const below = objectOf(properties[name]) ?? objectOf(others);
    if (embedded && objectFields.includes(name)) kept[name] = fields[name];
    else if (below !== undefined) kept[name] = pruned(fields[name], below, { ...place, path: at });
    else if (keeps) kept[name] = fields[name];
    else place.unknown?.(at);
  }
  return kept;
}

/** How apply merges the list at a path of field names, by the schema's own marks. */
export function listMarks(
  schema: JsonObject, path: readonly string[],
): { readonly type: string; readonly keys: readonly string[]; readonly whole: boolean } {
  let place: JsonObject | undefined = schema;
  for (const name of path) {
    if (place?.['items'] !== undefined) place = objectOf(place['items']);
    place = objectOf(objectOf(place?.['properties'])?.[name])
      ?? objectOf(place?.['additionalProperties']);
  }
  return {
    type: textOf(place?.['x-kubernetes-list-type']) ?? 'atomic',
    keys: listOf(place?.['x-kubernetes-list-map-keys']).map(String),
    whole: place?.['x-kubernetes-map-type'] === 'atomic',
  };
}
