import type { Family } from '../ip.ts';
import type { Micros } from '../ports.ts';
import { addressFamily, spanSize, type Address } from './address.ts';
import type { Planner } from './planner.ts';
import { poolCounts } from './poolstatus.ts';
import type { PoolState } from './poolstate.ts';
import { wantedStatus } from './servicestatus.ts';
import { satisfiedType, nodeSatisfiedType } from './entry.ts';

/** Addresses of a pool and family by state; exact, of any size. */
export interface PoolGauge {
  readonly pool: string;
  readonly family: Family;
  readonly total: bigint;
  readonly used: bigint;
  readonly reserved: bigint;
  readonly available: bigint;
}

/** Observations by upper bound, `counts` one longer than `bounds` for what exceeds them all. */
export interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum: number;
}

/** Everything that lb-ipam.md 10.6 exports, as plain values; names are the exporter's. */
export interface IpamMetrics {
  readonly pools: readonly PoolGauge[];
  /** Pool name → in conflict, invalid. */
  readonly conflicting: readonly { readonly pool: string; readonly value: boolean }[];
  readonly invalid: readonly { readonly pool: string; readonly value: boolean }[];
  readonly servicesUnsatisfied: readonly { readonly reason: string; readonly count: number }[];
  readonly servicesUnclaimed: number;
  readonly servicesMatching: number;
  readonly allocationFailures: readonly { readonly reason: string; readonly count: number }[];
  readonly statusWrites: readonly StatusWriteCount[];
  readonly planSeconds: Histogram;
  readonly adoptionSeconds: Histogram;
  readonly batchEvents: Histogram;
}

export interface StatusWriteCount {
  readonly resource: 'services' | 'ciliumloadbalancerippools';
  readonly result: string;
  readonly count: number;
}

const secondBounds: readonly number[] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const eventBounds: readonly number[] = [1, 3, 10, 30, 100, 300, 1000, 10_000, 100_000];

/** The counters and histograms of one run; gauges are read from the planner. */
export class IpamCounters {
  readonly planSeconds = emptyHistogram(secondBounds);
  readonly adoptionSeconds = emptyHistogram(secondBounds);
  readonly batchEvents = emptyHistogram(eventBounds);
  #failures = new Map<string, number>();
  #writes = new Map<string, StatusWriteCount>();

  failed(reason: string): void {
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
  }

  wrote(resource: StatusWriteCount['resource'], result: string): void {
    const key = `${resource} ${result}`;
    const count = (this.#writes.get(key)?.count ?? 0) + 1;
    this.#writes.set(key, { resource, result, count });
  }

  planned(batch: { took: Micros; events: number; initial: boolean }): void {
    observe(this.planSeconds, batch.took / 1_000_000);
    observe(this.batchEvents, batch.events);
    if (batch.initial) observe(this.adoptionSeconds, batch.took / 1_000_000);
  }

  /** The metrics as of now; before the first plan there is no planner. */
  read(planner: Planner | undefined): IpamMetrics {
    const pools = planner?.space.pools ?? [];
    const { planSeconds, adoptionSeconds, batchEvents } = this;
    return {
      pools: planner === undefined ? [] : pools.flatMap((pool) => gauges(pool, planner)),
      conflicting: pools.map((pool) => ({ pool: pool.name, value: pool.conflict !== undefined })),
      invalid: pools.map((pool) => ({ pool: pool.name, value: pool.judgement.kind === 'invalid' })),
      ...serviceGauges(planner),
      allocationFailures: sortedByName([...this.#failures]
        .map(([reason, count]) => ({ name: reason, reason, count }))),
      statusWrites: [...this.#writes.values()],
      planSeconds, adoptionSeconds, batchEvents,
    };
  }
}

function serviceGauges(
  planner: Planner | undefined,
): Pick<IpamMetrics, 'servicesUnsatisfied' | 'servicesUnclaimed' | 'servicesMatching'> {
  const unsatisfied = new Map<string, number>();
  let servicesUnclaimed = 0;
  let servicesMatching = 0;
  for (const entry of planner?.entries.values() ?? []) {
    if (entry.claimed) servicesMatching += 1;
    else if (entry.inputs.ownership.kind === 'lbipam') servicesUnclaimed += 1;
    if (!entry.claimed || planner === undefined) continue;
    const reason = wantedStatus(entry, planner, planner.settings)?.conditions.find((condition) => {
      return condition.status === 'False'
        && (condition.type === satisfiedType || condition.type === nodeSatisfiedType);
    })?.reason;
    if (reason !== undefined) unsatisfied.set(reason, (unsatisfied.get(reason) ?? 0) + 1);
  }
  const servicesUnsatisfied = sortedByName([...unsatisfied]
    .map(([reason, count]) => ({ name: reason, reason, count })));
  return { servicesUnsatisfied, servicesUnclaimed, servicesMatching };
}

function sortedByName<T extends { readonly name: string }>(rows: T[]): readonly Omit<T, 'name'>[] {
  return rows.sort((left, right) => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0))
    .map(({ name: _name, ...row }) => row);
}

function gauges(pool: PoolState, planner: Planner): readonly PoolGauge[] {
  const { config } = pool;
  if (config === undefined || poolCounts(pool, planner.ledger) === undefined) return [];
  const held = planner.ledger.heldBy(pool.name);
  return (['IPv4', 'IPv6'] as const).filter((family) => pool.hasFamily(family)).map((family) => {
    const ours = (address: Address): boolean => addressFamily(address) === family;
    const total = config.covered.filter((span) => ours(span.first))
      .reduce((sum, span) => sum + spanSize(span), 0n);
    const edges = [...config.reserved].filter(ours);
    const free = edges.filter((address) => !planner.ledger.backedBy(address, pool.name));
    const used = BigInt(held[family] + free.length);
    const reserved = BigInt(edges.length);
    return { pool: pool.name, family, total, used, reserved, available: total - used };
  });
}

function emptyHistogram(bounds: readonly number[]): Histogram {
  return { bounds, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

function observe(histogram: Histogram, value: number): void {
  const found = histogram.bounds.findIndex((bound) => value <= bound);
  const index = found < 0 ? histogram.bounds.length : found;
  histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
  histogram.sum += value;
}
