import { compareText } from '../../lb/table.ts';
import { objectOf } from './json.ts';

/** A value as Go's `%#v` prints it in messages; `type` names a list's or a map's Go type. */
export function goValue(value: unknown, type: string): string {
  if (value === undefined || value === null) return 'null';
  if (Array.isArray(value)) {
    return `${type}{${value.map((item) => JSON.stringify(item)).join(', ')}}`;
  }
  const fields = objectOf(value);
  if (fields === undefined) return JSON.stringify(value);
  const keys = Object.keys(fields).sort(compareText);
  const entries = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(fields[key])}`);
  return `${type}{${entries.join(', ')}}`;
}
