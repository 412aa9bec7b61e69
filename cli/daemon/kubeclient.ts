import { readFileSync } from 'node:fs';
import { realKube, type RealKube } from '../../kube/client.real.ts';
import { parseEndpoint, type Endpoint } from '../../kube/endpoint.ts';
import { accountFiles, podEndpoint } from '../../kube/incluster.real.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { clientVersion } from '../version.ts';
import { textOf, textsOf } from './values.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The API of the cluster that this process serves: `kubernetes.*`, and what a pod finds in its
 * environment where they say nothing. The error is a sentence.
 */
export function kubeClient(
  values: Readonly<Record<string, unknown>>, env: Environment,
): Result<RealKube, string> {
  const given = textsOf(values['kubernetes.endpoints']);
  const inPod = podEndpoint(env);
  const texts = given.length > 0 || inPod === undefined ? given : [inPod];
  if (texts.length === 0) {
    return err('kubernetes.endpoints is empty and this is no pod: name an API server, host:port');
  }
  const endpoints: Endpoint[] = [];
  for (const [index, text] of texts.entries()) {
    const parsed = parseEndpoint(text);
    if (!parsed.ok) return err(`kubernetes.endpoints[${index}]: ${parsed.error}`);
    endpoints.push(parsed.value);
  }
  const files = accountFiles();
  const token = textOf(values['kubernetes.tokenFile']) ?? files.token;
  const authority = textOf(values['kubernetes.caFile']) ?? files.ca;
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
