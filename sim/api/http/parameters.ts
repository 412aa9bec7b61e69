import { err, ok } from '../../../lb/result.ts';
import { badRequest, type Outcome } from '../refusal.ts';
import type { HandleOptions } from '../server.ts';
import type { HttpRequest } from './message.ts';

/** What the query of a watch asks for. */
export interface WatchParameters {
  readonly resourceVersion: string;
  readonly labelSelector: string | undefined;
  readonly fieldSelector: string | undefined;
  /** Whole seconds of virtual time; undefined: a draw from half an hour to an hour (A3). */
  readonly timeoutSeconds: number | undefined;
  readonly bookmarks: boolean;
  readonly initialEvents: boolean;
}

/** Reads and judges the query of a watch. */
export function watchParameters({ query }: HttpRequest): Outcome<WatchParameters> {
  const timeout = query.get('timeoutSeconds');
  if (timeout !== undefined && !/^\d{1,9}$/u.test(timeout)) {
    return badRequest(`invalid timeoutSeconds: "${timeout}" is not a whole number`);
  }
  const initialEvents = isTrue(query.get('sendInitialEvents'));
  const match = query.get('resourceVersionMatch') ?? '';
  if (initialEvents && match !== 'NotOlderThan') return initialEventsRefused(match);
  return ok({
    resourceVersion: initialEvents ? '' : query.get('resourceVersion') ?? '',
    labelSelector: query.get('labelSelector'),
    fieldSelector: query.get('fieldSelector'),
    timeoutSeconds: timeout === undefined || timeout === '0' ? undefined : Number(timeout),
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    initialEvents,
  });
}

/** What the query of a write asks for. */
export function writeOptions({ query }: HttpRequest): Outcome<HandleOptions> {
  const dryRun = query.get('dryRun');
  if (dryRun === undefined || dryRun === '') return ok({});
  if (dryRun === 'All') return ok({ dryRun: true });
  return badRequest(`invalid dryRun: "${dryRun}": supported values: "All"`);
}

// 422, because the options of a list are an object of their own (A4).
function initialEventsRefused(match: string): Outcome<never> {
  const path = 'resourceVersionMatch';
  const message = 'Forbidden: sendInitialEvents requires setting resourceVersionMatch to '
    + `NotOlderThan${match === '' ? '' : `, not ${match}`}`;
  return err({
    kind: 'invalid', code: 422, reason: 'Invalid',
    message: `ListOptions.meta.k8s.io "" is invalid: ${path}: ${message}`,
    causes: [{ path, message }],
  });
}

function isTrue(text: string | undefined): boolean {
  return text === 'true' || text === '1';
}
