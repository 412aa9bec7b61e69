import { err, ok } from '../../../lb/result.ts';
import { badRequest, type Outcome } from '../refusal.ts';
import type { HandleOptions } from '../server.ts';
import { invalidOptions, matchFaults } from './listing.ts';
import type { HttpRequest } from './message.ts';
import { userOf } from './user.ts';

/** What the query of a watch asks for. */
export interface WatchParameters {
  /** `now`: without what is there already. */
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
  const faults = matchFaults(query, true);
  if (faults.length > 0) return err(invalidOptions(faults));
  const initialEvents = isTrue(query.get('sendInitialEvents'));
  const version = query.get('resourceVersion') ?? '';
  const plain = query.get('sendInitialEvents') === 'false' && version === '';
  return ok({
    resourceVersion: initialEvents ? '' : plain ? 'now' : version,
    labelSelector: query.get('labelSelector'),
    fieldSelector: query.get('fieldSelector'),
    timeoutSeconds: timeout === undefined || timeout === '0' ? undefined : Number(timeout),
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    initialEvents,
  });
}

/** What the query of a write asks for. */
export function writeOptions(request: HttpRequest): Outcome<HandleOptions> {
  const { query } = request;
  const dryRun = query.get('dryRun') ?? '';
  if (dryRun !== '' && dryRun !== 'All') {
    return badRequest(`invalid dryRun: "${dryRun}": supported values: "All"`);
  }
  const named = query.get('fieldManager') ?? '';
  return ok({
    dryRun: dryRun === 'All',
    fieldManager: named === '' ? userOf(request) : named,
    force: isTrue(query.get('force')),
  });
}

function isTrue(text: string | undefined): boolean {
  return text === 'true' || text === '1';
}
