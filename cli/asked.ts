import type { KubeAnswer, KubeError, KubeObject, KubePort, KubeRequest } from '../kube/port.ts';
import type { Resource } from '../kube/resource.ts';
import { ok, type Result } from '../lb/result.ts';

/** One request, awaited. */
export function asked(
  kube: KubePort, request: KubeRequest,
): Promise<Result<KubeAnswer, KubeError>> {
  return new Promise((resolve) => {
    kube.request(request, resolve);
  });
}

const listTimeout = 5_000_000;

/** Every object of a kind; `namespace` empty: of all namespaces. */
export async function askedList(
  kube: KubePort, resource: Resource, namespace = '',
): Promise<Result<readonly KubeObject[], KubeError>> {
  const request = { verb: 'list', resource, namespace, options: {}, timeout: listTimeout } as const;
  const answer = await asked(kube, request);
  if (!answer.ok) return answer;
  return ok(answer.value.kind === 'list' ? answer.value.items : []);
}
