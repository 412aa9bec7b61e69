import { existsSync } from 'node:fs';
import { join } from 'node:path';

const account = '/var/run/secrets/kubernetes.io/serviceaccount';

/** How a pod reaches the API of its cluster: what the kubelet put there. */
export interface PodAccess {
  /** `host:port` of the Service `kubernetes`. */
  readonly endpoint: string;
  /** Absent in a pod without a ServiceAccount. */
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly namespaceFile?: string;
}

/** Undefined outside of a pod. `folder` is where the ServiceAccount is mounted. */
export function podAccess(
  env: Readonly<Record<string, string | undefined>>, folder = account,
): PodAccess | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === undefined || host === '') return undefined;
  const file = (name: string): string | undefined => {
    const path = join(folder, name);
    return existsSync(path) ? path : undefined;
  };
  const [tokenFile, caFile, namespaceFile] = [file('token'), file('ca.crt'), file('namespace')];
  return {
    endpoint: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    ...(tokenFile !== undefined && { tokenFile }),
    ...(caFile !== undefined && { caFile }),
    ...(namespaceFile !== undefined && { namespaceFile }),
  };
}
