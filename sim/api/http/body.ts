import { parse as parseYaml } from 'yaml';
import type { KubeObject } from '../../../kube/port.ts';
import { ok } from '../../../lb/result.ts';
import { objectOf } from '../json.ts';
import { protobufObject } from '../protobuf/body.ts';
import { messageOfKind } from '../message/catalog.ts';
import { typeFault } from '../message/typing.ts';
import { badRequest, type Outcome } from '../refusal.ts';
import { servedVersion, type ServedKind } from './kinds.ts';
import type { HttpRequest } from './message.ts';

/** The media type of a request's body without its parameters; JSON where none is named. */
export function mediaType(request: HttpRequest): string {
  const [type = ''] = (request.headers.get('content-type') ?? '').split(';');
  return type.trim() === '' ? 'application/json' : type.trim().toLowerCase();
}

/** The body as JSON, or as YAML or protobuf where its type says so. */
export function parsedBody(request: HttpRequest): Outcome<unknown> {
  const { body } = request;
  const type = mediaType(request);
  if (typeof body !== 'string') return protobufObject(body);
  try {
    return ok(type.includes('yaml') ? parseYaml(body) : JSON.parse(body));
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return badRequest(`the object provided is unrecognized: json parse error: ${why}`);
  }
}

/** A complete object of that kind; fields that are null count as absent, as Go reads them. */
export function objectBody(request: HttpRequest, served: ServedKind): Outcome<KubeObject> {
  const parsed = parsedBody(request);
  if (!parsed.ok) return parsed;
  const object = objectOf(withoutNulls(parsed.value));
  if (object === undefined) return badRequest('the object provided is no JSON object');
  const { kind, apiVersion } = object;
  const { resource } = served;
  const expected = servedVersion(served);
  if (typeof kind === 'string' && kind !== '' && kind !== resource.kind) {
    return badRequest(
      `${kind} in version "${String(apiVersion)}" cannot be handled as a ${resource.kind}`,
    );
  }
  if (typeof apiVersion === 'string' && apiVersion !== '' && apiVersion !== expected) {
    return badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version `
      + `(${expected})`,
    );
  }
  const message = messageOfKind(expected, resource.kind);
  const fault = message && typeFault(object, message);
  if (fault === undefined) return ok(object as KubeObject);
  return badRequest(
    `${resource.kind} in version "${served.version}" cannot be handled as a ${resource.kind}: `
    + fault,
  );
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  const fields = objectOf(value);
  if (fields === undefined) return value;
  const kept: Record<string, unknown> = {};
  for (const key of Object.keys(fields)) {
    if (fields[key] !== null) kept[key] = withoutNulls(fields[key]);
  }
  return kept;
}
