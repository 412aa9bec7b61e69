import type { Fault } from '../../lb/model.ts';
import { err, type Result } from '../../lb/result.ts';
import type { KubeError, ObjectRef } from '../../kube/port.ts';
import type { Resource } from '../../kube/resource.ts';

/** One reason of a refusal. */
export interface Cause extends Fault {
  /** `FieldManagerConflict`; absent where the message tells it. */
  readonly reason?: string;
}

/** A `KubeError` with what metav1.Status carries beside it (A19). */
export interface Refusal extends KubeError {
  /** HTTP status. */
  readonly code: number;
  /** `NotFound`, `Conflict`, `Invalid`, … */
  readonly reason: string;
  /** One per field at fault. */
  readonly causes?: readonly Cause[];
}

/** What the API server answers inside: a value or a refusal with its status. */
export type Outcome<T> = Result<T, Refusal>;

/** The resource as it stands in messages: `leases.coordination.k8s.io`, `services`. */
export function resourceText(resource: Resource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** 404. */
export function notFound(ref: ObjectRef): Outcome<never> {
  const message = `${resourceText(ref.resource)} "${ref.name}" not found`;
  return err({ kind: 'gone', code: 404, reason: 'NotFound', message });
}

/** 404 of a path that nothing is served at. */
export function unknownResource(): Outcome<never> {
  const message = 'the server could not find the requested resource';
  return err({ kind: 'gone', code: 404, reason: 'NotFound', message });
}

/** 409 AlreadyExists. */
export function alreadyExists(ref: ObjectRef): Outcome<never> {
  const message = `${resourceText(ref.resource)} "${ref.name}" already exists`;
  return err({ kind: 'exists', code: 409, reason: 'AlreadyExists', message });
}

/** 409 Conflict: a precondition on uid or version failed. */
export function conflict(ref: ObjectRef, why: string): Outcome<never> {
  const object = `${resourceText(ref.resource)} "${ref.name}"`;
  const message = `Operation cannot be fulfilled on ${object}: ${why}`;
  return err({ kind: 'conflict', code: 409, reason: 'Conflict', message });
}

/** Why a write with an old version is refused. */
export const modified =
  'the object has been modified; please apply your changes to the latest version and try again';

/** 422 Invalid with one cause per field. */
export function invalid(ref: ObjectRef, causes: readonly Fault[]): Outcome<never> {
  const texts = causes.map((cause) => `${cause.path}: ${cause.message}`);
  // Go prints an aggregate of one error as the error.
  const list = texts.length === 1 ? texts.join('') : `[${texts.join(', ')}]`;
  const subject = ref.resource.group === ''
    ? ref.resource.kind
    : `${ref.resource.kind}.${ref.resource.group}`;
  const message = `${subject} "${ref.name}" is invalid: ${list}`;
  return err({ kind: 'invalid', code: 422, reason: 'Invalid', message, causes });
}

/** 400: the request itself makes no sense. */
export function badRequest(message: string): Outcome<never> {
  return err({ kind: 'invalid', code: 400, reason: 'BadRequest', message });
}

/** 415: strategic merge knows the lists of built-in kinds only (A8). */
export function unsupportedPatch(): Outcome<never> {
  const message = 'the body of the request was in an unknown format - accepted media types include:'
    + ' application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml';
  return err({ kind: 'invalid', code: 415, reason: 'UnsupportedMediaType', message });
}

/** 403. */
export function forbidden(
  ref: ObjectRef, why: string, causes?: readonly Cause[],
): Outcome<never> {
  const message = `${resourceText(ref.resource)} "${ref.name}" is forbidden: ${why}`;
  return err({
    kind: 'denied', code: 403, reason: 'Forbidden', message, ...(causes && { causes }),
  });
}

/** 410: the version was compacted away (A5). */
export function expired(version: string, oldest: string): Outcome<never> {
  const message = `too old resource version: ${version} (${oldest})`;
  return err({ kind: 'expired', code: 410, reason: 'Expired', message });
}

/** 504: a version that this server has not reached (A2). */
export function versionAhead(version: string, current: number): Outcome<never> {
  const message = `Too large resource version: ${version}, current: ${current}`;
  return err({ kind: 'server', code: 504, reason: 'Timeout', message, retryAfter: 1_000_000 });
}
