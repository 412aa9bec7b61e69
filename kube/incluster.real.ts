import { existsSync } from 'node:fs';
import { join } from 'node:path';

const account = '/var/run/secrets/kubernetes.io/serviceaccount';

/** What the kubelet mounts for a pod's ServiceAccount; a path is absent where no file is. */
export interface AccountFiles {
  readonly token?: string;
  readonly ca?: string;
  readonly namespace?: string;
}

/** `folder` is where the ServiceAccount is mounted. */
export function accountFiles(folder = account): AccountFiles {
  const file = (name: string): string | undefined => {
    const path = join(folder, name);
    return existsSync(path) ? path : undefined;
  };
  const [token, ca, namespace] = [file('token'), file('ca.crt'), file('namespace')];
  return {
    ...(token !== undefined && { token }),
    ...(ca !== undefined && { ca }),
    ...(namespace !== undefined && { namespace }),
  };
}

/** `host:port` of the API as the kubelet tells every pod; undefined outside of one. */
export function podEndpoint(
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === undefined || host === '') return undefined;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
