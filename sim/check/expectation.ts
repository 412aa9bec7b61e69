import type { Expectation } from '../scenario/spec.ts';
import { canonicalJson } from './canonical.ts';

/** Undefined when the values meet the expectation, else a sentence with what was found. */
export function unmet(expectation: Expectation, values: readonly unknown[]): string | undefined {
  const found = values.length === 0 ? 'nothing' : values.map(canonicalJson).join(', ');
  switch (expectation.kind) {
    case 'absent':
      return values.length === 0 ? undefined : `expected nothing, found ${found}`;
    case 'present':
      return values.length > 0 ? undefined : 'expected something, found nothing';
    case 'equals': {
      const wanted = canonicalJson(expectation.value);
      const equal =
        values.some((value) => canonicalJson(value) === wanted) || canonicalJson(values) === wanted;
      return equal ? undefined : `expected ${wanted}, found ${found}`;
    }
    case 'contains': {
      const held = values.some((value) => contains(value, expectation.value));
      return held
        ? undefined
        : `expected something with ${canonicalJson(expectation.value)}, found ${found}`;
    }
    case 'matches': {
      const pattern = new RegExp(expectation.pattern);
      const matched = values.some((value) =>
        pattern.test(typeof value === 'string' ? value : canonicalJson(value)),
      );
      return matched ? undefined : `expected a match of ${expectation.pattern}, found ${found}`;
    }
  }
}

// A text contains a part, a list an item, and a mapping the fields of a smaller one.
function contains(value: unknown, part: unknown): boolean {
  if (typeof value === 'string') return typeof part === 'string' && value.includes(part);
  if (Array.isArray(value))
    return value.some(
      (item: unknown) => contains(item, part) || canonicalJson(item) === canonicalJson(part),
    );
  if (typeof value === 'object' && value !== null && typeof part === 'object' && part !== null) {
    const fields = new Map(Object.entries(value));
    return Object.entries(part).every(
      ([name, wanted]) => canonicalJson(fields.get(name)) === canonicalJson(wanted),
    );
  }
  return canonicalJson(value) === canonicalJson(part);
}
