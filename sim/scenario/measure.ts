import type { Micros } from '../../lb/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { TrafficLine } from '../net/client.ts';
import type { Bound, ProbeMeasure, WritesMeasure } from './spec.ts';
import { formatDuration } from './quantity.ts';
import type { ExpectationVerdict } from './verdict.ts';

/** Judges what the clients saw since `from`, and what the API server was asked per minute. */
export function measure(
  cluster: Cluster,
  measures: readonly (ProbeMeasure | WritesMeasure)[],
  from: Micros,
): ExpectationVerdict[] {
  return measures.flatMap((wanted) =>
    wanted.kind === 'probe' ? probe(cluster, wanted, from) : [writes(cluster, wanted, from)],
  );
}

export interface OutageFigures {
  readonly longest: Micros;
  readonly total: Micros;
  /** From the first failure to the next success; 0 without a failure. */
  readonly recovery: Micros;
}

/** What one line suffered since `from`; an outage that lasts counts up to now. */
export function outageFigures(line: TrafficLine, from: Micros, now: Micros): OutageFigures {
  const outages = line.outages.outages.filter((outage) => (outage.until ?? now) > from);
  const lengths = outages.map((outage) => (outage.until ?? now) - Math.max(from, outage.from));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return { longest: Math.max(0, ...lengths), total, recovery: lengths[0] ?? 0 };
}

function probe(cluster: Cluster, wanted: ProbeMeasure, from: Micros): ExpectationVerdict[] {
  const line = cluster.traffic.line(wanted.probe);
  const figures = outageFigures(line, from, cluster.world.now);
  const verdicts: ExpectationVerdict[] = [];
  const atMost = (name: string, found: Micros, bound: Micros | undefined): void => {
    if (bound === undefined) return;
    const message =
      found <= bound ? '' : `${formatDuration(found)} instead of at most ${formatDuration(bound)}`;
    verdicts.push({ name: `${wanted.probe} ${name}`, passed: found <= bound, message });
  };
  atMost('outage max', figures.longest, wanted.outageMax);
  atMost('outage total', figures.total, wanted.outageTotal);
  atMost('recovery max', figures.recovery, wanted.recoveryMax);
  if (wanted.outageMin !== undefined) {
    const passed = figures.longest >= wanted.outageMin;
    const message = passed
      ? ''
      : `${formatDuration(figures.longest)}, not at least ${formatDuration(wanted.outageMin)}`;
    verdicts.push({ name: `${wanted.probe} outage min`, passed, message });
  }
  if (wanted.brokenFlowsMax !== undefined)
    verdicts.push(brokenFlows(cluster, { line, bound: wanted.brokenFlowsMax, from }));
  return verdicts;
}

interface Broken {
  readonly line: TrafficLine;
  readonly bound: Bound;
  readonly from: Micros;
}

function brokenFlows(cluster: Cluster, { line, bound, from }: Broken): ExpectationVerdict {
  const broken = line.failures.filter(
    (record) => record.flow !== undefined && record.startedAt >= from,
  ).length;
  const allowed =
    bound.kind === 'count' ? bound.count : cluster.traffic.flowsLostWith(line.name, bound.node);
  const passed = broken <= allowed;
  return {
    name: `${line.name} broken flows`,
    passed,
    message: passed ? '' : `${broken} instead of at most ${allowed}`,
  };
}

// A minute that was cut by the start of the measurement counts whole: that can only be stricter.
function writes(cluster: Cluster, wanted: WritesMeasure, from: Micros): ExpectationVerdict {
  const perMinute = new Map<number, number>();
  for (const row of cluster.api.statistics()) {
    const ours = row.user.startsWith('agent/') || row.user.startsWith('controller/');
    if (ours && row.minute * 60_000_000 >= from) {
      perMinute.set(row.minute, (perMinute.get(row.minute) ?? 0) + row.commits + row.unchanged);
    }
  }
  const worst = Math.max(0, ...perMinute.values());
  const passed = worst <= wanted.perMinuteMax;
  return {
    name: 'api writes per minute',
    passed,
    message: passed ? '' : `${worst} instead of at most ${wanted.perMinuteMax}`,
  };
}
