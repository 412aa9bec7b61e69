import type { Family } from '../ip.ts';
import type { Pool } from '../model.ts';
import { compareText } from '../table.ts';
import { findSpan, type Address, type Span } from './address.ts';
import type { PoolConflict } from './conflict.ts';
import { judgePool, type PoolConfig, type PoolJudgement } from './pool.ts';
import { AddressRange } from './range.ts';

/** One block of a pool without conflict: disjoint from every other such block. */
export interface PoolRange extends Span {
  readonly family: Family;
  readonly pool: PoolState;
  readonly index: number;
  readonly addresses: AddressRange;
  /** Equal keys, equal marks at birth: such a range outlives a rebuild. */
  readonly key: string;
}

/** A pool as the plan sees it: what it is, what it last was while good, and what is left of it. */
export class PoolState {
  readonly name: string;
  pool: Pool;
  judgement: PoolJudgement;
  /** The last good configuration, as long as the process lives; undefined: hold-only. */
  config: PoolConfig | undefined;
  conflict: PoolConflict | undefined;
  /** In spec order; none while in conflict or without a configuration. */
  ranges: readonly PoolRange[] = [];
  /** Ranges per family with a free address. */
  readonly open = { IPv4: 0, IPv6: 0 };
  /** Resting addresses per family: free, but the last to be given (lb-ipam.md 8.3). */
  readonly resting = { IPv4: 0, IPv6: 0 };

  constructor(pool: Pool) {
    this.name = pool.meta.name;
    this.pool = pool;
    this.judgement = judgePool(pool);
    this.config = configOf(this.judgement);
  }

  /** Takes in a newer version of the same object; a bad one leaves the last good configuration. */
  replace(pool: Pool): void {
    this.pool = pool;
    this.judgement = judgePool(pool);
    this.config = configOf(this.judgement) ?? this.config;
  }

  /** True for a pool that grants nothing new though its spec may be good. */
  get disabled(): boolean {
    return this.pool.disabled || this.pool.meta.deleting;
  }

  get usable(): boolean {
    return this.config !== undefined && !this.disabled && this.conflict === undefined;
  }

  contains(address: Address): boolean {
    return this.config !== undefined && findSpan(this.config.covered, address) >= 0;
  }

  hasFamily(family: Family): boolean {
    return this.config?.blocks.some((block) => block.family === family) ?? false;
  }

  /** True when a generic request of the family would get an address here. */
  grants(family: Family): boolean {
    return this.usable && (this.open[family] > 0 || this.resting[family] > 0);
  }
}

function configOf(judgement: PoolJudgement): PoolConfig | undefined {
  return judgement.kind === 'invalid' ? undefined : judgement.config;
}

/** Pool order of lb-ipam.md 1. */
export function comparePools(left: PoolState, right: PoolState): number {
  const leftTime = left.pool.meta.createdAtMs ?? Infinity;
  const rightTime = right.pool.meta.createdAtMs ?? Infinity;
  if (leftTime !== rightTime) return leftTime < rightTime ? -1 : 1;
  return compareText(left.name, right.name);
}

/** True when a plan would read the same from both: status and other metadata play no part. */
export function samePool(left: Pool, right: Pool): boolean {
  if (left === right) return true;
  return left.meta.uid === right.meta.uid && left.meta.generation === right.meta.generation
    && left.meta.deleting === right.meta.deleting
    && left.meta.createdAtMs === right.meta.createdAtMs
    && poolText(left) === poolText(right);
}

function poolText(pool: Pool): string {
  const { blocks, allowFirstLastIps, disabled, serviceSelector, faults } = pool;
  return JSON.stringify([blocks, allowFirstLastIps, disabled, serviceSelector, faults]);
}
