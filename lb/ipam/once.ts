import type { Ip } from '../ip.ts';
import type {
  EndpointSlice, IngressEntry, Node, Pool, Service, ServiceKey,
} from '../model.ts';
import type { WantedCondition } from '../conditions.ts';
import { compareText, type Change } from '../table.ts';
import { ipOf } from './address.ts';
import { explainService, type AllocationExplanation } from './explain.ts';
import { splitIngress } from './ours.ts';
import { Planner } from './planner.ts';
import { poolConditions, poolCounts, type PoolCounts } from './poolstatus.ts';
import { wantedStatus } from './servicestatus.ts';
import type { IpamSettings } from './settings.ts';

/** One Service after the plan. `touched` false: its status is not our business. */
export interface PlannedService {
  readonly key: ServiceKey;
  readonly touched: boolean;
  /** Our addresses with their pool; an empty pool means a node's. */
  readonly addresses: readonly { readonly ip: Ip; readonly pool: string }[];
  /** Entries of other controllers, which stay. */
  readonly foreign: readonly IngressEntry[];
  readonly conditions: readonly WantedCondition[];
  readonly explanation: AllocationExplanation;
}

export interface PlannedPool {
  readonly name: string;
  readonly usable: boolean;
  readonly disabled: boolean;
  /** Undefined without a good configuration. */
  readonly counts: PoolCounts | undefined;
  readonly conditions: readonly WantedCondition[];
}

export interface PlannedOnce {
  /** In key order. */
  readonly services: readonly PlannedService[];
  /** In pool order. */
  readonly pools: readonly PlannedPool[];
}

/** Everything that a plan reads, as lists. */
export interface PlanInputs {
  readonly pools: readonly Pool[];
  readonly services: readonly Service[];
  readonly nodes: readonly Node[];
  readonly slices: readonly EndpointSlice[];
}

/**
 * The plan that a start on these objects would make: adoption first, then grants. Pure; the order
 * of the lists plays no part.
 */
export function planOnce(inputs: PlanInputs, settings: IpamSettings): PlannedOnce {
  const planner = new Planner(settings);
  planner.plan({
    pools: inputs.pools.map((pool) => change(pool.meta.name, pool)),
    services: inputs.services.map((service) => change(service.key, service)),
    nodes: inputs.nodes.map((node) => change(node.meta.name, node)),
    slices: inputs.slices.map((slice) => {
      return change(`${slice.meta.namespace}/${slice.meta.name}`, slice);
    }),
    initial: true,
    now: 0,
  });
  const entries = [...planner.entries.values()];
  const services = entries.sort((left, right) => compareText(left.key, right.key)).map((entry) => {
    const wanted = wantedStatus(entry, planner, settings);
    return {
      key: entry.key,
      touched: wanted !== undefined,
      addresses: (wanted?.items ?? []).map(({ address, origin }) => {
        return { ip: ipOf(address), pool: origin.kind === 'pool' ? origin.pool : '' };
      }),
      foreign: splitIngress(entry, planner).foreign,
      conditions: wanted?.conditions ?? [],
      explanation: explainService(entry.key, planner),
    };
  });
  const pools = planner.space.pools.map((pool) => ({
    name: pool.name,
    usable: pool.usable,
    disabled: pool.disabled,
    counts: poolCounts(pool, planner.ledger),
    conditions: poolConditions(pool, planner.ledger),
  }));
  return { services, pools };
}

function change<V>(key: string, value: V): Change<V> {
  return { key, value };
}
