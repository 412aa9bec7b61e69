import type { Family } from './ip.ts';
import type { Node } from './model.ts';
import type { Micros } from './ports.ts';
import { formatMicroTime } from './time.ts';

/** How far the programming of one family is; times are of the wall clock. */
export interface FamilySync {
  /** Of the last completed sync; undefined before the first. */
  readonly updatedAt: Micros | undefined;
  /** Of the oldest change that no sync has completed since; undefined when there is none. */
  readonly queuedAt: Micros | undefined;
}

export const neverSynced: FamilySync = { updatedAt: undefined, queuedAt: undefined };

/** Notes a change that waits for a sync: the oldest one counts. */
export function changeQueued(sync: FamilySync, at: Micros): FamilySync {
  return sync.queuedAt === undefined ? { ...sync, queuedAt: at } : sync;
}

export function syncCompleted(at: Micros): FamilySync {
  return { updatedAt: at, queuedAt: undefined };
}

export interface ProxyFacts {
  readonly now: Micros;
  /** Time in which a queued change should be synced; twice as long is unhealthy. */
  readonly syncPeriod: Micros;
  readonly families: Readonly<Partial<Record<Family, FamilySync>>>;
  /** This node; undefined while it is not known, which is not held against it. */
  readonly node: Pick<Node, 'meta' | 'taints'> | undefined;
}

/** What `/healthz` or `/livez` say. */
export interface ProxyAnswer {
  readonly status: 200 | 503;
  readonly body: string;
}

export interface ProxyHealth {
  /** Every family is programmed in time: also `serviceProxyHealthy` of health check node ports. */
  readonly healthy: boolean;
  readonly healthz: ProxyAnswer;
  readonly livez: ProxyAnswer;
}

const leavingTaint = 'ToBeDeletedByClusterAutoscaler';

/**
 * Health of the node's proxy (datapath.md 14.4; KEP-3836). `/healthz` steers load balancers, so it
 * also fails on a node that is about to go; `/livez` asks whether the process should be restarted.
 */
export function proxyHealth(facts: ProxyFacts): ProxyHealth {
  const { now, syncPeriod, node } = facts;
  const families = (['IPv4', 'IPv6'] as const).flatMap((family) => {
    const sync = facts.families[family];
    if (sync === undefined) return [];
    const { queuedAt, updatedAt } = sync;
    const healthy = queuedAt === undefined || now - queuedAt < 2 * syncPeriod;
    return [{ family, healthy, updatedAt }];
  });
  const healthy = families.every((of) => of.healthy);
  const eligible = node === undefined
    || !(node.meta.deleting || node.taints.some(({ key }) => key === leavingTaint));
  // The report is as old as its oldest family.
  const updates = families.map(({ updatedAt }) => updatedAt ?? 0);
  const lastUpdated = formatMicroTime(Math.min(...updates));
  const common = { lastUpdated, currentTime: formatMicroTime(now) };
  const status = Object.fromEntries(families.map(({ family, healthy: of, updatedAt }) => [
    family, { lastUpdated: formatMicroTime(updatedAt ?? 0), healthy: of },
  ]));
  const well = healthy && eligible;
  return {
    healthy,
    healthz: {
      status: well ? 200 : 503,
      body: JSON.stringify({ ...common, nodeEligible: eligible, healthy: well, status }),
    },
    livez: { status: healthy ? 200 : 503, body: JSON.stringify({ ...common, healthy, status }) },
  };
}
