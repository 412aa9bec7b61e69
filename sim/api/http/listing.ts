import type { Fault } from '../../../lb/model.ts';
import { err, ok } from '../../../lb/result.ts';
import { base64Bytes } from '../../../lb/base64.ts';
import { base64OfText } from '../base64.ts';
import { objectOf } from '../json.ts';
import { badRequest, type Outcome, type Refusal } from '../refusal.ts';
import { textOfUtf8 } from '../../../lb/utf8.ts';
import type { HttpRequest } from './message.ts';

/** What the query of a list asks for. */
export interface ListParameters {
  readonly resourceVersion: string;
  /** The state at exactly that version, instead of one not older. */
  readonly exact: boolean;
  /** Items of one page; undefined: all. */
  readonly limit: number | undefined;
  /** Where the page before ended. */
  readonly after: Continuation | undefined;
}

/** What a continue token says: the snapshot, and the key of the last item that was shown. */
export interface Continuation {
  readonly version: number;
  readonly key: string;
}

/** Reads and judges the query of a list (A2). */
export function listParameters({ query }: HttpRequest): Outcome<ListParameters> {
  const faults = matchFaults(query, false);
  if (faults.length > 0) return err(invalidOptions(faults));
  const limit = query.get('limit') ?? '0';
  if (!/^\d{1,9}$/u.test(limit)) return badRequest(`invalid limit: "${limit}"`);
  const token = query.get('continue') ?? '';
  const after = token === '' ? undefined : parseToken(token);
  if (token !== '' && after === undefined) {
    return badRequest('continue key is not valid: incorrect encoding');
  }
  const resourceVersion = query.get('resourceVersion') ?? '';
  if (after !== undefined && resourceVersion !== '' && resourceVersion !== '0') {
    return badRequest('specifying resource version is not allowed when using continue');
  }
  return ok({
    resourceVersion,
    exact: query.get('resourceVersionMatch') === 'Exact',
    // The watch cache, which answers version 0, knows no pages.
    limit: limit === '0' || resourceVersion === '0' ? undefined : Number(limit),
    after,
  });
}

/** What is wrong with `resourceVersionMatch` and `sendInitialEvents` of a list or a watch. */
export function matchFaults(query: ReadonlyMap<string, string>, watch: boolean): Fault[] {
  const match = query.get('resourceVersionMatch') ?? '';
  const version = query.get('resourceVersion') ?? '';
  const initial = query.get('sendInitialEvents');
  const faults: Fault[] = [];
  const fault = (path: string, message: string): void => { faults.push({ path, message }); };
  if (initial !== undefined) {
    if (!watch) fault('sendInitialEvents', 'Forbidden: sendInitialEvents is forbidden for list');
    else if (match !== 'NotOlderThan') {
      fault(
        'resourceVersionMatch',
        'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      );
    }
    return faults;
  }
  if (match === '') return faults;
  const field = 'resourceVersionMatch';
  if (watch) {
    fault(field, `Forbidden: ${field} is forbidden for watch unless sendInitialEvents is provided`);
  } else if (match !== 'Exact' && match !== 'NotOlderThan') {
    fault(
      field, `Unsupported value: "${match}": supported values: "Exact", "NotOlderThan", ""`,
    );
  } else if (query.has('continue')) {
    fault(field, `Forbidden: ${field} is forbidden when continue is provided`);
  } else if (version === '') {
    fault(field, `Forbidden: ${field} is forbidden unless resourceVersion is provided`);
  } else if (match === 'Exact' && version === '0') {
    fault(field, `Forbidden: ${field} "exact" is forbidden for resourceVersion "0"`);
  }
  return faults;
}

/** 422 of a query. */
export function invalidOptions(causes: readonly Fault[]): Refusal {
  const list = causes.map(({ path, message }) => `${path}: ${message}`).join(', ');
  const message = `ListOptions.meta.k8s.io "" is invalid: ${list}`;
  return { kind: 'invalid', code: 422, reason: 'Invalid', message, causes };
}

/** 410: the snapshot that a token or an exact version names is forgotten. */
export const pageExpired: Refusal = {
  kind: 'expired', code: 410, reason: 'Expired',
  message: 'The provided continue parameter is too old to display a consistent list result. You '
    + 'must start a new list without the continue parameter.',
};

export function continueToken({ version, key }: Continuation): string {
  return base64OfText(JSON.stringify({ v: 'meta.k8s.io/v1', rv: version, start: key }));
}

function parseToken(token: string): Continuation | undefined {
  if (!/^[A-Za-z0-9+/]+=*$/u.test(token)) return undefined;
  try {
    const { rv, start } = objectOf(JSON.parse(textOfUtf8(base64Bytes(token)))) ?? {};
    return typeof rv === 'number' && typeof start === 'string'
      ? { version: rv, key: start }
      : undefined;
  } catch {
    // Not one of ours; the caller answers 400.
    return undefined;
  }
}
