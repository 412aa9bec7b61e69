import { conditionOf, type WantedCondition } from '../conditions.ts';
import type { Condition } from '../model.ts';
import type { Ledger } from './ledger.ts';
import type { PoolState } from './poolstate.ts';

/** Exact counts of one pool; used + available = total. */
export interface PoolCounts {
  readonly total: bigint;
  readonly used: bigint;
  readonly reserved: bigint;
  readonly available: bigint;
}

const conflictType = 'cilium.io/PoolConflict';
const invalidType = 'fairlead.dev/Invalid';
const countTypes = {
  total: 'cilium.io/IPsTotal', available: 'cilium.io/IPsAvailable', used: 'cilium.io/IPsUsed',
} as const;

/** The condition types of pools that fairlead applies (lb-ipam.md 10.2). */
export const poolConditionTypes: readonly string[] = [
  conflictType, countTypes.total, countTypes.available, countTypes.used, invalidType,
];

/**
 * Counts of a pool with a good configuration; undefined without one. Used are the addresses held
 * with this backing pool and the reserved ones, each once however many Services share it.
 */
export function poolCounts(pool: PoolState, ledger: Ledger): PoolCounts | undefined {
  if (pool.config === undefined) return undefined;
  const held = ledger.heldBy(pool.name);
  let reserved = 0;
  for (const address of pool.config.reserved) {
    if (!ledger.backedBy(address, pool.name)) reserved += 1;
  }
  const total = pool.config.size;
  const used = BigInt(held.IPv4 + held.IPv6 + reserved);
  return { total, used, reserved: BigInt(pool.config.reserved.size), available: total - used };
}

/** All our conditions of a pool; one apply carries them together. */
export function poolConditions(pool: PoolState, ledger: Ledger): readonly WantedCondition[] {
  const observedGeneration = pool.pool.meta.generation;
  const { conflict, judgement } = pool;
  const invalid = judgement.kind === 'invalid';
  return [
    {
      type: conflictType,
      status: conflict === undefined ? 'False' : 'True',
      reason: conflict === undefined ? 'resolved' : 'cidr_overlap',
      message: conflict?.message ?? '',
      observedGeneration,
    },
    ...countConditions(pool, ledger),
    {
      type: invalidType,
      status: invalid ? 'True' : 'False',
      reason: invalidReason(pool),
      message: judgement.kind === 'valid' ? '' : judgement.message,
      observedGeneration,
    },
  ];
}

function invalidReason({ judgement }: PoolState): string {
  if (judgement.kind === 'invalid') return judgement.reason;
  return judgement.kind === 'warned' ? 'valid_with_warnings' : 'valid';
}

// Without a good configuration the counts stand as they are, applied again to stay owned.
function countConditions(pool: PoolState, ledger: Ledger): readonly WantedCondition[] {
  const counts = poolCounts(pool, ledger);
  if (counts === undefined) {
    return Object.values(countTypes).flatMap((type): Condition[] => {
      const stored = conditionOf(pool.pool.conditions, type);
      return stored === undefined ? [] : [stored];
    });
  }
  return (['total', 'available', 'used'] as const).map((name) => ({
    type: countTypes[name],
    status: 'Unknown',
    reason: 'noreason',
    message: counts[name].toString(),
    observedGeneration: pool.pool.meta.generation,
  }));
}
