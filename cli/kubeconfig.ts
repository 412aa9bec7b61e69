import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { KubeCredentials } from '../kube/credentials.ts';
import { parseEndpoint, type Endpoint } from '../kube/endpoint.ts';
import { accountFiles, podEndpoint } from '../kube/incluster.real.ts';
import { Reader } from '../kube/reader.ts';
import type { Fault } from '../lb/model.ts';
import {
  pemIn, readText, refuseFaults, textIn, unusable, type ConfigEntry,
} from './configentry.ts';
import { userCredentials } from './kubeuser.ts';

/** The flags that say which cluster is asked, as kubectl has them. */
export interface KubeFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  /** User on whose behalf everything is asked. */
  readonly as?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A cluster and how to speak to it. */
export interface ClusterAccess {
  /** Name of the context; `in-cluster` in a pod. */
  readonly name: string;
  readonly namespace: string;
  readonly endpoint: Endpoint;
  readonly credentials: KubeCredentials;
}

/**
 * The cluster that the flags, KUBECONFIG, `~/.kube/config` or the pod's own environment name, in
 * this order. Of several files in KUBECONFIG the first that has a name wins, as in kubectl; the
 * library's own merge refuses a name that stands twice. Undefined: none is named anywhere. Ends the
 * command with 3, file and field where one is named and cannot be used.
 */
export async function clusterAccess(
  flags: KubeFlags, env: Environment,
): Promise<ClusterAccess | undefined> {
  const files: ConfigFile[] = [];
  for (const path of configPaths(flags, env)) files.push(await readConfig(path));
  if (files.length === 0) {
    if (flags.context !== undefined) throw unusable(`no kubeconfig has context ${flags.context}`);
    const { KUBECONFIG: paths = '' } = env;
    if (paths !== '') throw unusable(`KUBECONFIG: ${paths} does not exist`);
    return accessOfPod(flags, env);
  }
  const named = flags.context ?? firstOf(files, ({ current }) => current);
  if (named === undefined) throw unusable(`${pathsOf(files)}: current-context: expected text`);
  const context = entryNamed(files, 'contexts', named);
  const clusterName = textIn(context, 'cluster');
  const userName = context.body.text('user');
  const cluster = entryNamed(files, 'clusters', clusterName);
  const endpoint = endpointOf(cluster);
  const user = userName === undefined || userName === ''
    ? {} : await userCredentials(entryNamed(files, 'users', userName));
  const namespace = context.body.text('namespace') ?? 'default';
  const credentials = {
    ...clusterCredentials(cluster), ...user,
    ...(flags.as !== undefined && { impersonate: flags.as }),
  };
  for (const entry of [context, cluster]) refuseFaults(entry);
  return { name: named, namespace, endpoint, credentials };
}

interface ConfigFile {
  readonly path: string;
  readonly current: string | undefined;
  readonly clusters: readonly ConfigEntry[];
  readonly contexts: readonly ConfigEntry[];
  readonly users: readonly ConfigEntry[];
}

type Section = 'clusters' | 'contexts' | 'users';

function configPaths({ kubeconfig }: KubeFlags, env: Environment): readonly string[] {
  // A file that is named by the flag has to be there; the others are used as far as they are.
  if (kubeconfig !== undefined) return [kubeconfig];
  const { KUBECONFIG = '', HOME = '' } = env;
  const usual = HOME === '' ? [] : [join(HOME, '.kube', 'config')];
  const named = KUBECONFIG.split(delimiter).filter((path) => path !== '');
  return (named.length > 0 ? named : usual).filter((path) => existsSync(path));
}

async function readConfig(path: string): Promise<ConfigFile> {
  const root = await readRoot(path);
  const section = (name: Section, part: string): ConfigEntry[] => (
    root.reader.items(name, (item) => {
      const text = item.text('name');
      const body = item.child(part);
      if (text === undefined || body === undefined) return undefined;
      return { name: text, file: path, body, faults: root.faults };
    })
  );
  const current = root.reader.text('current-context');
  return {
    path,
    current: current === '' ? undefined : current,
    clusters: section('clusters', 'cluster'),
    contexts: section('contexts', 'context'),
    users: section('users', 'user'),
  };
}

async function readRoot(path: string): Promise<{ reader: Reader; faults: Fault[] }> {
  const text = readText(path);
  if (!text.ok) throw unusable(`--kubeconfig: ${text.why}`);
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(text.text, { logLevel: 'error' }) as unknown;
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw unusable(`${path}: ${why}`);
  }
  const faults: Fault[] = [];
  const reader = Reader.of(value, faults);
  if (reader === undefined) throw unusable(`${path}: ${faults[0]?.message}`);
  return { reader, faults };
}

function entryNamed(
  files: readonly ConfigFile[], section: Section, name: string,
): ConfigEntry {
  const entries = files.flatMap((file) => file[section]);
  const found = entries.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const known = entries.map((entry) => entry.name).join(', ');
  const kind = section.slice(0, -1);
  throw unusable(`${pathsOf(files)}: ${section}: no ${kind} ${name}; there are ${known || 'none'}`);
}

function firstOf(
  files: readonly ConfigFile[], pick: (file: ConfigFile) => string | undefined,
): string | undefined {
  for (const file of files) {
    const value = pick(file);
    if (value !== undefined) return value;
  }
  return undefined;
}

function pathsOf(files: readonly ConfigFile[]): string {
  return files.map(({ path }) => path).join(', ');
}

function endpointOf(entry: ConfigEntry): Endpoint {
  const parsed = parseEndpoint(textIn(entry, 'server'));
  if (parsed.ok) return parsed.value;
  entry.body.refuse('server', parsed.error);
  refuseFaults(entry);
  throw unusable(`${entry.file}: ${parsed.error}`);
}

function clusterCredentials(entry: ConfigEntry): KubeCredentials {
  const { body } = entry;
  const ca = pemIn(entry, 'certificate-authority');
  const serverName = body.text('tls-server-name');
  const insecure = body.flag('insecure-skip-tls-verify') === true;
  const proxy = body.text('proxy-url');
  if (proxy !== undefined && !/^(?:https?|socks5):\/\/[^/]/u.test(proxy)) {
    body.refuse('proxy-url', `expected a URL of http, https or socks5, got '${proxy}'`);
  }
  return {
    ...(ca !== undefined && { ca }),
    ...(serverName !== undefined && serverName !== '' && { serverName }),
    ...(insecure && { insecure }),
    ...(proxy !== undefined && { proxy }),
  };
}

function accessOfPod(flags: KubeFlags, env: Environment): ClusterAccess | undefined {
  const endpoint = podEndpoint(env);
  if (endpoint === undefined) return undefined;
  const files = accountFiles();
  const parsed = parseEndpoint(endpoint);
  if (!parsed.ok) throw unusable(`KUBERNETES_SERVICE_HOST: ${parsed.error}`);
  const content = (path: string | undefined): string | undefined => {
    const text = path === undefined ? undefined : readText(path);
    return text?.ok === true ? text.text.trim() : undefined;
  };
  const ca = content(files.ca);
  return {
    name: 'in-cluster',
    namespace: content(files.namespace) ?? 'default',
    endpoint: parsed.value,
    credentials: {
      ...(ca !== undefined && { ca }),
      ...(files.token !== undefined && {
        authorization: { kind: 'token-file', path: files.token },
      }),
      ...(flags.as !== undefined && { impersonate: flags.as }),
    },
  };
}
