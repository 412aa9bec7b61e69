import { mapFills, type MapFill } from '../bpf/views/mapfill.ts';
import { printView, type OnNode } from './lbviews.ts';
import type { MapsNow } from './nodemaps.ts';
import type { OutputFlags } from './output.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

/** `lb maps`: how full each map is whose rows come and go. */
export function printFills(session: Session, flags: OutputFlags, now: MapsNow): Promise<void> {
  const items = now.nodes.flatMap(({ node, maps, limits }) => (
    mapFills(maps, limits).map((fill) => ({ node, ...fill }))
  ));
  return printView(session, flags, {
    now,
    kind: 'MapFillList', items, columns, rows: items, warnings: [],
    name: ({ node, map }) => `map/${node}/${map}`,
  });
}

const columns: readonly Column<OnNode<MapFill>>[] = [
  { head: 'NODE', cell: (row) => row.node },
  { head: 'MAP', cell: (row) => row.map },
  { head: 'ENTRIES', cell: (row) => row.entries },
  { head: 'LIMIT', cell: (row) => row.limit },
  { head: 'FILL', cell: (row) => `${shareOf(row).toFixed(1)} %`, sortKey: shareOf },
];

function shareOf({ entries, limit }: MapFill): number {
  return (entries / limit) * 100;
}
