import { compileSelector, type Matcher, type SelectorExpression } from '../../lb/selector.ts';
import { fields, items, labelsOf, text, texts, type Fields } from './fields.ts';
import type { NodeView } from './node.ts';

/** Tells whether a node satisfies what a pod demands of it. */
export type NodeTest = (node: NodeView) => boolean;

/**
 * nodeSelector and required node affinity of a pod spec: terms are alternatives, the expressions of
 * one term hold together; a term that is empty or cannot be read matches nothing.
 */
export function nodeTest(spec: Fields): NodeTest | undefined {
  const selector = Object.entries(labelsOf(spec['nodeSelector']));
  const affinity = fields(fields(spec['affinity'])['nodeAffinity']);
  const required = affinity['requiredDuringSchedulingIgnoredDuringExecution'];
  if (selector.length === 0 && required === undefined) return undefined;
  const stated = items(fields(required)['nodeSelectorTerms']);
  const terms = required === undefined ? undefined : stated.map(termTest);
  return (node) => selector.every(([key, value]) => node.labels[key] === value)
    && (terms === undefined || terms.some((term) => term(node)));
}

function termTest(term: Fields): NodeTest {
  const expressions = items(term['matchExpressions']).map(expressionTest);
  const names = items(term['matchFields']).map(fieldTest);
  const tests = [...expressions, ...names];
  return tests.length === 0 ? () => false : (node) => tests.every((test) => test(node));
}

function expressionTest(entry: Fields): NodeTest {
  const expression: SelectorExpression = {
    key: text(entry['key']), operator: text(entry['operator']), values: texts(entry['values']),
  };
  const { key, operator, values } = expression;
  if (operator === 'Gt' || operator === 'Lt') return boundTest(key, operator, values[0]);
  const compiled = compileSelector({ matchLabels: {}, matchExpressions: [expression] });
  const matches: Matcher = compiled.ok ? compiled.value : () => false;
  return (node) => matches(node.labels);
}

function boundTest(key: string, operator: 'Gt' | 'Lt', bound: string | undefined): NodeTest {
  const limit = wholeOf(bound);
  return (node) => {
    const value = wholeOf(node.labels[key]);
    if (value === undefined || limit === undefined) return false;
    return operator === 'Gt' ? value > limit : value < limit;
  };
}

// metadata.name is the only field that the API admits here.
function fieldTest(entry: Fields): NodeTest {
  const values = texts(entry['values']);
  if (entry['key'] !== 'metadata.name') return () => false;
  if (entry['operator'] === 'In') return (node) => values.includes(node.name);
  if (entry['operator'] === 'NotIn') return (node) => !values.includes(node.name);
  return () => false;
}

function wholeOf(value: string | undefined): number | undefined {
  return value !== undefined && /^-?\d{1,15}$/u.test(value) ? Number(value) : undefined;
}
