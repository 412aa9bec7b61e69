import type { Condition, ConditionStatus } from './model.ts';

/** A condition as wanted; its transition time follows from what is stored. */
export interface WantedCondition {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number | undefined;
}

export interface ConditionOwnership {
  /** Every type that the writer may set; a type of these that is not wanted is removed. */
  readonly owned: readonly string[];
  /** RFC 3339, the transition time of conditions whose status changes. */
  readonly at: string;
}

export interface MergedConditions {
  readonly conditions: readonly Condition[];
  /** False: writing `conditions` would change nothing in meaning. */
  readonly changed: boolean;
}

/**
 * The stored list with the owned types as wanted: foreign conditions keep place and value, a type
 * stands once, and `lastTransitionTime` moves only with `status` (lb-ipam.md 10.3).
 */
export function mergeConditions(
  stored: readonly Condition[],
  wanted: readonly WantedCondition[],
  ownership: ConditionOwnership,
): MergedConditions {
  const open = new Map(wanted.map((condition) => [condition.type, condition]));
  const owned = new Set(ownership.owned);
  const merged: Condition[] = [];
  let changed = false;
  for (const condition of stored) {
    if (!owned.has(condition.type)) {
      merged.push(condition);
      continue;
    }
    const want = open.get(condition.type);
    // Taken from the open ones, so that a second condition of the type finds none and goes.
    open.delete(condition.type);
    if (want !== undefined && sameCondition(condition, want)) {
      merged.push(condition);
      continue;
    }
    changed = true;
    if (want !== undefined) merged.push(transition(condition, want, ownership.at));
  }
  for (const want of wanted) {
    if (!open.has(want.type)) continue;
    changed = true;
    merged.push({ ...want, lastTransitionTime: ownership.at });
  }
  return { conditions: merged, changed };
}

export function conditionOf(list: readonly Condition[], type: string): Condition | undefined {
  return list.find((condition) => condition.type === type);
}

function sameCondition(stored: Condition, want: WantedCondition): boolean {
  return stored.status === want.status && stored.reason === want.reason
    && stored.message === want.message
    && (stored.observedGeneration ?? 0) === (want.observedGeneration ?? 0);
}

function transition(stored: Condition, want: WantedCondition, at: string): Condition {
  const kept = stored.status === want.status ? stored.lastTransitionTime : undefined;
  return { ...want, lastTransitionTime: kept ?? at };
}
