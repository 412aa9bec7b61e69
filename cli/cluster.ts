import type { Command } from 'commander';
import { Option } from 'commander';
import type { RealKube } from '../kube/client.real.ts';
import type { KubeError, KubeObject } from '../kube/port.ts';
import type { Resource } from '../kube/resource.ts';
import { parseDuration } from '../sim/scenario/quantity.ts';
import { asked } from './asked.ts';
import type { Console } from './console.ts';
import { CommandEnd, exitCodes, usageError } from './exit.ts';
import { clusterAccess, type ClusterAccess, type KubeFlags } from './kubeconfig.ts';
import { clientVersion } from './version.ts';

/** The flags of a command that may ask a cluster. */
export interface LiveFlags extends KubeFlags {
  readonly timeout?: string;
}

export interface ListScope {
  readonly namespace?: string;
  readonly labelSelector?: string;
}

/** The objects of a live cluster. */
export interface ClusterReader {
  /** Name of the context, for people. */
  readonly name: string;
  /** Of the context, where no flag names one. */
  readonly namespace: string;
  /** Every object of a kind, or those in the scope. */
  list(resource: Resource, scope?: ListScope): Promise<readonly KubeObject[]>;
  /** As `list`; undefined where the cluster refuses for that reason. */
  listUnless(
    refusal: 'gone' | 'denied', resource: Resource, scope?: ListScope,
  ): Promise<readonly KubeObject[] | undefined>;
  close(): void;
}

/** Adds `--kubeconfig`, `--context`, `--as` and `--timeout`. */
export function withLive(command: Command): Command {
  return command
    .option('--kubeconfig <path>', 'file with clusters; default: KUBECONFIG, ~/.kube/config')
    .addOption(new Option('--context <name>', 'context of the kubeconfig')
      .env('FAIRLEAD_CONTEXT'))
    .option('--as <user>', 'on behalf of this user')
    .addOption(new Option('--timeout <duration>', 'total limit of what is asked')
      .default('30s').env('FAIRLEAD_TIMEOUT'));
}

/**
 * The cluster that flags and environment name, without having asked it anything. Undefined where
 * none is named. What it then refuses or does not answer ends the command with 3, verb and resource
 * named (interface.md 8).
 */
export async function connectCluster(
  flags: LiveFlags, console: Console,
): Promise<ClusterReader | undefined> {
  const limit = parseDuration(flags.timeout ?? '30s');
  if (limit === undefined) throw usageError(`--timeout takes 30s or 2m, not '${flags.timeout}'`);
  const access = await clusterAccess(flags, console.env);
  return access === undefined ? undefined : openCluster(access, performance.now() + limit / 1000);
}

/** Gives the cluster that is named to `body`; a command that has no other source needs one. */
export async function onCluster<T>(
  console: Console, flags: LiveFlags, body: (cluster: ClusterReader) => Promise<T>,
): Promise<T> {
  const cluster = await connectCluster(flags, console);
  if (cluster === undefined) {
    throw new CommandEnd(
      exitCodes.unreachable,
      'no cluster is named: give --kubeconfig, set KUBECONFIG, or answer from manifests with -f',
    );
  }
  try {
    return await body(cluster);
  } finally {
    cluster.close();
  }
}

async function openCluster(access: ClusterAccess, untilMs: number): Promise<ClusterReader> {
  const kube = await kubeOf(access);
  const list = async (resource: Resource, scope: ListScope = {}): Promise<Listed> => {
    const left = Math.max(1, Math.ceil(untilMs - performance.now()));
    const { namespace = '', ...options } = scope;
    const answer = await asked(kube, {
      verb: 'list', resource, namespace, options, timeout: left * 1000,
    });
    return answer.ok && answer.value.kind === 'list'
      ? { ok: true, items: answer.value.items }
      : { ok: false, error: answer.ok ? noList : answer.error };
  };
  const give = (resource: Resource, listed: Listed): readonly KubeObject[] => {
    if (listed.ok) return listed.items;
    throw refusedList(access, resource, listed.error);
  };
  return {
    name: access.name,
    namespace: access.namespace,
    list: async (resource, scope) => give(resource, await list(resource, scope)),
    listUnless: async (refusal, resource, scope) => {
      const listed = await list(resource, scope);
      return !listed.ok && listed.error.kind === refusal ? undefined : give(resource, listed);
    },
    close: () => { kube.close(); },
  };
}

type Listed =
  | { readonly ok: true; readonly items: readonly KubeObject[] }
  | { readonly ok: false; readonly error: KubeError };

const noList: KubeError = { kind: 'server', message: 'the answer is no list' };

/** The API of a cluster; whoever asks for it closes it. */
export async function kubeOf({ endpoint, credentials }: ClusterAccess): Promise<RealKube> {
  const { realKube } = await import('../kube/client.real.ts');
  return realKube({
    endpoints: [endpoint], credentials, userAgent: `fairlead/${clientVersion()}`,
  });
}

function refusedList(
  { name }: ClusterAccess, { plural, group }: Resource, { kind, message }: KubeError,
): CommandEnd {
  const what = group === '' ? plural : `${plural}.${group}`;
  const next = kind === 'denied' ? `; ask for the right to: kubectl auth can-i list ${what}` : '';
  const sentence = `cannot list ${what} of ${name}: ${message}${next}`;
  return new CommandEnd(exitCodes.unreachable, sentence);
}
