import type { Cause, Refusal } from '../refusal.ts';
import { jsonAnswer, type HttpAnswer } from './message.ts';

/** What a Status says about its object, `details` of metav1.Status. */
export interface StatusSubject {
  readonly group: string;
  /** Plural name. */
  readonly plural: string;
  readonly kind: string;
  /** Empty for a collection. */
  readonly name: string;
}

const causeReasons: readonly (readonly [start: string, reason: string])[] = [
  ['Required value', 'FieldValueRequired'],
  ['Duplicate value', 'FieldValueDuplicate'],
  ['Unsupported value', 'FieldValueNotSupported'],
  ['Forbidden', 'FieldValueForbidden'],
  ['Too long', 'FieldValueTooLong'],
  ['Too many', 'FieldValueTooMany'],
  ['Not found', 'FieldValueNotFound'],
  ['Invalid type', 'FieldValueTypeInvalid'],
];

/** metav1.Status of a refusal (A19). */
export function statusOf(refusal: Refusal, subject: StatusSubject | undefined): unknown {
  const details = detailsOf(refusal, subject);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: refusal.message,
    ...(refusal.reason !== '' && { reason: refusal.reason }),
    ...(details !== undefined && { details }),
    code: refusal.code,
  };
}

/** The answer that carries it, with `Retry-After` where the client should wait. */
export function refusalAnswer(refusal: Refusal, subject?: StatusSubject): HttpAnswer {
  const answer = jsonAnswer(refusal.code, statusOf(refusal, subject));
  const wait = retrySeconds(refusal);
  if (wait === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, 'retry-after': String(wait) } };
}

/** metav1.Status of a deletion that left nothing behind. */
export function deletedStatus(subject: StatusSubject, uid: string | undefined): unknown {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: subject.name,
      ...(subject.group !== '' && { group: subject.group }),
      kind: subject.plural,
      ...(uid !== undefined && { uid }),
    },
  };
}

function detailsOf(refusal: Refusal, subject: StatusSubject | undefined): unknown {
  const wait = retrySeconds(refusal);
  const causes = (refusal.causes ?? []).map(causeOf);
  if (subject === undefined || refusal.reason === 'BadRequest') {
    if (wait === undefined && causes.length === 0) return undefined;
    return { ...(causes.length > 0 && { causes }), ...(wait && { retryAfterSeconds: wait }) };
  }
  const { group, plural, kind, name } = subject;
  return {
    ...(name !== '' && { name }),
    ...(group !== '' && { group }),
    kind: refusal.reason === 'Invalid' ? kind : plural,
    ...(causes.length > 0 && { causes }),
    ...(wait !== undefined && { retryAfterSeconds: wait }),
  };
}

function causeOf({ path, message, reason: given }: Cause): unknown {
  const known = causeReasons.find(([start]) => message.startsWith(start));
  const reason = given ?? known?.[1] ?? 'FieldValueInvalid';
  return { reason, message, ...(path !== '' && { field: path }) };
}

function retrySeconds({ retryAfter }: Refusal): number | undefined {
  return retryAfter === undefined ? undefined : Math.max(1, Math.ceil(retryAfter / 1_000_000));
}

/** 404 of a path under a known prefix, or of a kind that nobody serves. */
export const unknownResource: Refusal = {
  kind: 'gone', code: 404, reason: 'NotFound',
  message: 'the server could not find the requested resource',
};

/** 405. */
export const methodNotAllowed: Refusal = {
  kind: 'invalid', code: 405, reason: 'MethodNotAllowed',
  message: 'the server does not allow this method on the requested resource',
};

/** 501 with a sentence that says what the simulator does not do. */
export function notSimulated(message: string): Refusal {
  return { kind: 'server', code: 501, reason: 'NotImplemented', message };
}

/** 415. */
export function unsupportedType(message: string): Refusal {
  return { kind: 'invalid', code: 415, reason: 'UnsupportedMediaType', message };
}
