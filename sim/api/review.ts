import { ok } from '../../lb/result.ts';
import { formatTime } from '../../lb/time.ts';
import type { Micros } from '../../lb/ports.ts';
import type { KubeObject, ObjectRef } from '../../kube/port.ts';
import { specOf } from './builtin.ts';
import { objectOf } from './json.ts';
import { invalid, type Outcome } from './refusal.ts';

/** A question that is answered by its POST and stored nowhere. */
export interface ReviewKind {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const authorization = 'authorization.k8s.io';

/** Every review that is served, all in version v1 (A18). */
export const reviewKinds: readonly ReviewKind[] = [
  {
    group: 'authentication.k8s.io', plural: 'selfsubjectreviews', kind: 'SelfSubjectReview',
    namespaced: false,
  },
  {
    group: authorization, plural: 'selfsubjectaccessreviews', kind: 'SelfSubjectAccessReview',
    namespaced: false,
  },
  {
    group: authorization, plural: 'selfsubjectrulesreviews', kind: 'SelfSubjectRulesReview',
    namespaced: false,
  },
  {
    group: authorization, plural: 'subjectaccessreviews', kind: 'SubjectAccessReview',
    namespaced: false,
  },
];

const everything: readonly string[] = ['*'];

/** The review with its answer: whoever asks may do everything (A18). */
export function reviewed(kind: ReviewKind, body: KubeObject, user: string): KubeObject {
  const object: KubeObject = {
    kind: kind.kind,
    apiVersion: `${kind.group}/v1`,
    metadata: { creationTimestamp: null },
  };
  switch (kind.kind) {
    case 'SelfSubjectReview': {
      const groups = ['system:masters', 'system:authenticated'];
      return { ...object, status: { userInfo: { username: user, groups } } };
    }
    case 'SelfSubjectRulesReview': return {
      ...object,
      spec: {},
      status: {
        resourceRules: [{ verbs: everything, apiGroups: everything, resources: everything }],
        nonResourceRules: [{ verbs: everything, nonResourceURLs: everything }],
        incomplete: false,
      },
    };
    default: return { ...object, spec: specOf(body), status: { allowed: true } };
  }
}

const tokenSecondsDefault = 3600;
const tokenSecondsMin = 600;

/** The answer to a TokenRequest for a service account: a token by which the front knows it. */
export function grantedToken(
  account: ObjectRef, body: KubeObject, wall: Micros,
): Outcome<KubeObject> {
  const spec = specOf(body);
  const seconds = spec['expirationSeconds'] ?? tokenSecondsDefault;
  if (typeof seconds !== 'number' || seconds < tokenSecondsMin) {
    const rule = 'may not specify a duration less than 10 minutes';
    const message = `Invalid value: ${JSON.stringify(seconds)}: ${rule}`;
    return invalid(account, [{ path: 'spec.expirationSeconds', message }]);
  }
  const { namespace, name } = account;
  return ok({
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: formatTime(wall) },
    spec: { ...objectOf(spec), expirationSeconds: seconds },
    status: {
      token: `user:system:serviceaccount:${namespace}:${name}`,
      expirationTimestamp: formatTime(wall + seconds * 1_000_000),
    },
  });
}
