import type { Authorization, KubeCredentials } from '../kube/credentials.ts';
import {
  pathIn, pemIn, readText, refuseFaults, textIn, unusable, type ConfigEntry,
} from './configentry.ts';

/** What a user of a kubeconfig shows the server. Plug-ins run here, with a terminal for them. */
export async function userCredentials(entry: ConfigEntry): Promise<KubeCredentials> {
  const { body } = entry;
  const certificate = pemIn(entry, 'client-certificate');
  const key = pemIn(entry, 'client-key');
  if (certificate !== undefined && key === undefined) textIn(entry, 'client-key');
  const plugged = body.child('exec') !== undefined || body.child('auth-provider') !== undefined;
  const authorization = fixedAuthorization(entry);
  const impersonate = body.text('as');
  for (const other of ['as-groups', 'as-uid', 'as-user-extra']) {
    if (body.raw(other) !== undefined) body.refuse(other, 'is not supported, only `as` is');
  }
  refuseFaults(entry);
  return {
    ...(certificate !== undefined && key !== undefined && { client: { certificate, key } }),
    ...(plugged && authorization === undefined && await pluginCredentials(entry)),
    ...(authorization !== undefined && { authorization }),
    ...(impersonate !== undefined && { impersonate }),
  };
}

// A file wins over a token that stands beside it, as in client-go.
function fixedAuthorization(entry: ConfigEntry): Authorization | undefined {
  const { body } = entry;
  const path = pathIn(entry, 'tokenFile');
  if (path !== undefined) {
    const text = readText(path);
    if (!text.ok) body.refuse('tokenFile', text.why);
    return { kind: 'token-file', path };
  }
  const token = body.text('token');
  if (token !== undefined && token !== '') return { kind: 'fixed', header: `Bearer ${token}` };
  const name = body.text('username');
  if (name === undefined || name === '') return undefined;
  const basic = Buffer.from(`${name}:${body.text('password') ?? ''}`).toString('base64');
  return { kind: 'fixed', header: `Basic ${basic}` };
}

/**
 * Credentials from a program (`exec`) or a provider (`auth-provider`), by the official client. Its
 * import costs a third of a second and 85 MiB, so that only who needs it pays.
 */
async function pluginCredentials(entry: ConfigEntry): Promise<KubeCredentials> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  const user = {
    name: entry.name, exec: execOf(entry), authProvider: entry.body.raw('auth-provider'),
  };
  // It wants a cluster, which plays no part in what a plug-in says.
  config.loadFromClusterAndUser(
    { name: 'cluster', server: 'https://localhost', skipTLSVerify: false }, user,
  );
  const options: PluginOptions = { headers: {} };
  try {
    await config.applyToHTTPSOptions(options as Parameters<typeof config.applyToHTTPSOptions>[0]);
  } catch (error) {
    const why = error instanceof Error ? error.message.trim() : String(error);
    throw unusable(`${entry.file}: user ${entry.name}: no credentials from its plug-in: ${why}`);
  }
  const header = options.headers['Authorization'];
  const { cert, key } = options;
  if (header === undefined && cert === undefined) {
    throw unusable(`${entry.file}: user ${entry.name}: its plug-in gave no credentials`);
  }
  return {
    ...(header !== undefined && { authorization: { kind: 'fixed', header } }),
    ...(cert !== undefined && key !== undefined && {
      client: { certificate: cert.toString(), key: key.toString() },
    }),
  };
}

/** What the official client writes into the options of a request. */
interface PluginOptions {
  readonly headers: Record<string, string>;
  cert?: string | Buffer;
  key?: string | Buffer;
}

// The official client leaves out KUBERNETES_EXEC_INFO, without which some plug-ins refuse to run,
// and resolves no relative command.
function execOf(entry: ConfigEntry): unknown {
  const exec = entry.body.child('exec');
  if (exec === undefined) return undefined;
  const command = exec.text('command') ?? '';
  const apiVersion = exec.text('apiVersion') ?? '';
  if (command === '') exec.refuse('command', 'expected text, got nothing');
  const env = exec.items('env', (item) => (
    { name: item.text('name') ?? '', value: item.text('value') ?? '' }
  ));
  const args = exec.texts('args');
  refuseFaults(entry);
  const about = { kind: 'ExecCredential', apiVersion, spec: { interactive: false } };
  const program = command.includes('/')
    ? pathIn({ ...entry, body: exec }, 'command') ?? command : command;
  return {
    command: program, args, apiVersion,
    env: [...env, { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(about) }],
  };
}
