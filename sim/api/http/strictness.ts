import { err, ok } from '../../../lb/result.ts';
import { compareText } from '../../../lb/table.ts';
import { unknownFields } from '../../../kube/schema/validate.ts';
import type { KubeObject } from '../../../kube/port.ts';
import { listOf, objectOf, textOf } from '../json.ts';
import { messageOfKind, messageOfType } from '../message/catalog.ts';
import type { FieldType, Message } from '../message/grammar.ts';
import { badRequest, type Outcome } from '../refusal.ts';
import { duplicateFields } from './duplicates.ts';
import { servedVersion, type ServedKind } from './kinds.ts';
import type { HttpAnswer, HttpRequest } from './message.ts';

/** A body without the fields that its kind does not have, and a sentence about each of them. */
export interface Examined<T> {
  readonly body: T;
  readonly warnings: readonly string[];
}

/** What a body is: a whole object, a merge patch of one, or the configuration of an apply. */
export type BodyKind = 'object' | 'patch' | 'apply';

/**
 * Takes unknown fields out of a body, as Go's decoder drops them, and judges them and repeated ones
 * by `fieldValidation` (A10): Ignore says nothing, Warn warns, Strict refuses.
 */
export function examine<T>(
  request: HttpRequest, served: ServedKind, given: { readonly body: T; readonly as: BodyKind },
): Outcome<Examined<T>> {
  const { body, as } = given;
  const validation = request.query.get('fieldValidation') || 'Warn';
  if (!['Ignore', 'Warn', 'Strict'].includes(validation)) {
    return badRequest(`invalid fieldValidation: "${validation}"`);
  }
  const unknown: string[] = [];
  const message = messageOfKind(servedVersion(served), served.resource.kind);
  const kept = message === undefined ? body : pruned(body, { message, path: '', unknown }) as T;
  if (message === undefined) unknown.push(...unknownCustom(body, served));
  if (as === 'apply' && unknown.length > 0) return undeclared(body, served, unknown);
  const text = typeof request.body === 'string' ? request.body : '';
  const problems = [
    ...duplicateFields(text).map((path) => `duplicate field "${path}"`),
    ...unknown.map((path) => `unknown field "${path}"`),
  ];
  if (problems.length === 0 || validation === 'Ignore') return ok({ body: kept, warnings: [] });
  if (validation === 'Warn') return ok({ body: kept, warnings: problems });
  return strictRefusal(problems, served, given);
}

/** The answer with one `Warning` header that carries all of them (RFC 9111, 5.5). */
export function withWarnings(answer: HttpAnswer, warnings: readonly string[]): HttpAnswer {
  if (warnings.length === 0) return answer;
  const warning = warnings.map((text) => `299 - ${JSON.stringify(text)}`).join(', ');
  return { ...answer, headers: { ...answer.headers, warning } };
}

interface Place {
  readonly message: Message;
  readonly path: string;
  readonly unknown: string[];
}

// Keys with a dollar sign are directives of a strategic merge patch.
function pruned(value: unknown, { message, path, unknown }: Place): unknown {
  const fields = objectOf(value);
  if (fields === undefined) return value;
  const kept: Record<string, unknown> = {};
  for (const key of Object.keys(fields)) {
    const inside = fields[key];
    const at = path === '' ? key : `${path}.${key}`;
    const type = key === 'kind' || key === 'apiVersion' ? scalar : message.fields.get(key)?.type;
    if (key.startsWith('$')) kept[key] = inside;
    else if (type !== undefined) {
      kept[key] = prunedType(inside, type, { message, path: at, unknown });
    } else if (inside !== null) unknown.push(at);
  }
  return kept;
}

const scalar: FieldType = { kind: 'scalar', scalar: 'string' };

function prunedType(value: unknown, type: FieldType, place: Place): unknown {
  const { path, unknown } = place;
  switch (type.kind) {
    case 'scalar': return value;
    case 'message': {
      const message = messageOfType(type);
      return message === undefined ? value : pruned(value, { message, path, unknown });
    }
    case 'list': return Array.isArray(value)
      ? value.map((item, index) =>
        prunedType(item, type.of, { ...place, path: `${path}[${index}]` }))
      : value;
    case 'map': {
      const entries = objectOf(value);
      if (entries === undefined) return value;
      return Object.fromEntries(Object.keys(entries).map((key) =>
        [key, prunedType(entries[key], type.of, { ...place, path: `${path}.${key}` })]));
    }
  }
}

function unknownCustom(body: unknown, { resource, version }: ServedKind): readonly string[] {
  const fields = objectOf(body);
  if (fields === undefined) return [];
  const object: KubeObject = {
    ...fields, apiVersion: `${resource.group}/${version}`, kind: resource.kind,
  };
  return unknownFields(object).map(({ path }) => path);
}

function strictRefusal(
  problems: readonly string[], served: ServedKind,
  { body, as }: { readonly body: unknown; readonly as: BodyKind },
): Outcome<never> {
  const strict = `strict decoding error: ${problems.join(', ')}`;
  const { kind } = served.resource;
  if (as !== 'patch') {
    return badRequest(
      `${kind} in version "${served.version}" cannot be handled as a ${kind}: ${strict}`,
    );
  }
  const message = `Invalid value: ${JSON.stringify(goText(body))}: ${strict}`;
  return err({
    kind: 'invalid', code: 422, reason: 'Invalid', message: ` "" is invalid: patch: ${message}`,
    causes: [{ path: 'patch', message }],
  });
}

// The converter of server-side apply refuses by itself, whatever `fieldValidation` says, with an
// error that has no reason.
function undeclared(
  body: unknown, served: ServedKind, unknown: readonly string[],
): Outcome<never> {
  const { name, namespace } = objectOf(objectOf(body)?.['metadata']) ?? {};
  const { resource, version } = served;
  const object = `${textOf(namespace) ?? ''}/${textOf(name) ?? ''}`;
  const what = `${object}; ${resource.group}/${version}, Kind=${resource.kind}`;
  const errors = unknown.map((path) => `.${path}: field not declared in schema`);
  const message = `failed to create typed patch object (${what}): ${errors.join('\n')}`;
  return err({ kind: 'server', code: 500, reason: '', message });
}

// How Go's `%+v` prints a decoded patch.
function goText(value: unknown): string {
  if (Array.isArray(value)) return `[${listOf(value).map(goText).join(' ')}]`;
  const fields = objectOf(value);
  if (value === null) return '<nil>';
  if (fields === undefined) return typeof value === 'string' ? value : JSON.stringify(value);
  const keys = Object.keys(fields).sort(compareText);
  return `map[${keys.map((key) => `${key}:${goText(fields[key])}`).join(' ')}]`;
}
