import { err, ok, type Result } from '../result.ts';
import { compileSelector, type Matcher, type SelectorExpression } from '../selector.ts';

const keyText = '[-A-Za-z0-9_./]+';
const equality = new RegExp(`^(${keyText})\\s*(==|=|!=)\\s*([-A-Za-z0-9_.]*)$`, 'u');
const membership = new RegExp(`^(${keyText})\\s+(in|notin)\\s*\\(([^()]*)\\)$`, 'u');
const existence = new RegExp(`^(!?)\\s*(${keyText})$`, 'u');

/**
 * A label selector as kubectl takes it: `a=b,c!=d,e in (f,g),h notin (i),j,!k`. Empty text selects
 * everything. The error is a sentence that quotes the part.
 */
export function parseSelectorText(text: string): Result<Matcher, string> {
  const expressions: SelectorExpression[] = [];
  const parts = splitOutsideBrackets(text);
  if (parts === undefined) return err(`'${text}' has unbalanced brackets`);
  for (const part of parts) {
    const expression = readRequirement(part);
    if (expression === undefined) return err(`'${part}' is no label requirement`);
    expressions.push(expression);
  }
  const compiled = compileSelector({ matchLabels: {}, matchExpressions: expressions });
  return compiled.ok ? ok(compiled.value) : err(compiled.error.message);
}

function splitOutsideBrackets(text: string): readonly string[] | undefined {
  if (text.trim() === '') return [];
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const letter of text) {
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (depth < 0 || depth > 1) return undefined;
    if (letter === ',' && depth === 0) {
      parts.push(part.trim());
      part = '';
    } else {
      part += letter;
    }
  }
  if (depth !== 0) return undefined;
  return [...parts, part.trim()];
}

function readRequirement(part: string): SelectorExpression | undefined {
  const equal = equality.exec(part);
  if (equal !== null) {
    const [, key = '', sign, value = ''] = equal;
    return { key, operator: sign === '!=' ? 'NotIn' : 'In', values: [value] };
  }
  const member = membership.exec(part);
  if (member !== null) {
    const [, key = '', word, list = ''] = member;
    const values = list.split(',').map((value) => value.trim());
    return { key, operator: word === 'in' ? 'In' : 'NotIn', values };
  }
  const exists = existence.exec(part);
  if (exists === null) return undefined;
  const [, negated, key = ''] = exists;
  return { key, operator: negated === '!' ? 'DoesNotExist' : 'Exists', values: [] };
}
