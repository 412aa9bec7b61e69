import { parseIp, type Ip } from '../lb/ip.ts';
import { ipOf } from '../lb/ipam/address.ts';
import { planOnce, type PlannedOnce } from '../lb/ipam/once.ts';
import { readRecord, recordType } from '../lb/ipam/record.ts';
import type { Condition, Service } from '../lb/model.ts';
import type { FolderModel } from './foldermodel.ts';
import type { Side } from './poolplan.ts';

/** What the controller would allocate for the objects of a folder, by its settings. */
export function planFolder(model: FolderModel): PlannedOnce {
  const rows = <T>(list: readonly { readonly value: T }[]): T[] => list.map(({ value }) => value);
  return planOnce({
    pools: rows(model.pools),
    services: rows(model.services),
    nodes: rows(model.nodes),
    slices: rows(model.slices),
  }, model.ipam);
}

/**
 * The Service as it stands once the plan is written, so that a later plan finds its addresses held
 * and by whom (lb-ipam.md 4.2).
 */
function withPlannedStatus(service: Service, planned: PlannedOnce): Service {
  const plan = planned.services.find(({ key }) => key === service.key);
  if (plan === undefined || !plan.touched) return service;
  const types = new Set([recordType, ...plan.conditions.map(({ type }) => type)]);
  const ours = plan.addresses.map(({ ip }) => ({
    ip,
    hostname: undefined,
    ipMode: undefined,
    ports: undefined,
  }));
  const written = plan.conditions.map((condition): Condition => ({
    ...condition,
    lastTransitionTime: undefined,
  }));
  return {
    ...service,
    ingress: [...plan.foreign, ...ours],
    conditions: [...service.conditions.filter(({ type }) => !types.has(type)), ...written],
  };
}

/**
 * Both sides of a change of pools. With `present` its manifests are what stands now, and its
 * Services stand in where the given ones name none; without, the stored statuses say who holds
 * what.
 */
export function sidesOf(
  given: FolderModel,
  present: FolderModel | undefined,
): { readonly now: Side; readonly after: Side } {
  const pools = (model: FolderModel): Side['pools'] => model.pools.map(({ value }) => value);
  if (present === undefined) {
    const planned = planFolder(given);
    const now = { pools: pools(given), planned: asStored(planned, given) };
    return { now, after: { pools: pools(given), planned } };
  }
  const nowPlanned = planFolder(present);
  const own = given.services.length > 0 ? given : present;
  const services = own.services.map((row) => ({
    ...row,
    value: withPlannedStatus(row.value, nowPlanned),
  }));
  const nodes = given.nodes.length > 0 ? given.nodes : present.nodes;
  const slices = given.slices.length > 0 ? given.slices : present.slices;
  const planned = planFolder({ ...given, services, nodes, slices });
  return {
    now: { pools: pools(present), planned: nowPlanned },
    after: { pools: pools(given), planned },
  };
}

/** What the Services of a cluster hold by their statuses, whatever the controller would give. */
export function storedPlan(model: FolderModel): PlannedOnce {
  const planned = asStored(planFolder(model), model);
  const pools = planned.pools.map((pool) => {
    const { counts } = pool;
    if (counts === undefined) return pool;
    const held = planned.services.flatMap(({ addresses }) => (
      addresses.filter((address) => address.pool === pool.name).map(({ ip }) => ip)
    ));
    const used = BigInt(new Set(held).size);
    const available = counts.available + counts.used - used;
    return { ...pool, counts: { ...counts, used, available } };
  });
  return { ...planned, pools };
}

function asStored(planned: PlannedOnce, model: FolderModel): PlannedOnce {
  const stored = new Map(model.services.map(({ value }) => [value.key, storedAddresses(value)]));
  return {
    ...planned,
    services: planned.services.map((service) => ({
      ...service,
      addresses: stored.get(service.key) ?? [],
    })),
  };
}

interface Held {
  readonly ip: Ip;
  readonly pool: string;
}

// Before the change-over from Cilium there is no record, and its condition vouches for the list.
function storedAddresses(service: Service): Held[] {
  const record = readRecord(service.conditions);
  if (record !== undefined) {
    return record.map(({ address, origin }) => ({
      ip: ipOf(address),
      pool: origin.kind === 'pool' ? origin.pool : '',
    }));
  }
  const ours = service.conditions.some(({ type, status }) =>
    type === 'cilium.io/IPAMRequestSatisfied' && status === 'True');
  return service.ingress.flatMap(({ ip }) => {
    const parsed = parseIp(ip ?? '');
    return ours && parsed.ok ? [{ ip: parsed.value, pool: '' }] : [];
  });
}
