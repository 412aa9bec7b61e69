import type { Labels } from '../../lb/model.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { compileSelector, matchEverything, type Matcher } from '../../lb/selector.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { Resource } from '../../kube/resource.ts';
import { parseSelectorText } from '../../lb/selector-text.ts';
import { compileFields } from './fieldselector.ts';

/** What a list or watch asks for in kubectl's grammars; absent and empty select everything. */
export interface Selection {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Fields that selectors of a custom resource may name. */
  readonly selectable?: readonly string[];
}

/** Judges a stored object. */
export type ObjectMatcher = (object: KubeObject) => boolean;

/** The matcher of a selection without selectors, told apart by identity. */
export const everyObject: ObjectMatcher = () => true;

/** A matcher for both selectors (A15), or the message of the 400. */
export function objectMatcher(
  selection: Selection, resource: Resource,
): Result<ObjectMatcher, string> {
  const { labelSelector, fieldSelector = '', selectable } = selection;
  const labels = matcherOf(labelSelector);
  if (!labels.ok) return labels;
  const byLabels = labels.value === matchEverything
    ? everyObject
    : (object: KubeObject) => labels.value(labelsOf(object));
  if (fieldSelector === '') return ok(byLabels);
  const fields = compileFields(fieldSelector, resource, selectable);
  if (!fields.ok) return fields;
  const { value: byFields } = fields;
  return ok((object) => byLabels(object) && byFields(object));
}

function matcherOf(text: string | undefined): Result<Matcher, string> {
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
