import { addressFamily, ipOf, type Address } from './address.ts';
import type { Loss, LossCause, ServiceEntry } from './entry.ts';
import type { Ledger } from './ledger.ts';
import type { PoolState } from './poolstate.ts';
import type { PoolSpace } from './space.ts';

/** Either the pool that backs the address, or why it cannot be held. */
export type HoldJudgement =
  | { readonly kind: 'hold'; readonly pool: string }
  | { readonly kind: 'lose'; readonly why: string; readonly cause: LossCause };

/** An address that a Service had, and the pool that it is recorded with; undefined: none. */
export interface Holding {
  readonly address: Address;
  readonly recordedPool: string | undefined;
}

/**
 * Whether owner, pools and request let a Service keep an address; other holders are not asked here
 * (lb-ipam.md 5.3, left column).
 */
export function judgeHold(
  entry: ServiceEntry,
  holding: Holding,
  space: PoolSpace,
): HoldJudgement {
  const { ownership, request } = entry.inputs;
  if (ownership.kind !== 'lbipam' && ownership.kind !== 'lbipam-hold') {
    return { kind: 'lose', why: 'LB IPAM no longer owns the Service', cause: 'owner' };
  }
  const { address } = holding;
  const wanted = request.kind === 'listed'
    ? request.hasBad || request.addresses.has(address)
    : request.wanted.includes(addressFamily(address));
  if (!wanted) {
    return { kind: 'lose', why: 'the Service no longer asks for it', cause: 'request' };
  }
  const pool = backingPool(entry, holding, space);
  if (pool !== undefined) return { kind: 'hold', pool: pool.name };
  const why = 'no pool contains it and selects the Service';
  return { kind: 'lose', why, cause: 'pool' };
}

/** The backing pool: the recorded one while it fits, else the first to do so, usable ones first. */
export function backingPool(
  entry: ServiceEntry,
  holding: Holding,
  space: PoolSpace,
): PoolState | undefined {
  const { address, recordedPool } = holding;
  const recorded = recordedPool === undefined ? undefined : space.get(recordedPool);
  // A pool that was never good in this process may well contain it: nothing is taken away.
  if (recorded !== undefined && recorded.config === undefined) return recorded;
  const fitting = entry.matching(space).filter((pool) => pool.contains(address));
  if (recorded !== undefined && fitting.includes(recorded)) return recorded;
  return fitting.find((pool) => pool.usable) ?? fitting[0];
}

/** Judges a hold against the pools and the other holders, and enters it or says why not. */
export function tryHold(
  entry: ServiceEntry,
  holding: Holding,
  state: { readonly space: PoolSpace; readonly ledger: Ledger },
): Loss | undefined {
  const { address } = holding;
  const judged = judgeHold(entry, holding, state.space);
  if (judged.kind === 'lose') return { address, why: judged.why, cause: judged.cause };
  const obstacle = state.ledger.obstacle(entry, address);
  if (obstacle !== undefined) {
    const other = obstacle.holder;
    const who = other.namespace === entry.namespace ? other.name : 'another Service';
    const why = `${ipOf(address)} is held by ${who} (${obstacle.code})`;
    return { address, why, cause: 'conflict' };
  }
  state.ledger.attach(entry, address, judged.pool);
  state.space.take(address);
  return undefined;
}
