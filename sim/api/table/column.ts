import type { KubeObject } from '../../../kube/port.ts';
import type { Micros } from '../../../lb/ports.ts';
import { compareText } from '../../../lb/table.ts';
import { listOf, objectOf, textOf, type JsonObject } from '../json.ts';
import { ageOf } from './age.ts';

/** What stands in one cell; null where a custom resource has nothing there. */
export type Cell = string | number | boolean | null;

/** One column of a Table (metav1.Table). */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  /** `name` for the column that names the object. */
  readonly format?: 'name';
  /** 1: shown with `-o wide` only. */
  readonly priority: 0 | 1;
  readonly cell: (object: KubeObject, wall: Micros) => Cell;
}

/** A column of texts. */
export function text(name: string, cell: (object: KubeObject) => string): Column {
  return { name, type: 'string', priority: 0, cell };
}

/** A column of numbers. */
export function count(name: string, cell: (object: KubeObject) => number): Column {
  return { name, type: 'integer', priority: 0, cell };
}

/** The column, for `-o wide` only. */
export function wide(column: Column): Column {
  return { ...column, priority: 1 };
}

/** The object's name. */
export const nameColumn: Column = {
  name: 'Name', type: 'string', format: 'name', priority: 0,
  cell: ({ metadata }) => metadata?.name ?? '',
};

/** Time since the creation, virtual. */
export const ageColumn: Column = {
  name: 'Age', type: 'string', priority: 0,
  cell: ({ metadata }, wall) => ageOf(metadata?.['creationTimestamp'], wall),
};

/** The creation as it is written: what kinds without columns of their own show. */
export const createdColumn: Column = {
  name: 'Created At', type: 'date', priority: 0,
  cell: ({ metadata }) => textOf(metadata?.['creationTimestamp']) ?? '',
};

/** The value at a path of field names, or undefined. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inside, key) => objectOf(inside)?.[key], value);
}

/** The text at a path, or `otherwise` where there is none. */
export function textAt(value: unknown, path: readonly string[], otherwise: string): string {
  const found = textOf(at(value, ...path));
  return found === undefined || found === '' ? otherwise : found;
}

/** The number at a path, or 0. */
export function countAt(value: unknown, ...path: readonly string[]): number {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : 0;
}

/** The entries of the list at a path that are objects. */
export function entriesAt(value: unknown, ...path: readonly string[]): readonly JsonObject[] {
  return listOf(at(value, ...path)).map(objectOf).filter((entry) => entry !== undefined);
}

export const none = '<none>';

/** `a=b,c=d` in order of keys, or `<none>`. */
export function labelsText(labels: unknown): string {
  const map = objectOf(labels) ?? {};
  const keys = Object.keys(map).sort(compareText);
  return keys.length === 0 ? none : keys.map((key) => `${key}=${String(map[key])}`).join(',');
}

/** A label selector as kubectl writes one: `a=b,c in (d,e),!f`, or `<none>`. */
export function selectorText(selector: unknown): string {
  const labels = objectOf(at(selector, 'matchLabels')) ?? {};
  const equal = Object.keys(labels).sort(compareText).map((key) => `${key}=${String(labels[key])}`);
  const rules = entriesAt(selector, 'matchExpressions').map(({ key, operator, values }) => {
    const list = listOf(values).map(String).sort(compareText).join(',');
    switch (operator) {
      case 'Exists': return String(key);
      case 'DoesNotExist': return `!${String(key)}`;
      default: return `${String(key)} ${operator === 'In' ? 'in' : 'notin'} (${list})`;
    }
  });
  const all = [...equal, ...rules];
  return all.length === 0 ? none : all.join(',');
}
