import type { Labels } from '../../lb/model.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { compileSelector, matchEverything, type Matcher, type SelectorExpression } from '../../lb/selector.ts';
import type { KubeObject } from '../../kube/port.ts';

const equality = /^([^!=\s]+)\s*(==|=|!=)\s*(\S*)$/u;
const membership = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/u;
const existence = /^(!?)\s*([^!=\s]+)$/u;

/** A matcher for a label selector in kubectl's grammar (A15), or the message of the 400. */
export function matcherOf(text: string | undefined): Result<Matcher, string> {
  if (text === undefined || text.trim() === '') return ok(matchEverything);
  const expressions: SelectorExpression[] = [];
  for (const part of splitRequirements(text)) {
    const expression = requirement(part.trim());
    if (expression === undefined) return err(`unable to parse requirement: '${part.trim()}'`);
    expressions.push(expression);
  }
  const compiled = compileSelector({ matchLabels: {}, matchExpressions: expressions });
  return compiled.ok ? compiled : err(`unable to parse requirement: ${compiled.error.message}`);
}

// Commas inside parentheses belong to a value list.
function splitRequirements(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let index = 0; index < text.length; index += 1) {
    const letter = text[index];
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (letter !== ',' || depth > 0) continue;
    parts.push(text.slice(from, index));
    from = index + 1;
  }
  parts.push(text.slice(from));
  return parts;
}

function requirement(text: string): SelectorExpression | undefined {
  const equal = equality.exec(text);
  if (equal !== null) {
    return { key: equal[1] ?? '', operator: equal[2] === '!=' ? 'NotIn' : 'In', values: [equal[3] ?? ''] };
  }
  const member = membership.exec(text);
  if (member !== null) {
    const values = (member[3] ?? '').split(',').map((value) => value.trim());
    return { key: member[1] ?? '', operator: member[2] === 'in' ? 'In' : 'NotIn', values };
  }
  const exists = existence.exec(text);
  if (exists === null) return undefined;
  return { key: exists[2] ?? '', operator: exists[1] === '!' ? 'DoesNotExist' : 'Exists', values: [] };
}

const noLabels: Labels = Object.freeze({});

/** Labels of a stored object; admission let only texts in. */
export function labelsOf(object: KubeObject): Labels {
  const labels = object.metadata?.['labels'];
  return typeof labels === 'object' && labels !== null ? (labels as unknown as Labels) : noLabels;
}
