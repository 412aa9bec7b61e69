import { compareIp, type Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import { compareText } from '../../lb/table.ts';
import { formatDuration } from '../scenario/quantity.ts';
import type { Why } from './cause.ts';
import type { Failure } from './failure.ts';
import { median, mode } from './statistics.ts';
import type { Observation } from './whatif.ts';

/** One address under one failure, over all placements. */
export interface WhatIfRow {
  readonly service: string;
  readonly ip: string;
  /** The most frequent owner before and after. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly move: string;
  /** Undefined: it did not come back in the median, or in the worst placement. */
  readonly medianMs: number | undefined;
  readonly worstMs: number | undefined;
  readonly outage: string;
  /** Placements in which it never came back. */
  readonly neverRecovered: number;
  /** Of the worst placement. */
  readonly reason: Why['code'];
  readonly why: string;
  /** Every reason that was seen, most frequent first, with the number of placements. */
  readonly causes: readonly {
    readonly reason: Why['code'];
    readonly placements: number;
    readonly example: string;
  }[];
  /** Seed of the worst placement, to look at it closely. */
  readonly worstSeed: bigint;
}

export interface FailureSummary {
  readonly failure: Failure;
  readonly placements: number;
  readonly rows: readonly WhatIfRow[];
  readonly hints: readonly string[];
}

export interface SeededObservation extends Observation {
  readonly seed: bigint;
}

/** Groups what every placement showed, by Service and address. Pure. */
export function summarise(
  failure: Failure,
  observations: readonly SeededObservation[],
  placements: number,
): FailureSummary {
  const groups = new Map<string, SeededObservation[]>();
  for (const observation of observations) {
    const key = `${observation.service} ${observation.ip}`;
    groups.set(key, [...(groups.get(key) ?? []), observation]);
  }
  const rows = [...groups.values()].map(rowOf);
  rows.sort(
    (left, right) =>
      compareText(left.service, right.service) || compareIp(left.ip as Ip, right.ip as Ip),
  );
  return { failure, placements, rows, hints: [] };
}

// Never is longer than anything that ends.
function lengthOf(observation: Observation): Micros {
  return observation.outage ?? Number.MAX_SAFE_INTEGER;
}

function rowOf(seen: readonly SeededObservation[]): WhatIfRow {
  const sorted = [...seen].sort(
    (left, right) => lengthOf(left) - lengthOf(right) || Number(left.seed - right.seed),
  );
  const middle = median(sorted)?.outage;
  // Of equally bad placements the first seed is shown.
  const worst = sorted.find((one) => lengthOf(one) === lengthOf(sorted.at(-1) ?? one)) ?? sorted[0];
  const from = worst?.from;
  const to = worst?.to;
  const touched = seen.filter((one) => one.why.code === worst?.why.code).length;
  const share =
    touched < seen.length && worst?.why.code !== 'none'
      ? ` (${touched} of ${seen.length} placements)`
      : '';
  return {
    service: worst?.service ?? '',
    ip: worst?.ip ?? '',
    from,
    to,
    move: from === to ? (from ?? '-') : `${from ?? '-'} → ${to ?? '-'}`,
    medianMs: middle === undefined ? undefined : middle / 1000,
    worstMs: worst?.outage === undefined ? undefined : worst.outage / 1000,
    outage: seen.length === 1 ? oneText(middle) : outageText(middle, worst?.outage),
    neverRecovered: seen.filter((one) => one.outage === undefined).length,
    reason: worst?.why.code ?? 'none',
    why: `${worst?.why.text ?? ''}${share}`,
    causes: causesOf(seen),
    worstSeed: worst?.seed ?? 0n,
  };
}

function oneText(outage: Micros | undefined): string {
  if (outage === undefined) return 'never recovers';
  return outage === 0 ? 'none' : formatDuration(outage);
}

function outageText(middle: Micros | undefined, worst: Micros | undefined): string {
  if (worst === 0) return 'none';
  if (middle === undefined) return 'never recovers';
  return `${oneText(middle)} / ${oneText(worst)}`;
}

function causesOf(seen: readonly SeededObservation[]): WhatIfRow['causes'] {
  const codes = [...new Set(seen.map((one) => one.why.code))];
  const causes = codes.map((reason) => {
    const those = seen.filter((one) => one.why.code === reason);
    return {
      reason,
      placements: those.length,
      example: mode(those.map((one) => one.why.text)) ?? '',
    };
  });
  return causes.sort(
    (left, right) => right.placements - left.placements || compareText(left.reason, right.reason),
  );
}
