import type { KubeError, KubeObject, KubePort } from '../kube/port.ts';
import { resources } from '../kube/resource.ts';
import { changedLease, closedAnnotation, l2Label, nodeOf } from '../l2/lease.ts';
import { ok, type Result } from '../lb/result.ts';
import { asked } from './asked.ts';
import type { Configuration } from './daemon/configuration.ts';
import { kubeClient } from './daemon/kubeclient.ts';

/** What became of a node's Leases. */
interface GivenUp {
  readonly count: number;
  /** Why some stay; undefined when none do. */
  readonly left: string | undefined;
}

const requestTimeout = 5_000_000;

/**
 * Closes or deletes the sessions of a node that answers nothing any more. One that still holds
 * addresses is closed, so that others take them at once (l2.md T2), and goes by rule L5; any other
 * is deleted. Where no API server is known, or none answers, that is all left to the controller.
 */
export async function giveUpLeases(
  node: string, { settings, values }: Configuration,
  env: Readonly<Record<string, string | undefined>>,
): Promise<GivenUp> {
  const client = kubeClient(values, env);
  if (!client.ok) return { count: 0, left: undefined };
  try {
    const given = await giveUp(client.value, { node, namespace: settings.namespace });
    if (given.ok) return { count: given.value, left: undefined };
    return { count: 0, left: `Leases (${given.error.message}; the controller removes them)` };
  } finally {
    client.value.close();
  }
}

async function giveUp(
  kube: KubePort, { node, namespace }: { readonly node: string; readonly namespace: string },
): Promise<Result<number, KubeError>> {
  const resource = resources.leases;
  const listed = await asked(kube, {
    verb: 'list', resource, namespace, options: { labelSelector: l2Label }, timeout: requestTimeout,
  });
  if (!listed.ok) return listed;
  const leases = listed.value.kind === 'list' ? listed.value.items : [];
  const locked = new Set(leases.filter((lease) => kindOf(lease) === 'lock').map(holderOf));
  const sessions = leases.filter((lease) => (
    kindOf(lease) === 'session' && nodeOf(holderOf(lease)) === node
  ));
  for (const lease of sessions) {
    const { name = '', uid, resourceVersion } = lease.metadata ?? {};
    const ref = { resource, namespace, name };
    const holder = holderOf(lease);
    const done = await asked(kube, locked.has(holder)
      ? {
        verb: 'update', ref, timeout: requestTimeout,
        body: changedLease(lease, {
          annotations: { [closedAnnotation]: `${holder} uninstalled` },
          spec: { holderIdentity: '' }, label: 'session',
        }),
      }
      : {
        verb: 'delete', ref, timeout: requestTimeout,
        preconditions: {
          ...(uid !== undefined && { uid }),
          ...(resourceVersion !== undefined && { resourceVersion }),
        },
      });
    if (!done.ok) return done;
  }
  return ok(sessions.length);
}

function kindOf({ metadata }: KubeObject): unknown {
  return (metadata?.['labels'] as Readonly<Record<string, unknown>> | undefined)?.[l2Label];
}

function holderOf(lease: KubeObject): string {
  const spec = lease['spec'] as Readonly<Record<string, unknown>> | undefined;
  const holder = spec?.['holderIdentity'];
  return typeof holder === 'string' ? holder : '';
}
