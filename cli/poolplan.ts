import { compareIp, familyOf, type Ip } from '../lb/ip.ts';
import type { PlannedOnce, PlannedService } from '../lb/ipam/once.ts';
import type { Pool, ServiceKey } from '../lb/model.ts';
import { compareText } from '../lb/table.ts';
import { countOf, type Count } from './poolrows.ts';

/** What a change of pools does to one address of one Service. */
export interface PlannedEffect {
  readonly service: ServiceKey;
  readonly now?: Ip;
  readonly after?: Ip;
  readonly effect: 'kept' | 'new' | 'moved' | 'lost' | 'waiting';
  /** Of the False condition afterwards, for `lost` and `waiting`. */
  readonly reason?: string;
}

/** One pool before and after a change, with what it means for Services (interface.md 4.3). */
export interface PoolPlan {
  /** Absent: Services that no pool serves, before and after. */
  readonly name?: string;
  readonly change: string;
  readonly total: Transition;
  readonly available: Transition;
  readonly effects: readonly PlannedEffect[];
}

/** A count before and after; absent where the pool is absent or invalid. */
export interface Transition {
  readonly now?: Count;
  readonly after?: Count;
}

/** Pools and plan at one side of the change. */
export interface Side {
  readonly pools: readonly Pool[];
  readonly planned: PlannedOnce;
}

/** Compares two plans over the same Services, pool by pool in name order. Pure. */
export function comparePlans(now: Side, after: Side): PoolPlan[] {
  const effects = after.planned.services.flatMap((service) =>
    effectsOn(now.planned.services.find(({ key }) => key === service.key), service));
  const names = [...now.pools, ...after.pools].map(({ meta }) => meta.name);
  const plans = [...new Set(names)].toSorted(compareText).map((name): PoolPlan => ({
    name,
    change: changeOf(named(now, name), named(after, name)),
    total: transition(now, after)(name, 'total'),
    available: transition(now, after)(name, 'available'),
    effects: effects.filter(({ pool }) => pool === name).map(({ effect }) => effect),
  }));
  const homeless = effects.filter(({ pool }) => pool === '').map(({ effect }) => effect);
  if (homeless.length === 0) return plans;
  return [...plans, { change: '', total: {}, available: {}, effects: homeless }];
}

interface PlacedEffect {
  readonly pool: string;
  readonly effect: PlannedEffect;
}

// A removed address pairs with an added one of its family: that Service moves. What is left over is
// lost or new.
function effectsOn(now: PlannedService | undefined, after: PlannedService): PlacedEffect[] {
  const before = now?.addresses ?? [];
  const kept = before.filter(({ ip }) => after.addresses.some((each) => each.ip === ip));
  const removed = before.filter((each) => !kept.includes(each));
  const added = after.addresses.filter(({ ip }) => !kept.some((each) => each.ip === ip));
  const failure = after.explanation.failures.at(-1)?.reason;
  const reason = failure === undefined ? {} : { reason: failure };
  const service = after.key;
  const effects: PlacedEffect[] = [];
  for (const { ip, pool } of kept) {
    effects.push({ pool, effect: { service, now: ip, after: ip, effect: 'kept' } });
  }
  for (const { ip, pool } of removed) {
    const place = added.findIndex((each) => familyOf(each.ip) === familyOf(ip));
    const [next] = place < 0 ? [] : added.splice(place, 1);
    effects.push(next === undefined
      ? { pool, effect: { service, now: ip, effect: 'lost', ...reason } }
      : { pool, effect: { service, now: ip, after: next.ip, effect: 'moved' } });
  }
  for (const { ip, pool } of added) {
    effects.push({ pool, effect: { service, after: ip, effect: 'new' } });
  }
  if (failure !== undefined && removed.length === 0) {
    effects.push({ pool: '', effect: { service, effect: 'waiting', ...reason } });
  }
  return effects.toSorted((left, right) => compareEffects(left.effect, right.effect));
}

function compareEffects(left: PlannedEffect, right: PlannedEffect): number {
  const a = left.now ?? left.after;
  const b = right.now ?? right.after;
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compareIp(a, b);
}

function changeOf(now: Pool | undefined, after: Pool | undefined): string {
  if (now === undefined) return 'added';
  if (after === undefined) return 'removed';
  const changes = [
    equal(now.blocks, after.blocks) ? '' : 'block edited',
    equal(now.serviceSelector, after.serviceSelector) ? '' : 'selector edited',
    now.allowFirstLastIps === after.allowFirstLastIps ? '' : 'option edited',
    now.disabled === after.disabled ? '' : after.disabled ? 'disabled' : 'enabled',
  ];
  return changes.filter((change) => change !== '').join(', ');
}

function equal(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function transition(now: Side, after: Side) {
  const count = (side: Side, name: string, key: 'total' | 'available'): Count | undefined => {
    const counts = side.planned.pools.find((pool) => pool.name === name)?.counts;
    return counts === undefined ? undefined : countOf(counts[key]);
  };
  return (name: string, key: 'total' | 'available'): Transition => {
    const before = count(now, name, key);
    const later = count(after, name, key);
    return {
      ...(before === undefined ? {} : { now: before }),
      ...(later === undefined ? {} : { after: later }),
    };
  };
}

function named({ pools }: Side, name: string): Pool | undefined {
  return pools.find(({ meta }) => meta.name === name);
}
