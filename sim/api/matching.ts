import type { Labels } from '../../lb/model.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { compileSelector, matchEverything, type Matcher } from '../../lb/selector.ts';
import type { KubeObject } from '../../kube/port.ts';
import { parseSelectorText } from '../../lb/selector-text.ts';

/** A matcher for a label selector in kubectl's grammar (A15), or the message of the 400. */
export function matcherOf(text: string | undefined): Result<Matcher, string> {
  if (text === undefined || text.trim() === '') return ok(matchEverything);
  const parsed = parseSelectorText(text);
  if (!parsed.ok) return err(`unable to parse requirement: ${parsed.error.message}`);
  const compiled = compileSelector(parsed.value);
  return compiled.ok ? compiled : err(`unable to parse requirement: ${compiled.error.message}`);
}

const noLabels: Labels = Object.freeze({});

/** Labels of a stored object; admission let only texts in. */
export function labelsOf(object: KubeObject): Labels {
  const labels = object.metadata?.['labels'];
  return typeof labels === 'object' && labels !== null ? (labels as unknown as Labels) : noLabels;
}
