import { formatSelector } from '../lb/selector-text.ts';
import { compareIp, familyOf, ipNumber, type Family, type Ip } from '../lb/ip.ts';
import { judgePool, type PoolConfig } from '../lb/ipam/pool.ts';
import type { PlannedOnce } from '../lb/ipam/once.ts';
import type { Pool, ServiceKey } from '../lb/model.ts';
import { compareText } from '../lb/table.ts';

/**
 * A count of addresses: a number where one is exact, else decimal text, because a /64 has more
 * addresses than a JSON reader can count.
 */
export type Count = number | string;

/** One pool as `ippool list` shows it (interface.md 4.3). */
export interface PoolRow {
  readonly name: string;
  readonly disabled: boolean;
  readonly conflicting: boolean;
  readonly invalid: boolean;
  readonly families: readonly Family[];
  /** Absent without a good configuration. */
  readonly total?: Count;
  readonly used?: Count;
  readonly available?: Count;
  /** Services that hold an address of it. */
  readonly serviceCount: number;
  /** kubectl's selector text; absent: every Service. */
  readonly selector?: string;
  /** RFC 3339. */
  readonly created?: string;
}

/** One held address. */
export interface AddressRow {
  readonly ip: Ip;
  readonly pool: string;
  readonly services: readonly ServiceKey[];
}

export function countOf(exact: bigint): Count {
  return exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : exact.toString();
}

/** The pools by name, with the counts of the plan. */
export function poolRows(pools: readonly Pool[], planned: PlannedOnce): PoolRow[] {
  return pools
    .map((pool) => poolRow(pool, planned))
    .toSorted((left, right) => compareText(left.name, right.name));
}

function poolRow(pool: Pool, planned: PlannedOnce): PoolRow {
  const { name, createdAtMs } = pool.meta;
  const counts = planned.pools.find((each) => each.name === name)?.counts;
  const config = configOf(pool);
  const holders = planned.services.filter(({ addresses }) =>
    addresses.some((address) => address.pool === name));
  const selector = pool.serviceSelector === undefined ? '' : formatSelector(pool.serviceSelector);
  return {
    name,
    disabled: pool.disabled,
    conflicting: conditionTrue(planned, name, 'cilium.io/PoolConflict'),
    invalid: conditionTrue(planned, name, 'fairlead.dev/Invalid'),
    families: [...new Set((config?.blocks ?? []).map(({ family }) => family))].toSorted(
      compareText,
    ),
    ...(counts === undefined
      ? {}
      : {
          total: countOf(counts.total),
          used: countOf(counts.used),
          available: countOf(counts.available),
        }),
    serviceCount: holders.length,
    ...(selector === '' ? {} : { selector }),
    ...(createdAtMs === undefined ? {} : { created: new Date(createdAtMs).toISOString() }),
  };
}

function conditionTrue(planned: PlannedOnce, name: string, type: string): boolean {
  const pool = planned.pools.find((each) => each.name === name);
  return pool?.conditions.some((each) => each.type === type && each.status === 'True') === true;
}

/** The held addresses of a plan, by value. */
export function addressRows(planned: PlannedOnce): AddressRow[] {
  const byAddress = new Map<Ip, AddressRow>();
  for (const { key, addresses } of planned.services) {
    for (const { ip, pool } of addresses) {
      const services = [...(byAddress.get(ip)?.services ?? []), key];
      byAddress.set(ip, { ip, pool, services });
    }
  }
  return [...byAddress.values()].toSorted((left, right) => compareIp(left.ip, right.ip));
}

/** Names of the pools whose blocks contain `address`, usable or not. */
export function poolsWith(pools: readonly Pool[], address: Ip): string[] {
  const number = ipNumber(address);
  const family = familyOf(address);
  const contains = (config: PoolConfig | undefined): boolean =>
    config?.blocks.some((block) => block.family === family &&
      number >= BigInt(block.first) && number <= BigInt(block.last)) === true;
  return pools
    .filter((pool) => contains(configOf(pool)))
    .map(({ meta }) => meta.name)
    .toSorted(compareText);
}

function configOf(pool: Pool): PoolConfig | undefined {
  const judgement = judgePool(pool);
  return judgement.kind === 'invalid' ? undefined : judgement.config;
}
