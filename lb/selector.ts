import { err, ok, type Result } from './result.ts';
import type { Labels } from './model.ts';

/** metav1.LabelSelector as stored: operators and keys are not yet judged. */
export interface LabelSelector {
  readonly matchLabels: Labels;
  readonly matchExpressions: readonly SelectorExpression[];
}

export interface SelectorExpression {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

export interface SelectorError {
  /** Path below the selector: `matchExpressions[0].values`. */
  readonly path: string;
  readonly message: string;
}

/** A compiled selector: tells whether a label set matches. Pure. */
export type Matcher = (labels: Labels) => boolean;

export const matchEverything: Matcher = () => true;

const name = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/u;
const domain = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/u;

/**
 * A qualified name: an optional DNS prefix of at most 253 characters, `/`, a name of at most 63.
 */
export function validLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return name.test(key);
  const prefix = key.slice(0, slash);
  return prefix.length <= 253 && domain.test(prefix) && name.test(key.slice(slash + 1));
}

export function validLabelValue(value: string): boolean {
  return value === '' || name.test(value);
}

/**
 * Compiles a selector; undefined selects everything. Unknown operators and wrong values are
 * errors.
 */
export function compileSelector(
  selector: LabelSelector | undefined,
): Result<Matcher, SelectorError> {
  if (selector === undefined) return ok(matchEverything);
  const tests: Matcher[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels)) {
    const path = `matchLabels[${key}]`;
    if (!validLabelKey(key)) return err({ path, message: `'${key}' is not a label key` });
    if (!validLabelValue(value)) return err({ path, message: `'${value}' is not a label value` });
    tests.push((labels) => labels[key] === value);
  }
  for (const [index, expression] of selector.matchExpressions.entries()) {
    const test = compileExpression(expression, `matchExpressions[${index}]`);
    if (!test.ok) return test;
    tests.push(test.value);
  }
  return ok((labels) => tests.every((test) => test(labels)));
}

function compileExpression(
  expression: SelectorExpression,
  path: string,
): Result<Matcher, SelectorError> {
  const { key, operator, values } = expression;
  if (!validLabelKey(key))
    return err({ path: `${path}.key`, message: `'${key}' is not a label key` });
  const listed = operator === 'In' || operator === 'NotIn';
  if (!listed && operator !== 'Exists' && operator !== 'DoesNotExist') {
    return err({ path: `${path}.operator`, message: `unknown operator '${operator}'` });
  }
  if (listed && values.length === 0) {
    return err({
      path: `${path}.values`,
      message: `values must not be empty for operator ${operator}`,
    });
  }
  if (!listed && values.length > 0) {
    return err({
      path: `${path}.values`,
      message: `values must be empty for operator ${operator}`,
    });
  }
  const bad = values.find((value) => !validLabelValue(value));
  if (bad !== undefined)
    return err({ path: `${path}.values`, message: `'${bad}' is not a label value` });
  const wanted = new Set(values);
  // Own keys only: label sets are plain objects, and `constructor` is a label key like any other.
  const wants = (labels: Labels): boolean =>
    Object.hasOwn(labels, key) && wanted.has(labels[key] ?? '');
  if (operator === 'In') return ok(wants);
  // As in Kubernetes, an absent key is "not in" any list.
  if (operator === 'NotIn') return ok((labels) => !wants(labels));
  if (operator === 'Exists') return ok((labels) => Object.hasOwn(labels, key));
  return ok((labels) => !Object.hasOwn(labels, key));
}
