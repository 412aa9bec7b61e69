import type { Taint } from '../../lb/model.ts';
import { count, text, type Fields } from './fields.ts';

export interface Toleration {
  /** Empty matches every key, with operator Exists only. */
  readonly key: string;
  readonly operator: 'Equal' | 'Exists';
  readonly value: string;
  /** Empty matches every effect. */
  readonly effect: string;
  /** Only for NoExecute; undefined tolerates for ever. */
  readonly seconds: number | undefined;
}

export const unreachableKey = 'node.kubernetes.io/unreachable';
export const notReadyKey = 'node.kubernetes.io/not-ready';
export const unschedulableKey = 'node.kubernetes.io/unschedulable';

export function tolerationOf(entry: Fields): Toleration {
  const seconds = entry['tolerationSeconds'];
  return {
    key: text(entry['key']),
    operator: entry['operator'] === 'Exists' ? 'Exists' : 'Equal',
    value: text(entry['value']),
    effect: text(entry['effect']),
    // Zero and negative numbers mean at once.
    seconds: typeof seconds === 'number' ? count(seconds, 0) : undefined,
  };
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== '' && toleration.effect !== taint.effect) return false;
  if (toleration.key === '') return toleration.operator === 'Exists';
  if (toleration.key !== taint.key) return false;
  return toleration.operator === 'Exists' || toleration.value === taint.value;
}

/** True when no taint keeps the pod from being placed. */
export function placeable(tolerations: readonly Toleration[], taints: readonly Taint[]): boolean {
  return taints.every((taint) => taint.effect !== 'NoSchedule' && taint.effect !== 'NoExecute'
    || tolerations.some((toleration) => tolerates(toleration, taint)));
}

/**
 * Seconds from the taint's arrival until the pod must go: 0 for at once, undefined for never. A pod
 * that names neither of the two node-condition taints is given `defaultSeconds` for them, as the
 * admission plug-in DefaultTolerationSeconds would have.
 */
export function evictionSeconds(
  tolerations: readonly Toleration[], taint: Taint, defaultSeconds: number,
): number | undefined {
  if (taint.effect !== 'NoExecute') return undefined;
  const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
  if (matching.length === 0) {
    const ofCondition = taint.key === unreachableKey || taint.key === notReadyKey;
    return ofCondition ? defaultSeconds : 0;
  }
  // The shortest of several matching ones counts; those without a limit count only alone.
  const limits = matching.flatMap(
    (toleration) => toleration.seconds === undefined ? [] : [toleration.seconds],
  );
  return limits.length === 0 ? undefined : Math.min(...limits);
}
