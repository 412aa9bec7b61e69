import type { Ip } from '../ip.ts';
import type { ServiceKey } from '../model.ts';
import { compareAddress, ipOf } from './address.ts';
import type { Failure, ServiceEntry } from './entry.ts';
import type { Planner } from './planner.ts';
import type { PoolState } from './poolstate.ts';

/** What one pool means for one Service. `Usable` and `Backs` are good news, the others are not. */
export interface PoolVerdict {
  readonly pool: string;
  readonly code:
    | 'Backs' | 'Usable' | 'OutOfIPs' | 'PoolSelectorMismatch' | 'PoolDisabled' | 'PoolConflicting'
    | 'PoolInvalid' | 'FamilyMismatch';
  readonly message: string;
}

/** Why a Service has the addresses that it has, or none (interface.md 6, step 1). */
export interface AllocationExplanation {
  readonly service: ServiceKey;
  readonly stance: 'served' | 'unsatisfied' | 'unclaimed' | 'foreign' | 'unknown' | 'off';
  /** `NotSelected`, `ForeignClass`, `NotLoadBalancer`, or the reason of the False condition. */
  readonly code: string;
  readonly message: string;
  readonly addresses: readonly { readonly ip: Ip; readonly pool: string }[];
  readonly failures: readonly Failure[];
  /** One per pool, in pool order. */
  readonly pools: readonly PoolVerdict[];
}

export function explainService(
  key: ServiceKey,
  planner: Planner | undefined,
): AllocationExplanation {
  const entry = planner?.entries.get(key);
  const bare = { service: key, addresses: [], failures: [], pools: [] };
  if (planner === undefined) {
    return { ...bare, stance: 'off', code: 'ControllerDown', message: 'no plan was made yet' };
  }
  if (entry === undefined) {
    return { ...bare, stance: 'unknown', code: 'NotFound', message: `no Service ${key}` };
  }
  const pools = planner.space.pools.map((pool) => verdict(entry, pool, planner));
  const addresses = addressRows(entry);
  return { ...stanceOf(entry), service: key, addresses, failures: entry.failures, pools };
}

function addressRows(entry: ServiceEntry): AllocationExplanation['addresses'] {
  if (entry.node?.kind === 'satisfied') return entry.node.ips.map((ip) => ({ ip, pool: '' }));
  return [...entry.held].sort(([left], [right]) => compareAddress(left, right))
    .map(([address, pool]) => ({ ip: ipOf(address), pool }));
}

type Stance = Pick<AllocationExplanation, 'stance' | 'code' | 'message'>;

function stanceOf(entry: ServiceEntry): Stance {
  const { service, node } = entry;
  if (service.type !== 'LoadBalancer') {
    return { stance: 'foreign', code: 'NotLoadBalancer', message: `its type is ${service.type}` };
  }
  if (!entry.claimed) return unclaimedStance(entry);
  const last = entry.failures.at(-1);
  if (last !== undefined) {
    const message = entry.failures.map((failure) => failure.text).join('; ');
    return { stance: 'unsatisfied', code: last.reason, message };
  }
  if (node !== undefined && node.kind !== 'satisfied' && node.reason !== undefined) {
    return { stance: 'unsatisfied', code: node.reason, message: node.message };
  }
  return { stance: 'served', code: 'satisfied', message: '' };
}

function unclaimedStance(entry: ServiceEntry): Stance {
  const { ownership } = entry.inputs;
  if (ownership.kind === 'lbipam') {
    return { stance: 'unclaimed', code: 'NotSelected', message: 'no pool selects the Service' };
  }
  if (ownership.kind === 'lbipam-hold') {
    const message = `${ownership.setting} leaves it without an owner`;
    return { stance: 'unclaimed', code: 'OwnerDisabled', message };
  }
  const shown = entry.service.loadBalancerClass ?? '';
  if (shown === '') {
    return { stance: 'off', code: 'OwnerDisabled', message: 'enable-lb-ipam is off' };
  }
  const message = `class ${shown} belongs to another controller`;
  return { stance: 'foreign', code: 'ForeignClass', message };
}

function verdict(entry: ServiceEntry, pool: PoolState, planner: Planner): PoolVerdict {
  const { name, judgement, config } = pool;
  const backed = [...entry.held].filter(([, backing]) => backing === name)
    .map(([address]) => ipOf(address));
  if (backed.length > 0) return { pool: name, code: 'Backs', message: backed.join(', ') };
  if (config === undefined) {
    const message = judgement.kind === 'invalid' ? judgement.message : '';
    return { pool: name, code: 'PoolInvalid', message };
  }
  if (!entry.matching(planner.space).includes(pool)) {
    const message = 'its serviceSelector does not match the Service';
    return { pool: name, code: 'PoolSelectorMismatch', message };
  }
  if (pool.disabled) return { pool: name, code: 'PoolDisabled', message: 'it is disabled' };
  if (pool.conflict !== undefined) {
    return { pool: name, code: 'PoolConflicting', message: pool.conflict.message };
  }
  return capacity(entry, pool);
}

function capacity(entry: ServiceEntry, pool: PoolState): PoolVerdict {
  const { request } = entry.inputs;
  if (request.kind === 'listed') {
    const inside = [...request.addresses].filter((address) => pool.contains(address)).map(ipOf);
    const message = `contains ${inside.length > 0 ? inside.join(', ') : 'no listed address'}`;
    return { pool: pool.name, code: inside.length > 0 ? 'Usable' : 'FamilyMismatch', message };
  }
  const fitting = request.wanted.filter((family) => pool.hasFamily(family));
  if (fitting.length === 0) {
    const message = `it has no ${request.wanted.join(' or ')} address`;
    return { pool: pool.name, code: 'FamilyMismatch', message };
  }
  const open = fitting.some((family) => pool.grants(family));
  const message = open ? '' : `no free ${fitting.join(' or ')} address`;
  return { pool: pool.name, code: open ? 'Usable' : 'OutOfIPs', message };
}
