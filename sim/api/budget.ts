import type { Fault, Labels } from '../../lb/model.ts';
import {
  compileSelector, matchEverything, type LabelSelector, type Matcher,
} from '../../lb/selector.ts';
import type { KubeObject } from '../../kube/port.ts';
import { listOf, objectOf } from './json.ts';
import { labelsOf } from './matching.ts';
import { deletingSince } from './metadata.ts';

/** What a disruption budget of policy/v1 comes to, as its status shows it. */
export interface BudgetCount {
  readonly currentHealthy: number;
  readonly desiredHealthy: number;
  readonly disruptionsAllowed: number;
  readonly expectedPods: number;
}

/** The pods that a budget is about; none for a selector that is malformed. */
export function budgetPods(budget: KubeObject, pods: readonly KubeObject[]): readonly KubeObject[] {
  const matches = selectorOf(budget);
  const { namespace } = budget.metadata ?? {};
  return pods.filter((pod) => pod.metadata?.namespace === namespace && matches(labelsOf(pod)));
}

function selectorOf(budget: KubeObject): Matcher {
  const selector = objectOf(objectOf(budget['spec'])?.['selector']);
  if (selector === undefined) return () => false;
  if (Object.keys(selector).length === 0) return matchEverything;
  const compiled = compileSelector({
    matchLabels: (objectOf(selector['matchLabels']) ?? {}) as Labels,
    matchExpressions: listOf(
      selector['matchExpressions'],
    ) as LabelSelector['matchExpressions'],
  });
  return compiled.ok ? compiled.value : () => false;
}

/**
 * Counts a budget over its own pods. `wanted` tells how many pods the workload with that uid wants;
 * budgets in per cent and `maxUnavailable` are of that number, which differs from the pods that
 * are there now. A pod that is going counts as gone.
 */
export function countBudget(
  budget: KubeObject, pods: readonly KubeObject[],
  wanted: (owner: string) => number | undefined,
): BudgetCount {
  const spec = objectOf(budget['spec']) ?? {};
  const least = spec['minAvailable'];
  const absolute = typeof least === 'number';
  const expectedPods = absolute ? pods.length : expectedOf(pods, wanted);
  const currentHealthy = pods.filter(isHealthy).length;
  const desiredHealthy = least === undefined
    ? Math.max(0, expectedPods - amountOf(spec['maxUnavailable'], expectedPods))
    : amountOf(least, expectedPods);
  const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  return { currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods };
}

function expectedOf(
  pods: readonly KubeObject[], wanted: (owner: string) => number | undefined,
): number {
  const owners = new Set<string>();
  let alone = 0;
  for (const pod of pods) {
    const owner = controllerUid(pod);
    if (owner === undefined || wanted(owner) === undefined) alone += 1;
    else owners.add(owner);
  }
  return [...owners].reduce((sum, owner) => sum + (wanted(owner) ?? 0), alone);
}

function controllerUid(pod: KubeObject): string | undefined {
  for (const entry of listOf(pod.metadata?.['ownerReferences'])) {
    const owner = objectOf(entry) ?? {};
    if (owner['controller'] === true && typeof owner['uid'] === 'string') return owner['uid'];
  }
  return undefined;
}

// Per cent are rounded up, of what must stay and of what may go.
function amountOf(value: unknown, expectedPods: number): number {
  if (typeof value === 'number') return value;
  const [, percent] = /^(\d+)%$/u.exec(typeof value === 'string' ? value : '') ?? [];
  return percent === undefined ? 0 : Math.ceil((Number(percent) * expectedPods) / 100);
}

/** True for a pod that is ready and stays. */
export function isHealthy(pod: KubeObject): boolean {
  const conditions = listOf(objectOf(pod['status'])?.['conditions']);
  const ready = conditions.some((entry) => {
    const condition = objectOf(entry);
    return condition?.['type'] === 'Ready' && condition['status'] === 'True';
  });
  return ready && deletingSince(pod) === undefined;
}

/** What is wrong with the spec of a disruption budget (A10). */
export function budgetFaults(spec: Readonly<Record<string, unknown>>): Fault[] {
  const { minAvailable, maxUnavailable } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    const message = 'Invalid value: minAvailable and maxUnavailable cannot be both set';
    return [{ path: 'spec', message }];
  }
  return ['minAvailable', 'maxUnavailable'].flatMap((name) => {
    const value = spec[name];
    if (value === undefined || (typeof value === 'string' && /^\d+%$/u.test(value))) return [];
    if (typeof value === 'number' && value >= 0) return [];
    const rule = typeof value === 'number'
      ? 'must be greater than or equal to 0'
      : 'a valid percent string must be a numeric string followed by an ending \'%\'';
    return [{ path: `spec.${name}`, message: `Invalid value: ${JSON.stringify(value)}: ${rule}` }];
  });
}
