import type { Condition, Fault, Meta } from '../lb/model.ts';
import { err, ok, type Result } from '../lb/result.ts';
import type { LabelSelector, SelectorExpression } from '../lb/selector.ts';
import type { KubeObject } from './port.ts';
import { excerpt, isFields, Reader } from './reader.ts';
import { parseTimeMs } from '../lb/time.ts';

export type Decoded<T> = Result<T, readonly Fault[]>;

/** What every decoder of one kind starts from. */
export interface ObjectParts {
  readonly meta: Meta;
  readonly root: Reader;
  /** Filled while the rest of the object is read. */
  readonly faults: Fault[];
}

const generations = { min: 0, max: Number.MAX_SAFE_INTEGER };
const statuses = ['True', 'False', 'Unknown'] as const;

/**
 * The metadata of an object. Without a name, a uid and a version, or without the namespace that its
 * kind has, nothing can be stored or written back, so the object is refused as a whole.
 */
export function readObject(
  object: KubeObject,
  scope: 'namespaced' | 'cluster',
): Decoded<ObjectParts> {
  const faults: Fault[] = [];
  const root = Reader.of(object, faults);
  const metadata = root?.child('metadata');
  if (root === undefined || metadata === undefined) {
    if (faults.length === 0) faults.push({ path: 'metadata', message: 'required' });
    return err(faults);
  }
  const name = identifier(metadata, 'name');
  const uid = identifier(metadata, 'uid');
  const resourceVersion = identifier(metadata, 'resourceVersion');
  const namespace = scope === 'cluster' ? '' : identifier(metadata, 'namespace');
  if (name === undefined || uid === undefined) return err(faults);
  if (resourceVersion === undefined || namespace === undefined) return err(faults);
  const meta: Meta = {
    namespace,
    name,
    uid,
    resourceVersion,
    generation: metadata.integer('generation', generations) ?? 0,
    createdAtMs: readCreation(metadata),
    deleting: metadata.text('deletionTimestamp') !== undefined,
    labels: metadata.labels('labels'),
    annotations: metadata.labels('annotations'),
  };
  return ok({ meta, root, faults });
}

// Names reach maps, Lease names and keys, so they are ASCII, as every API server has them; a slash
// would make two objects share one key.
const identifierSyntax = /^[!-.0-~]+$/u;

function identifier(metadata: Reader, key: string): string | undefined {
  const text = metadata.text(key);
  if (text !== undefined && identifierSyntax.test(text)) return text;
  const before = metadata.raw(key);
  if (typeof before === 'string' || before === undefined) {
    metadata.refuse(key, `expected ASCII text without '/', got ${excerpt(before)}`);
  }
  return undefined;
}

function readCreation(metadata: Reader): number | undefined {
  const text = metadata.text('creationTimestamp');
  if (text === undefined) return undefined;
  const createdAtMs = parseTimeMs(text);
  if (createdAtMs === undefined) {
    metadata.refuse('creationTimestamp', `expected an RFC 3339 time, got ${excerpt(text)}`);
  }
  return createdAtMs;
}

/** The `conditions` list of a status; conditions without type or status are left out. */
export function readConditions(status: Reader | undefined): readonly Condition[] {
  return status?.items('conditions', readCondition) ?? [];
}

function readCondition(item: Reader): Condition | undefined {
  const type = required(item, 'type', item.text('type'));
  const status = required(item, 'status', item.choice('status', statuses));
  if (type === undefined || status === undefined) return undefined;
  return {
    type,
    status,
    reason: item.text('reason') ?? '',
    message: item.text('message') ?? '',
    observedGeneration: item.integer('observedGeneration', generations),
    lastTransitionTime: item.text('lastTransitionTime'),
  };
}

/** `value`, with a fault where the field is missing altogether. */
export function required<T>(item: Reader, key: string, value: T | undefined): T | undefined {
  if (value === undefined && item.raw(key) === undefined) item.refuse(key, 'required');
  return value;
}

// No selector can hold it: `compileSelector` refuses the empty operator.
const unreadable: SelectorExpression = { key: 'unreadable', operator: '', values: [] };

/**
 * A label selector; undefined when unset. An unreadable part stands as an expression that no
 * compiler accepts, because dropping it would select more than its author meant.
 */
export function readSelector(parent: Reader | undefined, key: string): LabelSelector | undefined {
  const value = parent?.raw(key);
  if (parent === undefined || value === undefined) return undefined;
  const selector = parent.child(key);
  if (selector === undefined) return { matchLabels: {}, matchExpressions: [unreadable] };
  const matchLabels = selector.labels('matchLabels');
  const expressions = selector.items('matchExpressions', readExpression);
  const stored = selector.raw('matchExpressions');
  const expressionCount = Array.isArray(stored) ? stored.length : stored === undefined ? 0 : -1;
  const whole = expressions.length === expressionCount && wholeMap(selector, matchLabels);
  return { matchLabels, matchExpressions: whole ? expressions : [...expressions, unreadable] };
}

function wholeMap(selector: Reader, read: Readonly<Record<string, string>>): boolean {
  const stored = selector.raw('matchLabels');
  if (stored === undefined) return true;
  return isFields(stored) && Object.keys(stored).length === Object.keys(read).length;
}

function readExpression(item: Reader): SelectorExpression | undefined {
  const key = required(item, 'key', item.text('key'));
  const operator = required(item, 'operator', item.text('operator'));
  const values = item.texts('values');
  const stored = item.raw('values');
  if (key === undefined || operator === undefined) return undefined;
  if (stored !== undefined && !(Array.isArray(stored) && stored.length === values.length)) {
    return undefined;
  }
  return { key, operator, values };
}

