import type { Labels } from '../../lb/model.ts';
import type { LabelSelector } from '../../lb/selector.ts';

/** A JSON object of which nothing is known: what is read from it is checked where it is read. */
export type Fields = { readonly [key: string]: unknown };

const nothing: Fields = Object.freeze({});

/** The value as an object, or an empty one. */
export function fields(value: unknown): Fields {
  const object = typeof value === 'object' && value !== null && !Array.isArray(value);
  return object ? value as Fields : nothing;
}

/** The objects of a list; anything else counts as an empty list. */
export function items(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A text list without its entries of other types. */
export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

/** A whole number of at least 0, else `fallback`. */
export function count(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : fallback;
}

/** A map of texts; the same object where every value is one. */
export function labelsOf(value: unknown): Labels {
  const map = fields(value);
  const entries = Object.entries(map);
  if (entries.every((entry) => typeof entry[1] === 'string')) return map as Labels;
  return Object.fromEntries(
    entries.flatMap(([key, entry]) => typeof entry === 'string' ? [[key, entry]] : []),
  );
}

/** metav1.LabelSelector, with absent parts empty. */
export function selectorOf(value: unknown): LabelSelector {
  const selector = fields(value);
  return {
    matchLabels: labelsOf(selector['matchLabels']),
    matchExpressions: items(selector['matchExpressions']).map((expression) => ({
      key: text(expression['key']),
      operator: text(expression['operator']),
      values: texts(expression['values']),
    })),
  };
}

/** `spec.field` of an object in the shape of intstr: a number, or a percentage of `of`. */
export function share(value: unknown, of: number, round: 'up' | 'down'): number | undefined {
  if (typeof value === 'number') return count(value, 0);
  const percent = /^(\d{1,4})%$/u.exec(text(value))?.[1];
  if (percent === undefined) return undefined;
  const hundredths = Number(percent) * of;
  return Math.floor((hundredths + (round === 'up' ? 99 : 0)) / 100);
}

/**
 * Canonical text of a JSON value: sorted keys, no spaces. Equal texts are equal values.
 * Absent and undefined members are the same.
 */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter((entry) => entry[1] !== undefined);
  members.sort((left, right) => left[0] < right[0] ? -1 : 1);
  return `{${members.map(([key, entry]) => `${JSON.stringify(key)}:${canonical(entry)}`).join()}}`;
}
