import { Ajv, type ErrorObject } from 'ajv';
import type { Fault } from '../../lb/model.ts';
import { settingTable } from '../../settingtable.ts';

export interface CheckedSettings {
  /** Texts of booleans and numbers brought to their types. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly faults: readonly Fault[];
}

const check = new Ajv({ allErrors: true, coerceTypes: true, strict: true, verbose: true }).compile({
  type: 'object',
  properties: Object.fromEntries(settingTable.map(({ key, schema }) => [key, schema])),
});

/** Checks settings by name against the schema of each. */
export function checkSettings(values: Readonly<Record<string, unknown>>): CheckedSettings {
  const copy = structuredClone(values);
  check(copy);
  return { values: copy, faults: (check.errors ?? []).map(faultOf) };
}

function faultOf({ instancePath, message, params, data }: ErrorObject): Fault {
  const [key = '', ...steps] = instancePath.slice(1).split('/');
  const path = [key, ...steps.map((step) => `[${step}]`)].join('');
  const { allowedValues } = params as { readonly allowedValues?: readonly unknown[] };
  const shown = JSON.stringify(data) ?? String(data);
  if (allowedValues !== undefined) {
    return { path, message: `${shown}; permitted: ${allowedValues.join(', ')}` };
  }
  return { path, message: `${shown} ${message ?? 'is not permitted'}` };
}

/** The settings as one JSON Schema over the nested form, for editors, Helm and the reference. */
export function configSchema(): object {
  const root: SchemaGroup = emptyGroup();
  for (const { key, schema, usual, about, aliases = [], reload } of settingTable) {
    const steps = key.split('.');
    const name = steps.pop() ?? key;
    let group = root;
    for (const step of steps) group = groupOf(group, step);
    const known = aliases.length === 0 ? '' : ` Cilium: ${aliases.join(', ')}.`;
    const again = reload === 'restart' ? ' A change restarts the process in order.' : '';
    group.properties[name] = {
      ...schema, ...(usual === undefined ? {} : { default: usual }),
      description: `${about}.${known}${again}`,
    };
  }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'config.yaml of ConfigMap fairlead-config', ...root,
  };
}

interface SchemaGroup {
  readonly type: 'object';
  readonly properties: Record<string, unknown>;
}

function emptyGroup(): SchemaGroup {
  return { type: 'object', properties: {} };
}

function groupOf(parent: SchemaGroup, name: string): SchemaGroup {
  const group = (parent.properties[name] ?? emptyGroup()) as SchemaGroup;
  parent.properties[name] = group;
  return group;
}
