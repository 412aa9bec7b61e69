import { err, ok, type Result } from './result.ts';
import {
  validLabelKey, validLabelValue, type LabelSelector, type SelectorExpression,
} from './selector.ts';
import { compareText } from './table.ts';

export interface SelectorTextError {
  /** Code units from the start of the text. */
  readonly position: number;
  readonly message: string;
}

interface Token {
  readonly kind: 'word' | '=' | '!=' | '!' | '(' | ')' | ',' | 'order' | 'stray' | 'end';
  readonly text: string;
  readonly position: number;
}

const tokenPattern = /\s*(?:(==|=)|(!=)|(!)|(\()|(\))|(,)|([<>])|([-A-Za-z0-9_./]+)|(\S))/gu;
const tokenKinds = ['=', '!=', '!', '(', ')', ',', 'order', 'word', 'stray'] as const;

/**
 * kubectl's selector grammar: `a=b,c!=d,e in (f,g),h notin (i),j,!k`, joined by AND. Empty text
 * selects everything. `<` and `>`, which kubectl takes and no LabelSelector can say, are refused.
 */
export function parseSelectorText(text: string): Result<LabelSelector, SelectorTextError> {
  return new SelectorParser(tokensOf(text)).parse();
}

/** The text of a selector in one canonical form; `parseSelectorText` reads it back. */
export function formatSelector(selector: LabelSelector): string {
  const labels = Object.entries(selector.matchLabels).sort(([a], [b]) => compareText(a, b));
  const equalities = labels.map(([key, value]) => `${key}=${value}`);
  return [...equalities, ...selector.matchExpressions.map(formatExpression)].join(',');
}

function formatExpression({ key, operator, values }: SelectorExpression): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  return `${key} ${operator.toLowerCase()} (${values.join(',')})`;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(tokenPattern)) {
    const group = match.findIndex((part, index) => index > 0 && part !== undefined);
    const found = match[group] ?? '';
    const kind = tokenKinds[group - 1] ?? 'stray';
    const position = match.index + match[0].length - found.length;
    tokens.push({ kind, text: found, position });
  }
  tokens.push({ kind: 'end', text: '', position: text.length });
  return tokens;
}

type Step = Result<SelectorExpression, SelectorTextError>;

class SelectorParser {
  readonly #tokens: readonly Token[];
  #index = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Result<LabelSelector, SelectorTextError> {
    const matchLabels = new Map<string, string>();
    const matchExpressions: SelectorExpression[] = [];
    while (this.#peek().kind !== 'end') {
      const requirement = this.#requirement();
      if (!requirement.ok) return requirement;
      const { key, operator, values } = requirement.value;
      // A map can demand one value of a key; a second demand of it stands beside the map.
      if (operator === '=' && !matchLabels.has(key)) matchLabels.set(key, values[0] ?? '');
      else matchExpressions.push({ key, operator: operator === '=' ? 'In' : operator, values });
      if (this.#peek().kind === 'end') break;
      if (this.#peek().kind !== ',') return this.#refuse("',' or the end");
      this.#next();
      if (this.#peek().kind === 'end') return this.#refuse('a requirement');
    }
    return ok({ matchLabels: Object.fromEntries(matchLabels), matchExpressions });
  }

  #peek(): Token {
    return this.#tokens[this.#index] ?? { kind: 'end', text: '', position: 0 };
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== 'end') this.#index += 1;
    return token;
  }

  #refuse(expected: string): { ok: false; error: SelectorTextError } {
    const { kind, text, position } = this.#peek();
    const found = kind === 'end' ? 'the end' : `'${text}'`;
    return err({ position, message: `expected ${expected} at ${position + 1}, found ${found}` });
  }

  #requirement(): Step {
    const negated = this.#peek().kind === '!';
    if (negated) this.#next();
    const token = this.#peek();
    if (token.kind !== 'word' || !validLabelKey(token.text)) return this.#refuse('a label key');
    this.#next();
    const key = token.text;
    if (negated) return ok({ key, operator: 'DoesNotExist', values: [] });
    const operator = this.#peek();
    if (operator.kind === 'order') return this.#refuse("'=', '!=', 'in' or 'notin'");
    if (operator.kind === '=' || operator.kind === '!=') {
      this.#next();
      const value = this.#value();
      if (!value.ok) return value;
      return ok({ key, operator: operator.kind === '=' ? '=' : 'NotIn', values: [value.value] });
    }
    if (operator.kind !== 'word') return ok({ key, operator: 'Exists', values: [] });
    if (operator.text !== 'in' && operator.text !== 'notin') return this.#refuse("'in' or 'notin'");
    this.#next();
    return this.#list(key, operator.text === 'in' ? 'In' : 'NotIn');
  }

  #list(key: string, operator: string): Step {
    if (this.#peek().kind !== '(') return this.#refuse("'('");
    this.#next();
    const values: string[] = [];
    for (;;) {
      const value = this.#value();
      if (!value.ok) return value;
      values.push(value.value);
      if (this.#peek().kind === ')') break;
      if (this.#peek().kind !== ',') return this.#refuse("',' or ')'");
      this.#next();
    }
    this.#next();
    return ok({ key, operator, values });
  }

  /** A label value, which may be empty. */
  #value(): Result<string, SelectorTextError> {
    const token = this.#peek();
    if (token.kind === ',' || token.kind === ')' || token.kind === 'end') return ok('');
    if (token.kind !== 'word' || !validLabelValue(token.text)) return this.#refuse('a label value');
    return ok(this.#next().text);
  }
}
