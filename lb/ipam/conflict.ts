import { compareAddress, spanText, type Span } from './address.ts';
import type { Block, PoolConfig } from './pool.ts';

/** A pool with a good configuration, in pool order. */
export interface Contender {
  readonly name: string;
  readonly config: PoolConfig;
}

export interface PoolConflict {
  readonly message: string;
  /** Undefined: the pool's own blocks overlap. */
  readonly winner: string | undefined;
}

interface Accepted extends Span {
  readonly pool: string;
}

/**
 * Which of the pools are in conflict, the older one winning. Computed afresh from the present
 * configurations, so history plays no part (lb-ipam.md 9).
 */
export function findConflicts(pools: readonly Contender[]): ReadonlyMap<string, PoolConflict> {
  const conflicts = new Map<string, PoolConflict>();
  const accepted: Accepted[] = [];
  for (const pool of pools) {
    const conflict = ownOverlap(pool.config) ?? overlapWith(accepted, pool.config);
    if (conflict !== undefined) {
      conflicts.set(pool.name, conflict);
      continue;
    }
    for (const { first, last } of pool.config.blocks) {
      accepted.splice(firstNotBefore(accepted, first), 0, { first, last, pool: pool.name });
    }
  }
  return conflicts;
}

function ownOverlap(config: PoolConfig): PoolConflict | undefined {
  const ascending = config.blocks.toSorted((a, b) => compareAddress(a.first, b.first));
  const overlapping = new Map<Block, Block>();
  let reaching: Block | undefined;
  for (const block of ascending) {
    if (reaching !== undefined && compareAddress(block.first, reaching.last) <= 0) {
      overlapping.set(block, reaching);
      if (!overlapping.has(reaching)) overlapping.set(reaching, block);
    }
    if (reaching === undefined || compareAddress(block.last, reaching.last) > 0) reaching = block;
  }
  const block = config.blocks.find((candidate) => overlapping.has(candidate));
  const other = block === undefined ? undefined : overlapping.get(block);
  if (block === undefined || other === undefined) return undefined;
  const message = `${block.path} ${spanText(block)} overlaps ${other.path} ${spanText(other)}`;
  return { message: `${message} of the same pool`, winner: undefined };
}

function overlapWith(accepted: readonly Accepted[], config: PoolConfig): PoolConflict | undefined {
  for (const block of config.blocks) {
    const other = accepted[firstNotBefore(accepted, block.first)];
    if (other === undefined || compareAddress(other.first, block.last) > 0) continue;
    const message = `${block.path} ${spanText(block)} overlaps ${spanText(other)}`;
    return { message: `${message} of pool ${other.pool}, which is older`, winner: other.pool };
  }
  return undefined;
}

// Index of the first span that does not end before `address`; the spans are ascending and disjoint.
function firstNotBefore(spans: readonly Span[], address: Span['first']): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const span = spans[middle];
    if (span !== undefined && compareAddress(span.last, address) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
