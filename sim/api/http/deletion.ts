import { ok } from '../../../lb/result.ts';
import { listOf, objectOf, textOf } from '../json.ts';
import { badRequest, type Outcome } from '../refusal.ts';
import type { ApiRequest, HandleOptions } from '../request.ts';
import { parsedBody } from './body.ts';
import type { HttpRequest } from './message.ts';

/** What a DELETE asks for beside its object. */
export interface Deletion {
  readonly request: Omit<ApiRequest & { verb: 'delete' }, 'verb' | 'ref'>;
  readonly options: HandleOptions;
}

/** Reads DeleteOptions, which come in the body or, of raw requests, in the query. */
export function deletionOf(request: HttpRequest): Outcome<Deletion> {
  const parsed = request.body.length === 0 ? ok({}) : parsedBody(request);
  if (!parsed.ok) return parsed;
  const body = objectOf(parsed.value) ?? {};
  const { query } = request;
  const grace = body['gracePeriodSeconds'] ?? query.get('gracePeriodSeconds');
  const seconds = grace === undefined || grace === null ? undefined : Number(grace);
  if (seconds !== undefined && !(Number.isSafeInteger(seconds) && seconds >= 0)) {
    return badRequest('gracePeriodSeconds: must be greater than or equal to 0');
  }
  const wanted = textOf(body['propagationPolicy']) ?? query.get('propagationPolicy');
  const propagation = body['orphanDependents'] === true ? 'Orphan'
    : policies.find((policy) => policy === wanted);
  if (wanted !== undefined && wanted !== '' && propagation === undefined) {
    const supported = '"Foreground", "Background", "Orphan"';
    return badRequest(
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: '
      + `"${wanted}": supported values: ${supported}`,
    );
  }
  const dryRun = listOf(body['dryRun'])[0] ?? query.get('dryRun') ?? '';
  if (dryRun !== '' && dryRun !== 'All') {
    return badRequest(`invalid dryRun: ${JSON.stringify(dryRun)}: supported values: "All"`);
  }
  const { uid, resourceVersion } = objectOf(body['preconditions']) ?? {};
  const preconditions = {
    ...(typeof uid === 'string' && { uid }),
    ...(typeof resourceVersion === 'string' && { resourceVersion }),
  };
  return ok({
    request: {
      ...(body['preconditions'] !== undefined && { preconditions }),
      ...(seconds !== undefined && { gracePeriodSeconds: seconds }),
    },
    options: { dryRun: dryRun === 'All', ...(propagation !== undefined && { propagation }) },
  });
}

const policies = ['Background', 'Foreground', 'Orphan'] as const;
