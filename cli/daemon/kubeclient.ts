import { existsSync, readFileSync } from 'node:fs';
import { realKube, type RealKube } from '../../kube/client.real.ts';
import { parseEndpoint, type Endpoint } from '../../kube/endpoint.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { clientVersion } from '../version.ts';
import { textOf, textsOf } from './values.ts';

const account = '/var/run/secrets/kubernetes.io/serviceaccount';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The API of the cluster that this process serves: `kubernetes.*`, and what a pod finds in its
 * environment where they say nothing. The error is a sentence.
 */
export function kubeClient(
  values: Readonly<Record<string, unknown>>, env: Environment,
): Result<RealKube, string> {
  const given = textsOf(values['kubernetes.endpoints']);
  const texts = given.length > 0 ? given : inCluster(env);
  if (texts.length === 0) {
    return err('kubernetes.endpoints is empty and this is no pod: name an API server, host:port');
  }
  const endpoints: Endpoint[] = [];
  for (const text of texts) {
    const parsed = parseEndpoint(text);
    if (!parsed.ok) return err(`kubernetes.endpoints: ${parsed.error}`);
    endpoints.push(parsed.value);
  }
  const token = fileOf(textOf(values['kubernetes.tokenFile']), 'token');
  const authority = fileOf(textOf(values['kubernetes.caFile']), 'ca.crt');
  try {
    return ok(realKube({
      endpoints, userAgent: `fairlead/${clientVersion()}`,
      credentials: {
        ...(authority === undefined ? {} : { ca: readFileSync(authority, 'utf8') }),
        ...(token === undefined ? {} : { authorization: { kind: 'token-file', path: token } }),
      },
    }));
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

function inCluster(env: Environment): readonly string[] {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === undefined || host === '') return [];
  return [host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`];
}

function fileOf(given: string | undefined, name: string): string | undefined {
  const usual = `${account}/${name}`;
  return given ?? (existsSync(usual) ? usual : undefined);
}
