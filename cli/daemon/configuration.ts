import { readFileSync } from 'node:fs';
import type { Fault } from '../../lb/model.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { flattenSettings, readSettings, type Settings } from '../../settings.ts';
import type { Setting } from '../../setting.ts';
import { nameSettings, settingTable } from '../../settingtable.ts';
import { flagOf, variableOf } from './configflags.ts';
import { parseConfigText, type ConfigText } from './configtext.ts';
import { checkSettings } from './settingschema.ts';
import { nearestNames } from '../nearest.ts';

/** Where settings come from; a flag beats the environment, that the file, that the default. */
export interface ConfigSources {
  /** Undefined: no file. */
  readonly file: string | undefined;
  /** What the file says, where that is known already. */
  readonly text?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By key of the setting. */
  readonly flags: Readonly<Record<string, string>>;
}

/** The settings of a process that are in force. */
export interface Configuration {
  readonly settings: Settings;
  /** By key; of settings that have a default, or were given. */
  readonly values: Readonly<Record<string, unknown>>;
  /** By key: `default`, `--flag`, `FAIRLEAD_VARIABLE`, or `file:line` and an alias in brackets. */
  readonly origins: ReadonlyMap<string, string>;
  /** Names in the file that nobody here reads. */
  readonly ignored: readonly string[];
  /** Values that were brought within their bounds. */
  readonly warnings: readonly string[];
}

/** One thing wrong with a configuration. */
export interface ConfigFault extends Fault {
  /** `file:line:column`, flag or variable. */
  readonly place: string;
}

export function faultText({ place, path, message }: ConfigFault): string {
  return `${place}: ${path === '' ? '' : `${path}: `}${message}`;
}

/** Reads all sources. Every fault is found, not only the first. */
export function loadConfiguration(
  { file, text: known, env, flags }: ConfigSources,
): Result<Configuration, readonly ConfigFault[]> {
  const text = known === undefined ? readFile(file) : parseConfigText(known, file ?? '');
  if (!text.ok) return text;
  const { values: written, given, ignored } = nameSettings(flattenSettings(text.value.record));
  const values: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  const take = (key: string, value: unknown, origin: string): void => {
    values[key] = value;
    origins.set(key, origin);
  };
  for (const setting of settingTable) {
    const { key, usual } = setting;
    const variable = variableOf(key);
    if (flags[key] !== undefined) take(key, spoken(setting, flags[key]), flagOf(key));
    else if (env[variable] !== undefined) take(key, spoken(setting, env[variable]), variable);
    else if (written[key] !== undefined) {
      const name = given.get(key) ?? key;
      const alias = name === key ? '' : ` (${name})`;
      take(key, written[key], `${text.value.placeOf(name)}${alias}`);
    } else if (usual !== undefined) take(key, usual, usually);
  }
  const placed = (fault: Fault): ConfigFault => {
    const [key = ''] = fault.path.split('[', 1);
    return { ...fault, place: origins.get(key) ?? text.value.placeOf(key) };
  };
  const unknown = ignored.filter((name) => groups.has(name.split('.', 1)[0] ?? ''));
  const checked = checkSettings(values);
  // What follows from a setting that was given is not overruled by the default of another.
  const { settings, faults, warnings } = readSettings(Object.fromEntries(
    Object.entries(checked.values).filter(([key]) => origins.get(key) !== usually),
  ));
  // What the schema refuses, the reader refuses again.
  const seen = new Set(checked.faults.flatMap(({ path }) => [path, path.split('[', 1)[0] ?? '']));
  const all = [
    ...unknown.map((path) => ({ path, message: unknownText(path) })),
    ...checked.faults, ...faults.filter(({ path }) => !seen.has(path)),
  ];
  if (all.length > 0) return err(all.map(placed));
  const rest = ignored.filter((name) => !unknown.includes(name));
  return ok({ settings, values: checked.values, origins, ignored: rest, warnings });
}

const usually = 'default';

/** Groups of settings that are ours: an unknown name in one of them is a mistake. */
const groups: ReadonlySet<string> = new Set(
  settingTable.filter(({ key }) => key.includes('.') && !key.startsWith('bgp.'))
    .map(({ key }) => key.slice(0, key.indexOf('.'))),
);

function unknownText(path: string): string {
  const [nearest] = nearestNames(path, settingTable.map(({ key }) => key));
  return `unknown setting${nearest === undefined ? '' : `; did you mean ${nearest}?`}`;
}

function readFile(file: string | undefined): Result<ConfigText, readonly ConfigFault[]> {
  if (file === undefined) return parseConfigText('', '');
  try {
    return parseConfigText(readFileSync(file, 'utf8'), file);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return err([{ place: file, path: '', message: `cannot be read: ${message}` }]);
  }
}

/** A list is one text with commas there, a mapping `name=value` with commas. */
function spoken({ schema }: Setting, text: string): unknown {
  const parts = text.split(',').map((part) => part.trim()).filter((part) => part !== '');
  if (schema.type === 'array') return parts;
  if (schema.type !== 'object') return text;
  return Object.fromEntries(parts.map((part) => {
    const equals = part.indexOf('=');
    return equals < 1 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
  }));
}
