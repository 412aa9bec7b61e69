import { serviceViews, type ServiceView } from '../bpf/views/services.ts';
import { onNodes, printView, type OnNode } from './lbviews.ts';
import type { MapsNow } from './nodemaps.ts';
import type { OutputFlags } from './output.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

/**
 * `service list` from the maps of live nodes: a row for each frontend and node. The maps hold no
 * names, so that a Service is known by its id and frontends.
 */
export async function printLiveServices(
  session: Session, flags: OutputFlags, now: MapsNow,
): Promise<void> {
  const items = onNodes(now.nodes, (maps) => serviceViews(maps, now.bootNs));
  await printView(session, flags, {
    now,
    kind: 'ServiceList',
    items: items.map(({ faults: _faults, announced, node, ...item }) => ({
      ...item, node, ...(announced ? { announced: `l2:${node}` } : {}),
    })),
    columns, rows: items,
    warnings: items.flatMap(({ node, faults }) => faults.map((text) => `${node}: ${text}`)),
    name: ({ node, frontend }) => `service/${node}/${frontend}`,
  });
}

const columns: readonly Column<OnNode<ServiceView>>[] = [
  { head: 'NAMESPACE', cell: () => undefined },
  { head: 'NAME', cell: () => undefined },
  { head: 'TYPE', cell: (row) => row.type },
  { head: 'FRONTEND', cell: (row) => row.frontend },
  { head: 'POLICY', cell: (row) => row.policy },
  { head: 'BACKENDS', cell: (row) => `${row.localBackends}/${row.backends}` },
  { head: 'EXTERNAL-IP', cell: (row) => row.externalIp },
  { head: 'ANNOUNCED', cell: (row) => (row.announced ? `l2:${row.node}` : undefined) },
  { head: 'READY', cell: (row) => row.ready },
  { head: 'ID', cell: (row) => row.id, wide: true },
  { head: 'ALGORITHM', cell: (row) => row.algorithm, wide: true },
  {
    head: 'AFFINITY', wide: true,
    cell: ({ affinity }) => (affinity === undefined ? undefined : `ClientIP ${affinity}s`),
  },
  { head: 'SOURCE-RANGES', cell: (row) => row.sourceRanges.join(','), wide: true },
  // Who asked for the address is not in the maps.
  { head: 'POOL', cell: () => undefined, wide: true },
  { head: 'ENDPOINTS', cell: (row) => row.endpoints.join(','), wide: true },
  { head: 'NODE', cell: (row) => row.node, wide: true },
];
