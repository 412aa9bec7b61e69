import { frontFaults, frontViews, type FrontView, type SlotView } from '../bpf/views/fronts.ts';
import { flowViews, type FlowView } from '../bpf/views/flows.ts';
import {
  backendViews, memberViews, type BackendView, type MemberView,
} from '../bpf/views/members.ts';
import { rangeViews, type RangeView } from '../bpf/views/sourceranges.ts';
import { exitCodes } from './exit.ts';
import type { MapsNow, NodeMaps } from './nodemaps.ts';
import { printListing, type Listing, type OutputFlags } from './output.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

/** An item of a view and the node that it was found on. */
export type OnNode<View> = { readonly node: string } & View;

/** Every item of every node, nodes in their order. */
export function onNodes<View extends object>(
  nodes: readonly NodeMaps[], view: (maps: NodeMaps['maps']) => readonly View[],
): OnNode<View>[] {
  return nodes.flatMap(({ node, maps }) => view(maps).map((item) => ({ node, ...item })));
}

interface FrontRow {
  readonly item: OnNode<FrontView>;
  /** Absent: the front has no endpoint, or it cannot be told. */
  readonly slot?: SlotView;
}

/** `lb list`: fronts with the endpoints behind them. */
export function printFronts(session: Session, flags: OutputFlags, now: MapsNow): Promise<void> {
  const items = onNodes(now.nodes, frontViews);
  const rows = items.flatMap((item): FrontRow[] => (
    item.slots.length === 0 ? [{ item }] : item.slots.map((slot) => ({ item, slot }))
  ));
  return printView(session, flags, {
    now,
    kind: 'FrontendList', items, columns: frontColumns, rows,
    warnings: items.flatMap((item) => frontFaults(item).map((text) => `${item.node}: ${text}`)),
    group: ({ item }) => `${item.node} ${item.front} ${item.svc}`,
    name: ({ node, front }) => `frontend/${node}/${front}`,
  });
}

/** `lb list --fronts`: the fronts alone. */
export function printFrontKeys(session: Session, flags: OutputFlags, now: MapsNow): Promise<void> {
  const items = onNodes(now.nodes, frontViews);
  return printView(session, flags, {
    now,
    kind: 'FrontendList',
    items: items.map(({ slots: _slots, ...item }) => item),
    columns: frontKeyColumns,
    rows: items.map((item) => ({ item })),
    warnings: items.flatMap(({ node, front, fault }) => (
      fault === undefined ? [] : [`${node}: front ${front}: ${fault}`]
    )),
    name: ({ node, front }) => `frontend/${node}/${front}`,
  });
}

const frontKeyColumns: readonly Column<FrontRow>[] = [
  { head: 'NODE', cell: ({ item }) => item.node, once: true },
  { head: 'FRONT', cell: ({ item }) => item.front, once: true },
  { head: 'KIND', cell: ({ item }) => item.kind, once: true },
  { head: 'SVC', cell: ({ item }) => item.svc, once: true },
  { head: 'GEN', cell: ({ item }) => item.gen, once: true },
  { head: 'SET', cell: ({ item }) => item.set ?? item.fault, once: true },
  { head: 'FLAGS', cell: ({ item }) => item.flags.join(',') },
];

const frontColumns: readonly Column<FrontRow>[] = [
  ...frontKeyColumns.slice(0, 5),
  { head: 'SET', cell: ({ item }) => item.set, once: true },
  { head: 'SLOT', cell: ({ slot }) => slot?.slot },
  // What is missing stands where it would have been.
  { head: 'ENDPOINT', cell: ({ item, slot }) => slot?.fault ?? slot?.endpoint ?? item.fault },
  { head: 'SCOPE', cell: ({ slot }) => slot?.scope },
  ...frontKeyColumns.slice(6),
];

/** `lb list --backends`: what service ports have as endpoints. */
export function printBackends(session: Session, flags: OutputFlags, now: MapsNow): Promise<void> {
  const items = onNodes(now.nodes, backendViews);
  return printView(session, flags, {
    now,
    kind: 'BackendList', items, columns: backendColumns, rows: items,
    warnings: faultWarnings(items),
    name: ({ node, id }) => `backend/${node}/${id}`,
  });
}

const backendColumns: readonly Column<OnNode<BackendView>>[] = [
  { head: 'NODE', cell: (row) => row.node },
  { head: 'ID', cell: (row) => row.id },
  { head: 'ENDPOINT', cell: (row) => row.fault ?? row.endpoint },
  { head: 'PROTO', cell: (row) => row.protocol },
  { head: 'GEN', cell: (row) => row.gen },
  { head: 'FLAGS', cell: (row) => row.flags.join(',') },
  { head: 'SVC', cell: (row) => row.services.join(',') },
];

/** `lb list --members`: which endpoints a service port may have, listed or not. */
export function printMembers(session: Session, flags: OutputFlags, now: MapsNow): Promise<void> {
  const items = onNodes(now.nodes, memberViews);
  return printView(session, flags, {
    now,
    kind: 'MemberList', items, columns: memberColumns, rows: items,
    warnings: faultWarnings(items),
    name: ({ node, svc, id }) => `member/${node}/${svc}-${id}`,
  });
}

const memberColumns: readonly Column<OnNode<MemberView>>[] = [
  { head: 'NODE', cell: (row) => row.node },
  { head: 'SVC', cell: (row) => row.svc },
  { head: 'ID', cell: (row) => row.id },
  { head: 'ENDPOINT', cell: (row) => row.fault ?? row.endpoint },
  { head: 'SCOPE', cell: (row) => (row.scope === 'none' ? undefined : row.scope) },
  { head: 'FLAGS', cell: (row) => (row.serving ? 'serving' : undefined) },
];

/** `lb list --ranges`: who may reach which service port's VIPs. */
export function printRanges(session: Session, flags: OutputFlags, now: MapsNow): Promise<void> {
  const items = onNodes(now.nodes, rangeViews);
  return printView(session, flags, {
    now,
    kind: 'SourceRangeList', items, columns: rangeColumns, rows: items,
    warnings: faultWarnings(items),
    name: ({ node, range, prefix }) => `sourcerange/${node}/${range}-${prefix ?? ''}`,
  });
}

const rangeColumns: readonly Column<OnNode<RangeView>>[] = [
  { head: 'NODE', cell: (row) => row.node },
  { head: 'SVC', cell: (row) => row.svc },
  { head: 'RANGE', cell: (row) => row.range },
  { head: 'PREFIX', cell: (row) => row.fault ?? row.prefix },
  { head: 'FLAGS', cell: (row) => row.flags.join(',') },
];

/** `lb ct`: connections. */
export function printFlows(session: Session, flags: OutputFlags, now: MapsNow): Promise<void> {
  const items = onNodes(now.nodes, (maps) => flowViews(maps, now.nowSeconds));
  return printView(session, flags, {
    now,
    kind: 'ConnectionList',
    items: items.map(({ idleSeconds, ...item }) => ({ ...item, idleMs: idleSeconds * 1_000 })),
    columns: flowColumns, rows: items, warnings: [],
    name: ({ node, dir, client, front }) => `connection/${node}/${dir}-${client}-${front}`,
  });
}

const flowColumns: readonly Column<OnNode<FlowView>>[] = [
  { head: 'NODE', cell: (row) => row.node },
  { head: 'DIR', cell: (row) => row.dir },
  { head: 'PROTO', cell: (row) => row.protocol },
  { head: 'CLIENT', cell: (row) => row.client },
  { head: 'FRONT', cell: (row) => row.front },
  { head: 'ENDPOINT', cell: (row) => row.endpoint },
  { head: 'SNAT', cell: (row) => row.snat },
  { head: 'STATE', cell: (row) => row.state },
  { head: 'IDLE', cell: (row) => `${row.idleSeconds}s`, sortKey: (row) => row.idleSeconds },
  { head: 'FLAGS', cell: (row) => row.flags.join(','), wide: true },
  { head: 'SVC', cell: (row) => row.svc, wide: true },
];

/** Prints a view of maps; any warning is about rows that disagree, and the answer is then 1. */
export async function printView<Item, Row>(
  session: Session, flags: OutputFlags, { now, ...view }: View<Item, Row>,
): Promise<void> {
  await printListing(session.console, flags, { ...view, source: now.source });
  if (view.warnings.length > 0) session.exitCode = exitCodes.notWell;
}

type View<Item, Row> = Omit<Listing<Item, Row>, 'source'> & { readonly now: MapsNow };

function faultWarnings(
  items: readonly OnNode<{ readonly fault: string | undefined }>[],
): string[] {
  return items.flatMap(({ node, fault }) => (fault === undefined ? [] : [`${node}: ${fault}`]));
}
