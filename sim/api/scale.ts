import { err, ok } from '../../lb/result.ts';
import { formatSelector } from '../../lb/selector-text.ts';
import type { LabelSelector } from '../../lb/selector.ts';
import type { KubeObject, ObjectRef } from '../../kube/port.ts';
import { specOf } from './builtin.ts';
import { listOf, objectOf, textOf } from './json.ts';
import { badRequest, unknownResource, type Outcome } from './refusal.ts';

const scalable: readonly string[] = ['Deployment', 'ReplicaSet', 'StatefulSet'];

/** True for kinds that have a `/scale`. */
export function isScalable(kind: string): boolean {
  return scalable.includes(kind);
}

/** The autoscaling/v1 Scale of a workload (A17). */
export function scaleOf(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {};
  const spec = specOf(object);
  const status = objectOf(object['status']) ?? {};
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    // Parts of stored metadata.
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as never,
    spec: { replicas: spec['replicas'] ?? 0 },
    status: { replicas: status['replicas'] ?? 0, selector: selectorText(spec['selector']) },
  };
}

/** The workload as a written Scale wants it; a version in the Scale is the precondition. */
export function scaled(object: KubeObject, scale: unknown, ref: ObjectRef): Outcome<KubeObject> {
  const fields = objectOf(scale);
  if (fields === undefined) return badRequest('the patch does not leave a Scale');
  const replicas = objectOf(fields['spec'])?.['replicas'] ?? 0;
  if (typeof replicas !== 'number' || !Number.isSafeInteger(replicas) || replicas < 0) {
    const path = 'spec.replicas';
    const rule = 'must be greater than or equal to 0';
    const message = `Invalid value: ${JSON.stringify(replicas)}: ${rule}`;
    return err({
      kind: 'invalid', code: 422, reason: 'Invalid',
      message: `Scale.autoscaling "${ref.name}" is invalid: ${path}: ${message}`,
      causes: [{ path, message }],
    });
  }
  const resourceVersion = textOf(objectOf(fields['metadata'])?.['resourceVersion']) ?? '';
  const metadata = { ...object.metadata, resourceVersion };
  return ok({ ...object, metadata, spec: { ...specOf(object), replicas } });
}

/** 404 unless the kind has a `/scale`. */
export function refuseScale(ref: ObjectRef): Outcome<never> | undefined {
  return isScalable(ref.resource.kind) ? undefined : unknownResource();
}

function selectorText(value: unknown): string {
  const selector = objectOf(value) ?? {};
  return formatSelector({
    matchLabels: (objectOf(selector['matchLabels']) ?? {}) as LabelSelector['matchLabels'],
    matchExpressions: listOf(
      selector['matchExpressions'],
    ) as LabelSelector['matchExpressions'],
  });
}
