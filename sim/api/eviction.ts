import { err } from '../../lb/result.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import { budgetPods, countBudget, isHealthy, type BudgetCount } from './budget.ts';
import { specOf } from './builtin.ts';
import { objectOf } from './json.ts';
import { deletingSince } from './metadata.ts';
import type { Outcome } from './refusal.ts';

const workloads = [resources.replicaSets, resources.statefulSets, resources.deployments];

/** Where stored objects are read. */
export interface ObjectLister {
  list(resource: Resource): readonly KubeObject[];
}

/** Counts a budget over what is stored now. */
export function storedBudget(budget: KubeObject, store: ObjectLister): BudgetCount {
  const pods = budgetPods(budget, store.list(resources.pods)).filter((pod) => !isOver(pod));
  return countBudget(budget, pods, (uid) => wantedBy(uid, store));
}

function wantedBy(uid: string, store: ObjectLister): number | undefined {
  for (const resource of workloads) {
    const owner = store.list(resource).find((object) => object.metadata?.uid === uid);
    const replicas = specOf(owner)['replicas'];
    if (owner !== undefined) return typeof replicas === 'number' ? replicas : 1;
  }
  return undefined;
}

/**
 * Why a pod may not be evicted now, if it may not: 429 with the budget that its loss would violate
 * (A17). Pods that are over, going or not started yet pass; the count is taken at this instant, so
 * two evictions in one instant cannot both use the last disruption.
 */
export function evictionRefusal(
  pod: KubeObject, store: ObjectLister,
): Outcome<never> | undefined {
  const phase = objectOf(pod['status'])?.['phase'];
  if (isOver(pod) || phase === 'Pending' || deletingSince(pod) !== undefined) return undefined;
  const budgets = store.list(resources.disruptionBudgets).filter(
    (budget) => budgetPods(budget, [pod]).length > 0,
  );
  const [budget, second] = budgets;
  if (budget === undefined) return undefined;
  if (second !== undefined) {
    return err({
      kind: 'server', code: 500, reason: 'InternalError',
      message: 'This pod has more than one PodDisruptionBudget, '
        + 'which the eviction subresource does not support.',
    });
  }
  const count = storedBudget(budget, store);
  if (!isHealthy(pod) && leavesBudget(budget, count)) return undefined;
  if (count.disruptionsAllowed > 0) return undefined;
  const name = budget.metadata?.name ?? '';
  const { desiredHealthy, currentHealthy } = count;
  const why = `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has `
    + `${currentHealthy} currently`;
  return err({
    kind: 'throttled', code: 429, reason: 'TooManyRequests',
    message: 'Cannot evict pod as it would violate the pod\'s disruption budget.',
    causes: [{ path: '', message: why, reason: 'DisruptionBudget' }],
  });
}

// A pod that is not ready counts for nothing: it may go where the budget holds without it.
function leavesBudget(budget: KubeObject, count: BudgetCount): boolean {
  if (specOf(budget)['unhealthyPodEvictionPolicy'] === 'AlwaysAllow') return true;
  return count.desiredHealthy > 0 && count.currentHealthy >= count.desiredHealthy;
}

function isOver(pod: KubeObject): boolean {
  const phase = objectOf(pod['status'])?.['phase'];
  return phase === 'Succeeded' || phase === 'Failed';
}

/** What an eviction that was granted answers. */
export const evicted: KubeObject = {
  apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Success', code: 201,
};
