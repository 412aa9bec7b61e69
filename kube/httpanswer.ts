import { err, ok, type Result } from '../lb/result.ts';
import type { KubeAnswer, KubeError, KubeObject, KubeRequest, WatchEvent } from './port.ts';
import { excerpt, isFields } from './reader.ts';
import { apiVersion, type Resource } from './resource.ts';
import type { HttpHead } from './transport.ts';

const secondMicros = 1_000_000;

/** The JSON value of a text; the sentence of what is wrong otherwise. */
export function readJson(text: string | undefined): Result<unknown, string> {
  if (text === undefined) return err('it is not UTF-8');
  try {
    return ok(JSON.parse(text) as unknown);
  } catch {
    // The library's sentence quotes its input, which may be large or secret.
    return err('it is not JSON');
  }
}

/**
 * The whole answer to a request, as the port tells it; `body` is undefined where it is no text. A
 * cut answer never comes here.
 */
export function answerOf(
  request: KubeRequest, head: HttpHead, body: string | undefined,
): Result<KubeAnswer, KubeError> {
  const read = readJson(body);
  if (head.status < 200 || head.status > 299) {
    return err(errorOf(head, read.ok ? read.value : undefined));
  }
  if (!read.ok) return err(unreadable(request, read.error));
  return request.verb === 'list'
    ? listOf(request, read.value)
    : objectOf(request, read.value);
}

function objectOf(request: KubeRequest, value: unknown): Result<KubeAnswer, KubeError> {
  if (!isFields(value)) return err(unreadable(request, `it is ${excerpt(value)}`));
  return ok({ kind: 'object', object: value as KubeObject });
}

function listOf(
  request: KubeRequest & { readonly verb: 'list' }, value: unknown,
): Result<KubeAnswer, KubeError> {
  if (!isFields(value)) return err(unreadable(request, `it is ${excerpt(value)}`));
  const { items } = value;
  const version = versionOf(value);
  if (typeof version !== 'string' || version === '') {
    return err(unreadable(request, `metadata.resourceVersion is ${excerpt(version)}`));
  }
  // Go writes an empty list as null.
  const listed = items === null ? [] : items;
  if (!Array.isArray(listed)) return err(unreadable(request, `items is ${excerpt(items)}`));
  const objects: KubeObject[] = [];
  for (const [index, item] of listed.entries()) {
    if (!isFields(item)) return err(unreadable(request, `items[${index}] is ${excerpt(item)}`));
    objects.push(withKind(request.resource, item as KubeObject));
  }
  return ok({ kind: 'list', items: objects, resourceVersion: version });
}

function versionOf(value: object): unknown {
  const { metadata } = value as { metadata?: unknown };
  return isFields(metadata) ? metadata['resourceVersion'] : undefined;
}

/** Items of built-in lists come without these two; everything else has them. */
function withKind(resource: Resource, item: KubeObject): KubeObject {
  if (item.kind !== undefined && item.apiVersion !== undefined) return item;
  return { apiVersion: apiVersion(resource), kind: resource.kind, ...item };
}

/** A write whose answer cannot be read may have happened. */
function unreadable(request: KubeRequest, why: string): KubeError {
  const reads = request.verb === 'get' || request.verb === 'list';
  const message = `the answer to ${request.verb} cannot be read: ${why}`;
  return { kind: reads ? 'server' : 'unknown-outcome', message };
}

/** A refusal by the server: `body` is its metav1.Status, or whatever stands in front of it said. */
export function errorOf(head: HttpHead, body: unknown): KubeError {
  const { reason, message, details } = isFields(body) ? body : {};
  const hint = isFields(details) ? details['retryAfterSeconds'] : undefined;
  const seconds = head.retryAfterSeconds ?? (typeof hint === 'number' ? hint : 0);
  return {
    kind: kindOf(head.status, reason),
    message: typeof message === 'string' && message !== '' ? message : `HTTP ${head.status}`,
    ...(seconds > 0 && { retryAfter: Math.floor(seconds * secondMicros) }),
  };
}

function kindOf(status: number, reason: unknown): KubeError['kind'] {
  switch (status) {
    case 401: case 403: return 'denied';
    case 404: return 'gone';
    case 409: return reason === 'AlreadyExists' ? 'exists' : 'conflict';
    case 410: return 'expired';
    case 429: return 'throttled';
    default: return status >= 400 && status < 500 ? 'invalid' : 'server';
  }
}

/**
 * One line of a watch, undefined where it is no text: an event, or why the stream ends here (A5:
 * 410 has both shapes).
 */
export function eventOf(line: string | undefined): Result<WatchEvent, KubeError> {
  const read = readJson(line);
  if (!read.ok) return err(malformed(read.error));
  if (!isFields(read.value)) return err(malformed(`it is ${excerpt(read.value)}`));
  const { type, object } = read.value;
  if (!isFields(object)) return err(malformed(`object is ${excerpt(object)}`));
  switch (type) {
    case 'ADDED': case 'MODIFIED': case 'DELETED':
      return ok({ type, object: object as KubeObject });
    case 'BOOKMARK': {
      const version = versionOf(object);
      if (typeof version === 'string' && version !== '') {
        return ok({ type, resourceVersion: version });
      }
      return err(malformed(`a bookmark's metadata.resourceVersion is ${excerpt(version)}`));
    }
    case 'ERROR': {
      const { code } = object;
      return err(errorOf({ status: typeof code === 'number' ? code : 500 }, object));
    }
    default: return err(malformed(`type is ${excerpt(type)}`));
  }
}

function malformed(why: string): KubeError {
  return { kind: 'server', message: `an event of the watch cannot be read: ${why}` };
}
