import test from 'ava';
import { base64Bytes } from '../../lb/base64.ts';
import { utf8Of } from '../../lb/utf8.ts';
import { protobufObject } from '../../sim/api/protobuf/body.ts';
import { verdict } from './fixture.ts';

type Fields = Record<string, unknown>;

// Bodies that kubectl 1.32 sent.
const reads = test.macro({
  exec: (t, _: string, body: string, type: string, content: Fields) => {
    const [apiVersion, kind] = type.split(' ');
    t.deepEqual(protobufObject(base64Bytes(body)), {
      ok: true, value: { apiVersion, kind, ...content },
    });
  },
  title: (_, command) => `6.4: the protobuf body of kubectl ${command} is read`,
});

test(reads, 'create namespace ns1', 'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhsKEwoDbnMxEgAaACIAKgAyADgAQgASABoCCgAaACIA', 'v1 Namespace', { metadata: { name: 'ns1' } });
test(reads, 'create secret generic s1 --from-literal=p=geheim', 'azhzAAoMCgJ2MRIGU2VjcmV0EiMKEgoCczESABoAIgAqADIAOABCABILCgFwEgZnZWhlaW0aABoAIgA=', 'v1 Secret', { metadata: { name: 's1' }, data: { p: 'Z2VoZWlt' } });
test(reads, 'create serviceaccount sa1', 'azhzAAoUCgJ2MRIOU2VydmljZUFjY291bnQSFQoTCgNzYTESABoAIgAqADIAOABCABoAIgA=', 'v1 ServiceAccount', { metadata: { name: 'sa1' } });
test(reads, 'create service loadbalancer lb1 --tcp=80:8080 --tcp=443:https', 'azhzAAoNCgJ2MRIHU2VydmljZRKQAQofCgNsYjESABoAIgAqADIAOABCAFoKCgNhcHASA2xiMRJpChsKBzgwLTgwODASA1RDUBhQIgcIABCQPxoAKAAKIgoJNDQzLWh0dHBzEgNUQ1AYuwMiCwgBEAAaBWh0dHBzKAASCgoDYXBwEgNsYjEaACIMTG9hZEJhbGFuY2VyOgBCAFIAWgBgAGgAGgIKABoAIgA=', 'v1 Service', { metadata: { name: 'lb1', labels: { app: 'lb1' } }, spec: { ports: [{ name: '80-8080', protocol: 'TCP', port: 80, targetPort: 8080 }, { name: '443-https', protocol: 'TCP', port: 443, targetPort: 'https' }], selector: { app: 'lb1' }, type: 'LoadBalancer' } });
test(reads, 'create service externalname ex --external-name a.example', 'azhzAAoNCgJ2MRIHU2VydmljZRJVCh0KAmV4EgAaACIAKgAyADgAQgBaCQoDYXBwEgJleBIwEgkKA2FwcBICZXgaACIMRXh0ZXJuYWxOYW1lOgBCAFIJYS5leGFtcGxlWgBgAGgAGgIKABoAIgA=', 'v1 Service', { metadata: { name: 'ex', labels: { app: 'ex' } }, spec: { selector: { app: 'ex' }, type: 'ExternalName', externalName: 'a.example' } });
test(reads, 'create deployment d1 --image=nginx --replicas=0 --port=80', 'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErQBCh0KAmQxEgAaACIAKgAyADgAQgBaCQoDYXBwEgJkMRKEAQgAEgsKCQoDYXBwEgJkMRprChsKABIAGgAiACoAMgA4AEIAWgkKA2FwcBICZDESTBIuCgVuZ2lueBIFbmdpbngqADIKCgAQABhQIgAqAEIAagByAIABAIgBAJABAKIBABoAMgBCAEoAUgBYAGAAaACCAQCKAQCaAQDCAQAiAgoAKAA4ABoMCAAQABgAIAAoADgAGgAiAA==', 'apps/v1 Deployment', { metadata: { name: 'd1', labels: { app: 'd1' } }, spec: { replicas: 0, selector: { matchLabels: { app: 'd1' } }, template: { metadata: { labels: { app: 'd1' } }, spec: { containers: [{ name: 'nginx', image: 'nginx', ports: [{ containerPort: 80 }] }] } } } });
test(reads, 'create rolebinding rb1 --role=r1 --user=u', 'azhzAAorChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEgtSb2xlQmluZGluZxJkChMKA3JiMRIAGgAiACoAMgA4AEIAEiYKBFVzZXISGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8aAXUiABolChlyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvEgRSb2xlGgJyMRoAIgA=', 'rbac.authorization.k8s.io/v1 RoleBinding', { metadata: { name: 'rb1' }, subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'u' }], roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r1' } });
test(reads, 'create clusterrolebinding cb --clusterrole=c1 --serviceaccount=default:sa1', 'azhzAAoyChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEhJDbHVzdGVyUm9sZUJpbmRpbmcSZAoSCgJjYhIAGgAiACoAMgA4AEIAEiAKDlNlcnZpY2VBY2NvdW50EgAaA3NhMSIHZGVmYXVsdBosChlyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvEgtDbHVzdGVyUm9sZRoCYzEaACIA', 'rbac.authorization.k8s.io/v1 ClusterRoleBinding', { metadata: { name: 'cb' }, subjects: [{ kind: 'ServiceAccount', name: 'sa1', namespace: 'default' }], roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'c1' } });
test(reads, 'create poddisruptionbudget p1 --selector=a=b --min-available=50%', 'azhzAAogCglwb2xpY3kvdjESE1BvZERpc3J1cHRpb25CdWRnZXQSNwoSCgJwMRIAGgAiACoAMgA4AEIAEhUKCQgBEAAaAzUwJRIICgYKAWESAWIaCggAGAAgACgAMAAaACIA', 'policy/v1 PodDisruptionBudget', { metadata: { name: 'p1' }, spec: { minAvailable: '50%', selector: { matchLabels: { a: 'b' } } } });
test(reads, 'auth can-i get pods', 'azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSPAoQCgASABoAIgAqADIAOABCABIeChwKB2RlZmF1bHQSA2dldBoAIgAqBHBvZHMyADoAGggIABIAGgAgABoAIgA=', 'authorization.k8s.io/v1 SelfSubjectAccessReview', { spec: { resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } } });
test(reads, 'auth can-i --list', 'azhzAAoxChdhdXRob3JpemF0aW9uLms4cy5pby92MRIWU2VsZlN1YmplY3RSdWxlc1JldmlldxIjChAKABIAGgAiACoAMgA4AEIAEgkKB2RlZmF1bHQaBBgAIgAaACIA', 'authorization.k8s.io/v1 SelfSubjectRulesReview', { spec: { namespace: 'default' } });
test(reads, 'auth whoami', 'azhzAAotChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESEVNlbGZTdWJqZWN0UmV2aWV3EhoKEAoAEgAaACIAKgAyADgAQgASBgoECgASABoAIgA=', 'authentication.k8s.io/v1 SelfSubjectReview', { });

/** A length-delimited field. */
const part = (number: number, ...content: number[]): number[] => (
  [(number << 3) | 2, content.length, ...content]
);
const words = (number: number, text: string): number[] => part(number, ...utf8Of(text));
const whole = (number: number, value: number): number[] => [number << 3, value];

/** A body of that kind around the bytes of its message. */
function body(type: string, content: readonly number[]): Uint8Array {
  const [apiVersion = '', kind = ''] = type.split(' ');
  const typeMeta = part(1, ...words(1, apiVersion), ...words(2, kind));
  return Uint8Array.from([...utf8Of('k8s\0'), ...typeMeta, ...part(2, ...content)]);
}

const decodes = test.macro({
  exec: (t, _: string, type: string, content: readonly number[], expected: Fields) => {
    const read = protobufObject(body(type, content));
    const [apiVersion, kind] = type.split(' ');
    t.deepEqual(read, { ok: true, value: { apiVersion, kind, ...expected } });
  },
  title: (_, claim) => `6.4: ${claim}`,
});

test(decodes, 'a pointer to zero is kept, a plain zero is not', 'apps/v1 Deployment', part(2, ...whole(1, 0), ...whole(5, 0)), { spec: { replicas: 0 } });
test(decodes, 'an empty message behind a pointer is kept', 'v1 Pod', part(2, ...part(1, ...words(1, 'v'), ...part(2, ...part(2)))), { spec: { volumes: [{ name: 'v', emptyDir: {} }] } });
test(decodes, 'fields of an inline message stand in the one around it', 'v1 Pod', part(2, ...part(2, ...words(1, 'c'), ...part(10, ...part(1, ...part(2, ...words(1, '/ready')))))), { spec: { containers: [{ name: 'c', livenessProbe: { httpGet: { path: '/ready' } } }] } });
test(decodes, 'seconds become a time, and no seconds none', 'v1 Node', part(1, ...part(8, ...whole(1, 60)), ...part(9)), { metadata: { creationTimestamp: '1970-01-01T00:01:00Z' } });
test(decodes, 'nanoseconds become microseconds', 'coordination.k8s.io/v1 Lease', part(2, ...words(1, 'me'), ...part(4, ...whole(1, 1), 0x10, 0xe8, 0x07)), { spec: { holderIdentity: 'me', renewTime: '1970-01-01T00:00:01.000001Z' } });
test(decodes, 'options of a deletion are read in every group', 'apps/v1 DeleteOptions', [...whole(1, 0), ...part(2, ...words(1, 'u')), ...words(4, 'Foreground')], { gracePeriodSeconds: 0, preconditions: { uid: 'u' }, propagationPolicy: 'Foreground' });
test(decodes, 'an eviction carries options of a deletion', 'policy/v1 Eviction', [...part(1, ...words(1, 'p'), ...words(3, 'd')), ...part(2, ...whole(1, 30))], { metadata: { name: 'p', namespace: 'd' }, deleteOptions: { gracePeriodSeconds: 30 } });
test(decodes, 'numbers may be negative', 'apps/v1 Deployment', part(2, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), { spec: { replicas: -1 } });
test(decodes, 'lists of numbers may be packed or not', 'v1 Pod', part(2, ...part(14, ...part(4, 1, 2), ...whole(4, 3))), { spec: { securityContext: { supplementalGroups: [1, 2, 3] } } });
test(decodes, 'fields that are newer than we are skipped', 'v1 ConfigMap', [...part(2, ...words(1, 'a'), ...words(2, 'b')), ...words(15, 'x'), 0x79, 1, 2, 3, 4, 5, 6, 7, 8], { data: { a: 'b' } });
test(decodes, 'bytes become base64, texts may hold any letter', 'v1 ConfigMap', [...part(2, ...words(1, 'k'), ...words(2, 'ä€😀')), ...part(3, ...words(1, 'b'), ...part(2, 0, 255))], { data: { k: 'ä€😀' }, binaryData: { b: 'AP8=' } });
test(decodes, 'quantities and mixed values become what JSON has', 'v1 Pod', part(2, ...part(2, ...words(1, 'c'), ...part(8, ...part(1, ...words(1, 'cpu'), ...part(2, ...words(1, '100m')))))), { spec: { containers: [{ name: 'c', resources: { limits: { cpu: '100m' } } }] } });
test(decodes, 'extra attributes of a user are lists', 'authorization.k8s.io/v1 SubjectAccessReview', part(2, ...words(3, 'u'), ...part(5, ...words(1, 'scopes'), ...part(2, ...words(1, 'a'), ...words(1, 'b')))), { spec: { user: 'u', extra: { scopes: ['a', 'b'] } } });

const refuses = test.macro({
  exec: (t, _: string, bytes: Uint8Array, expected: RegExp) => {
    t.regex(verdict(protobufObject(bytes) as never), expected);
  },
  title: (_, claim) => `6.4: ${claim} is refused`,
});

test(refuses, 'an empty body', new Uint8Array(), /no Kubernetes envelope/);
test(refuses, 'JSON', Uint8Array.from(utf8Of('{"kind":"Pod"}')), /no Kubernetes envelope/);
test(refuses, 'a message that we do not know', body('batch/v1 Job', []), /the protobuf message Job of batch\/v1 is not known here; send JSON/);
test(refuses, 'a version that we do not know', body('apps/v1beta1 Deployment', []), /not known here/);
test(refuses, 'a definition, whose schemas have an encoding of their own', body('apiextensions.k8s.io/v1 CustomResourceDefinition', []), /not known here/);
test(refuses, 'a message that is cut off', body('v1 Pod', [0x0a, 9, 1]), /is no Pod of v1/);
test(refuses, 'a text where a number belongs', body('apps/v1 Deployment', part(2, ...words(1, 'two'))), /is no Deployment/);
test(refuses, 'a field with number zero', body('v1 Pod', [0x02, 0]), /is no Pod/);
test(refuses, 'a number without end', body('apps/v1 Deployment', part(2, 0x08, ...Array<number>(11).fill(0xff))), /is no Deployment/);
test(refuses, 'owned fields that are no JSON', body('v1 Pod', part(1, ...part(17, ...part(7, ...words(1, '{'))))), /is no Pod/);

test('6.4: no part of a body ends the process', (t) => {
  const bytes = body('v1 Pod', part(2, ...part(2, ...words(1, 'c'), ...words(2, 'i'))));
  for (let length = 0; length < bytes.length; length += 1) {
    const read = protobufObject(bytes.subarray(0, length));
    t.true(!read.ok || !('spec' in read.value), `${length} bytes`);
  }
});
