import type { Condition, ConditionStatus } from './model.ts';
import type { Micros } from './ports.ts';

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

const microsPerDay = 86_400_000_000;

/** `2026-01-01T00:00:00Z` of a wall-clock instant, cut to whole seconds as metav1.Time is. */
export function rfc3339(wall: Micros): string {
  const days = Math.floor(wall / microsPerDay);
  const seconds = Math.floor((wall - days * microsPerDay) / 1_000_000);
  const { year, month, day } = civilDate(days);
  const date = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
  const hour = Math.floor(seconds / 3600);
  const minute = Math.floor(seconds / 60) % 60;
  return `${date}T${pad(hour, 2)}:${pad(minute, 2)}:${pad(seconds % 60, 2)}Z`;
}

// The proleptic Gregorian calendar counted in eras of 400 years that begin on 1 March, so that the
// leap day is the last day of a year.
function civilDate(daysSinceEpoch: number): { year: number; month: number; day: number } {
  const shifted = daysSinceEpoch + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524)
    + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra
    - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function pad(number: number, width: number): string {
  return String(number).padStart(width, '0');
}
