import type { Micros } from '../../lb/ports.ts';
import { putU32 } from '../bytes.ts';
import {
  putBackend, putLut, putMember, putMemberKey, putRange, putRangeKey, putSet, putSvc, putSvcKey,
  type Set as SetRow,
} from '../layout.gen.ts';
import type { Backend } from './backends.ts';
import type { Region } from './ids.ts';
import { addressBytes } from './image.ts';
import type { DatapathMemo, MaglevParameters } from './memo.ts';
import type { PortPlan, Refusal } from './plan.ts';
import type { Member, Programmed, ProgrammedSet } from './programmed.ts';
import type { RangeList, RangeRow } from './ranges.ts';
import type { Stores } from './stores.ts';
import type { MapName, RowPlace, RowStep, RowWriter } from './writer.ts';

/** What applying plans writes with and takes from. */
export interface ApplyContext {
  readonly stores: Stores;
  readonly writer: RowWriter;
  readonly memo: DatapathMemo;
  readonly hashSeed: number;
  readonly now: Micros;
}

const cellIds = 16;

/**
 * Carries plans out: all of one step for all of them, then the next step, so that after any single
 * write everything reachable exists and agrees (datapath.md 10). A plan that meets a refusal before
 * its commit leaves its service port as it was; what it had written is taken back.
 */
export function applyPlans(plans: readonly PortPlan[], context: ApplyContext): void {
  writeBackends(plans, context);
  raiseMembers(plans, context);
  writeRanges(plans, context);
  writeCells(plans, context);
  writeSets(plans, context);
  commit(plans, context);
  for (const plan of plans) if (!committed(plan)) abandon(plan, context);
  settleMembers(plans.map(({ port }) => port), context, (port, refusal) => {
    const plan = plans.find((of) => of.port === port);
    if (plan !== undefined) plan.refusal ??= refusal;
  });
}

/** The kernel selects by what the plan wants. */
export function committed({ port, next, refusal }: PortPlan): boolean {
  return next === undefined ? refusal === undefined && port.live : port.set === next;
}

function refuse(plan: PortPlan, map: MapName, error: Refusal['error']): void {
  plan.refusal ??= { map, error };
}

function refused({ refusal }: PortPlan): boolean {
  return refusal !== undefined;
}

function over({ plan }: { readonly plan: PortPlan }): boolean {
  return refused(plan);
}

function writeBackends(plans: readonly PortPlan[], { writer }: ApplyContext): void {
  const fresh = new Set<Backend>();
  const refusals = new Map<Backend, Refusal>();
  for (const plan of plans) {
    if (plan.refusal !== undefined) continue;
    for (const { backend, wanted } of plan.port.members) {
      if (wanted !== 0 && !backend.written) fresh.add(backend);
    }
  }
  if (fresh.size === 0) return;
  writer.update({
    map: 'fl_backend',
    items: [...fresh],
    put: backendRows(),
    wrote: (backend) => { backend.written = true; },
    refused: (backend, error) => { refusals.set(backend, { map: 'fl_backend', error }); },
  });
  if (refusals.size === 0) return;
  // A backend is shared: whoever counts on the row goes no further.
  for (const plan of plans) {
    for (const { backend } of plan.port.members) plan.refusal ??= refusals.get(backend);
  }
}

/** Encodes rows of backends under their ids. */
export function backendRows(): RowStep<Backend>['put'] {
  const scratch = new Uint8Array(16);
  return ({ image, id, gen, ifindex }, place) => {
    const { key, port, proto, flags } = image;
    const addr = addressBytes(key, scratch);
    putU32(place.keys, place.keyAt, id);
    putBackend(place.values, place.valueAt, { addr, port, proto, flags, gen, ifindex });
  };
}

interface MemberStep {
  readonly plan: PortPlan;
  readonly member: Member;
}

function raiseMembers(plans: readonly PortPlan[], { writer }: ApplyContext): void {
  const items: MemberStep[] = [];
  for (const plan of plans) {
    for (const member of plan.port.members) {
      if ((member.wanted & ~member.bits) !== 0) items.push({ plan, member });
    }
  }
  writer.update<MemberStep>({
    map: 'fl_member',
    items,
    skip: over,
    put: ({ plan, member }, { keys, keyAt, values, valueAt }) => {
      putMemberKey(keys, keyAt, { svcId: plan.port.svcId, backendId: member.backend.id });
      putMember(values, valueAt, { bits: member.bits | member.wanted });
    },
    wrote: ({ member }) => { member.bits |= member.wanted; },
    refused: ({ plan }, error) => refuse(plan, 'fl_member', error),
  });
}

interface RangeStep {
  readonly plan: PortPlan;
  readonly list: RangeList;
  readonly row: RangeRow;
}

function writeRanges(plans: readonly PortPlan[], { writer }: ApplyContext): void {
  const items: RangeStep[] = [];
  for (const plan of plans) {
    const list = plan.next?.ranges;
    if (list === undefined || list === plan.port.set?.ranges) continue;
    for (const row of list.rows) items.push({ plan, list, row });
  }
  writer.update<RangeStep>({
    map: 'fl_range',
    items,
    skip: over,
    put: ({ list, row }, { keys, keyAt, values, valueAt }) => {
      const { prefixlen, addr, bits } = row;
      putRangeKey(keys, keyAt, { prefixlen, rangeId: list.id, addr });
      putRange(values, valueAt, { bits });
    },
    refused: ({ plan }, error) => refuse(plan, 'fl_range', error),
  });
}

/** One cell of a region: ids from `from` on, as many as there are. */
interface CellStep {
  readonly plan: PortPlan;
  readonly cell: number;
  readonly from: number;
  readonly ids: ArrayLike<number>;
}

function writeCells(plans: readonly PortPlan[], context: ApplyContext): void {
  const items: CellStep[] = [];
  for (const plan of plans) {
    const { next, port } = plan;
    if (next === undefined || plan.refusal !== undefined) continue;
    const ids = next.list.map(({ id }) => id);
    if (next.region !== keptSet(port)?.region) pushCells(items, plan, { region: next.region, ids });
    if (next.maglev === undefined || next.maglev === keptSet(port)?.maglev) continue;
    for (const table of tablesOf(next, context.memo, context.hashSeed)) {
      pushCells(items, plan, table);
    }
  }
  const scratch = new Uint32Array(cellIds);
  context.writer.update<CellStep>({
    map: 'fl_lut',
    items,
    skip: over,
    put: ({ cell, from, ids }, place) => {
      for (let index = 0; index < cellIds; index += 1) scratch[index] = ids[from + index] ?? 0;
      putCell({ cell, ids: scratch }, place);
    },
    refused: ({ plan }, error) => refuse(plan, 'fl_lut', error),
  });
}

function keptSet(port: Programmed): ProgrammedSet | undefined {
  return port.damaged ? undefined : port.set;
}

interface Cells {
  readonly region: Region | undefined;
  readonly ids: ArrayLike<number>;
}

function pushCells(items: CellStep[], plan: PortPlan, { region, ids }: Cells): void {
  if (region === undefined) return;
  for (let cell = 0; cell < region.cells; cell += 1) {
    items.push({ plan, cell: region.base + cell, from: cell * cellIds, ids });
  }
}

/** The backend ids of a set's selection tables, slot by slot. */
export function tablesOf(
  set: ProgrammedSet, memo: DatapathMemo, seed: MaglevParameters['seed'],
): Cells[] {
  const { maglev, list, fields } = set;
  if (maglev === undefined) return [];
  const windows = [
    { region: maglev.cluster, from: fields.clusterOff, count: fields.clusterN },
    { region: maglev.local, from: 0, count: fields.localN },
  ];
  const tables: Cells[] = [];
  for (const { region, from, count } of windows) {
    if (region === undefined || tables.some((table) => table.region === region)) continue;
    const window = list.slice(from, from + count);
    const { slots, ranks } = memo.maglev(
      window.map(({ image }) => image), { size: maglev.size, seed },
    );
    const ids = ranks.map((rank) => window[rank]?.id ?? 0);
    tables.push({ region, ids: slots.map((rank) => ids[rank] ?? 0) });
  }
  return tables;
}

function putCell(
  { cell, ids }: { readonly cell: number; readonly ids: ArrayLike<number> },
  { keys, keyAt, values, valueAt }: RowPlace,
): void {
  putU32(keys, keyAt, cell);
  putLut(values, valueAt, { backend: ids });
}

function writeSets(plans: readonly PortPlan[], { writer }: ApplyContext): void {
  writer.update({
    map: 'fl_set',
    items: plans.filter(({ next }) => next !== undefined),
    skip: refused,
    put: ({ next, port, gen }, { keys, keyAt, values, valueAt }) => {
      if (next === undefined) return;
      putU32(keys, keyAt, next.setId);
      putSet(values, valueAt, setRow(next, port.svcId, gen));
    },
    refused: (plan, error) => refuse(plan, 'fl_set', error),
  });
}

/** A set as its row says it. */
export function setRow(set: ProgrammedSet, svcId: number, gen: number): SetRow {
  const { flags, localN, clusterOff, clusterN, affinityS } = set.fields;
  return {
    gen, svcId, flags, localN, clusterOff, clusterN, affinityS,
    listBase: set.region?.base ?? 0,
    maglevM: set.maglev?.size ?? 0,
    maglevLocal: set.maglev?.local?.base ?? 0,
    maglevCluster: set.maglev?.cluster?.base ?? 0,
    rangeId: set.ranges?.id ?? 0,
  };
}

function commit(plans: readonly PortPlan[], { writer, stores, now }: ApplyContext): void {
  writer.update({
    map: 'fl_svc',
    items: plans.filter(({ next }) => next !== undefined),
    skip: refused,
    put: ({ next, port, gen }, { keys, keyAt, values, valueAt }) => {
      putSvcKey(keys, keyAt, { svcId: port.svcId });
      putSvc(values, valueAt, { gen, setId: next?.setId ?? 0 });
    },
    wrote: ({ port, next, gen }) => {
      if (port.set !== undefined) stores.retire(port.set, next, now);
      port.set = next;
      port.gen = gen;
      port.live = true;
      port.damaged = false;
    },
    refused: (plan, error) => refuse(plan, 'fl_svc', error),
  });
}

function abandon({ port, next }: PortPlan, { stores, now }: ApplyContext): void {
  for (const member of port.members) member.wanted = member.prior;
  if (next !== undefined) stores.discard(next, port.set, now);
}

interface OwnedMember {
  readonly port: Programmed;
  readonly member: Member;
}

/**
 * Makes member rows what they are wanted to be: downgrades and removals after a commit, and rows of
 * a commit that did not come about. Members without a row are forgotten.
 */
export function settleMembers(
  ports: readonly Programmed[], { writer, stores, now }: Omit<ApplyContext, 'memo' | 'hashSeed'>,
  refused: (port: Programmed, refusal: Refusal) => void,
): void {
  const items: OwnedMember[] = [];
  const leavers = new Set<Programmed>();
  for (const port of ports) {
    for (const member of port.members) {
      if (member.bits !== member.wanted) items.push({ port, member });
      if (member.wanted === 0) leavers.add(port);
    }
  }
  const step: Omit<RowStep<OwnedMember>, 'items'> = {
    map: 'fl_member',
    put: ({ port, member }, { keys, keyAt, values, valueAt }) => {
      putMemberKey(keys, keyAt, { svcId: port.svcId, backendId: member.backend.id });
      putMember(values, valueAt, { bits: member.wanted });
    },
    wrote: ({ member }) => { member.bits = member.wanted; },
    refused: ({ port }, error) => refused(port, { map: 'fl_member', error }),
  };
  writer.update({ ...step, items: items.filter(({ member }) => member.wanted !== 0) });
  writer.remove({ ...step, items: items.filter(({ member }) => member.wanted === 0) });
  for (const port of leavers) {
    for (const { backend, bits, wanted } of port.members) {
      if (bits === 0 && wanted === 0) stores.backends.drop(backend, now);
    }
    port.members = port.members.filter(({ bits, wanted }) => bits !== 0 || wanted !== 0);
  }
}
