import type { Family } from '../ip.ts';
import { compareAddress, addressFamily, ipOf, type Address } from './address.ts';
import type { Failure, FailureReason, ServiceEntry } from './entry.ts';
import type { Ledger } from './ledger.ts';
import type { PoolState } from './poolstate.ts';
import type { RequestItem } from './request.ts';
import type { PoolSpace } from './space.ts';
import type { Waits } from './waits.ts';

/** What granting reads and changes. `changed` hears of every new or joined holder. */
export interface GrantState {
  readonly space: PoolSpace;
  readonly ledger: Ledger;
  readonly waits: Waits;
  changed(entry: ServiceEntry, address: Address): void;
}

/**
 * Gives a Service all it can have now and notes what it cannot; what it waits for is entered
 * (lb-ipam.md 5.3, right column). It must be owned, claimed and not on its way out.
 */
export function grant(entry: ServiceEntry, state: GrantState): readonly Failure[] {
  const { request } = entry.inputs;
  if (request.kind === 'listed') {
    const failures: Failure[] = [];
    for (const item of request.items) {
      const failure = grantItem(entry, item, state);
      if (failure !== undefined) failures.push(failure);
    }
    return failures;
  }
  if (request.wanted.length === 0) return [noFamily];
  const missing = missingFamilies(entry, request.wanted);
  return missing.flatMap((family) => grantFamily(entry, family, state));
}

const noFamily: Failure = {
  reason: 'no_family', code: 'NoFamily', text: 'NoFamily: no family is both wanted and enabled',
};

/** The wanted families of which nothing is held. */
export function missingFamilies(
  entry: ServiceEntry,
  wanted: readonly Family[],
): readonly Family[] {
  const held = new Set<Family>();
  for (const address of entry.held.keys()) held.add(addressFamily(address));
  return wanted.filter((family) => !held.has(family));
}

/** What is unmet of a Service that gets nothing new: the setting that stands in the way. */
export function heldBack(entry: ServiceEntry, setting: string): readonly Failure[] {
  const { request } = entry.inputs;
  const unmet = request.kind === 'listed'
    ? request.hasBad || [...request.addresses].some((address) => !entry.held.has(address))
    : request.wanted.length === 0 || missingFamilies(entry, request.wanted).length > 0;
  if (!unmet) return [];
  return [failure('owner_disabled', 'OwnerDisabled', `${setting} keeps it from new addresses`)];
}

function grantItem(
  entry: ServiceEntry,
  item: RequestItem,
  state: GrantState,
): Failure | undefined {
  if (item.kind === 'bad') {
    return failure('invalid_request', 'InvalidRequest', `'${item.text}' ${item.why}`);
  }
  const { address } = item;
  if (entry.held.has(address)) return undefined;
  const pool = state.space.find(address)?.pool;
  if (pool === undefined || !pool.usable) return uncontained(entry, address, state.space);
  const text = ipOf(address);
  if (!entry.matching(state.space).includes(pool)) {
    const why = `pool ${pool.name} contains ${text} and does not select the Service`;
    return failure('pool_selector_mismatch', 'PoolSelectorMismatch', why);
  }
  if (state.space.isReserved(address)) {
    const why = `${text} is reserved by allowFirstLastIPs of pool ${pool.name}`;
    return failure('already_allocated', 'Reserved', why);
  }
  const obstacle = state.ledger.obstacle(entry, address);
  if (obstacle === undefined) {
    enter(entry, { address, pool }, state);
    return undefined;
  }
  state.waits.forAddress(entry, address);
  const { holder, code } = obstacle;
  const other = holder.namespace === entry.namespace ? `Service ${holder.name}` : 'another Service';
  const keyed = entry.inputs.sharing.key !== '';
  const reason = keyed ? 'already_allocated_incompatible_service' : 'already_allocated';
  return failure(reason, code, `${text} is held by ${other}`);
}

// The pool that would have fitted is named, so that its owner knows where to look.
function uncontained(entry: ServiceEntry, address: Address, space: PoolSpace): Failure {
  const text = ipOf(address);
  const containing = space.pools.filter((pool) => pool.contains(address));
  const fitting = containing.filter((pool) => entry.matching(space).includes(pool));
  const named = fitting[0] ?? containing[0];
  if (named !== undefined) return blocked(named, `contains ${text}`);
  const unreadable = space.pools.find((pool) => pool.config === undefined);
  if (unreadable !== undefined) return blocked(unreadable, `may contain ${text}`);
  return failure('no_pool', 'NoPoolExists', `no pool contains ${text}`);
}

function blocked(pool: PoolState, fact: string): Failure {
  const { name } = pool;
  if (pool.config === undefined) {
    return failure('no_pool', 'PoolInvalid', `pool ${name} ${fact} and is invalid`);
  }
  if (pool.disabled) {
    return failure('no_pool', 'PoolDisabled', `pool ${name} ${fact} and is disabled`);
  }
  return failure('no_pool', 'PoolConflicting', `pool ${name} ${fact} and is in conflict`);
}

function grantFamily(
  entry: ServiceEntry,
  family: Family,
  state: GrantState,
): readonly Failure[] {
  const matching = entry.matching(state.space);
  const pools = matching.filter((pool) => pool.usable && pool.hasFamily(family));
  const { key } = entry.inputs.sharing;
  const joined = key === '' ? undefined : joinable(entry, family, { pools, state });
  if (joined !== undefined) {
    enter(entry, joined, state);
    return [];
  }
  const found = takeFree(pools, family, state.space);
  if (found !== undefined) {
    enter(entry, found, state);
    return [];
  }
  if (key !== '') state.waits.forKey(entry, key);
  if (pools.length === 0) return [unpooled(entry, family, state.space)];
  for (const pool of pools) state.waits.forPool(entry, pool, family);
  const names = pools.map((pool) => pool.name).join(', ');
  return [failure('out_of_ips', 'OutOfIPs', `no free ${family} address in ${names}`)];
}

interface Found {
  readonly address: Address;
  readonly pool: PoolState;
}

function takeFree(
  pools: readonly PoolState[],
  family: Family,
  space: PoolSpace,
): Found | undefined {
  for (const pool of pools) {
    const address = space.takeLowest(pool, family);
    if (address !== undefined) return { address, pool };
  }
  const address = space.takeResting(pools, family);
  const pool = address === undefined ? undefined : space.find(address)?.pool;
  return address === undefined || pool === undefined ? undefined : { address, pool };
}

interface JoinPlace {
  readonly pools: readonly PoolState[];
  readonly state: GrantState;
}

// Addresses of the key in allocation order: history must not decide which one is joined.
function joinable(entry: ServiceEntry, family: Family, place: JoinPlace): Found | undefined {
  const { space, ledger } = place.state;
  const candidates: (Found & { readonly rank: number; readonly block: number })[] = [];
  for (const address of ledger.underKey(entry.inputs.sharing.key)) {
    if (addressFamily(address) !== family || space.isReserved(address)) continue;
    const range = space.find(address);
    if (range === undefined) continue;
    const rank = place.pools.indexOf(range.pool);
    if (rank >= 0) candidates.push({ address, pool: range.pool, rank, block: range.index });
  }
  candidates.sort((left, right) => left.rank - right.rank || left.block - right.block
    || compareAddress(left.address, right.address));
  return candidates.find(({ address }) => ledger.obstacle(entry, address) === undefined);
}

function unpooled(entry: ServiceEntry, family: Family, space: PoolSpace): Failure {
  const matching = entry.matching(space);
  const wouldFit = matching.find((pool) => pool.hasFamily(family));
  if (wouldFit !== undefined) return blocked(wouldFit, `has ${family} addresses`);
  const unreadable = space.pools.find((pool) => pool.config === undefined);
  if (unreadable !== undefined) return blocked(unreadable, `may have ${family} addresses`);
  if (matching.length > 0) {
    const names = matching.map((pool) => pool.name).join(', ');
    const why = `${names} selects the Service and has no ${family} address`;
    return failure('no_pool', 'FamilyMismatch', why);
  }
  if (space.pools.length > 0) {
    const why = `no pool with ${family} addresses selects the Service`;
    return failure('no_pool', 'PoolSelectorMismatch', why);
  }
  return failure('no_pool', 'NoPoolExists', `no pool exists, ${family} is wanted`);
}

function enter(entry: ServiceEntry, found: Found, state: GrantState): void {
  state.ledger.attach(entry, found.address, found.pool.name);
  state.space.take(found.address);
  state.changed(entry, found.address);
}

function failure(reason: FailureReason, code: string, why: string): Failure {
  return { reason, code, text: `${code}: ${why}` };
}
