import type { KubeObject } from '../../kube/port.ts';
import { listOf, objectOf, textOf } from '../api/json.ts';

/** The addresses that the status of a Service names. */
export function addressesOf(service: KubeObject): string[] {
  const status = objectOf(objectOf(service['status'])?.['loadBalancer']) ?? {};
  return listOf(status['ingress']).flatMap((entry) => {
    const { ip, hostname } = objectOf(entry) ?? {};
    return textOf(ip) ?? textOf(hostname) ?? [];
  });
}
