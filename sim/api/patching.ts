import { ok } from '../../lb/result.ts';
import type { KubeObject } from '../../kube/port.ts';
import { apiVersion } from '../../kube/resource.ts';
import { mergePatch } from './json.ts';
import { patchJson } from './jsonpatch.ts';
import { messageOfKind } from './message/catalog.ts';
import { unsupportedPatch, type Outcome } from './refusal.ts';
import type { PatchRequest, ScaleRequest } from './request.ts';
import { scaleOf } from './scale.ts';
import { strategicPatch } from './strategic.ts';

/** What a patch makes of the stored object, by its form (A8). */
export function patched(before: KubeObject, request: PatchRequest): Outcome<unknown> {
  const { verb, ref, body } = request;
  if (verb === 'json-patch') return patchJson(before, body);
  if (verb === 'patch') return ok(mergePatch(before, body));
  const message = messageOfKind(apiVersion(ref.resource), ref.resource.kind);
  return message === undefined ? unsupportedPatch() : strategicPatch(before, body, message);
}

/** The Scale that a write to `/scale` wants of a stored workload. */
export function patchedScale(before: KubeObject, request: ScaleRequest): Outcome<unknown> {
  const { verb, body } = request;
  if (verb === 'write-scale') return ok(body);
  const scale = scaleOf(before);
  return verb === 'patch-scale' ? ok(mergePatch(scale, body)) : patchJson(scale, body);
}
