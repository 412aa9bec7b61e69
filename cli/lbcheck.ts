import type { MapDifference } from '../bpf/views/mapcheck.ts';
import { datapathDefaults } from '../lb/datapathoptions.ts';
import { onCluster, type LiveFlags } from './cluster.ts';
import { exitCodes } from './exit.ts';
import type { FolderFlags } from './folder.ts';
import type { FolderModel } from './foldermodel.ts';
import { onNodes, type OnNode } from './lbviews.ts';
import type { MapsNow } from './nodemaps.ts';
import { printListing, type OutputFlags } from './output.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';
import { differencesOf } from './wantedmaps.ts';

export type CheckFlags = OutputFlags & LiveFlags & Partial<FolderFlags>;

/** The objects that say what the maps should hold: manifests, or a live cluster's. */
export async function wantedObjects({ console }: Session, flags: CheckFlags): Promise<FolderModel> {
  const { filename, ...rest } = flags;
  if (filename !== undefined) {
    const { readFolder } = await import('./folder.ts');
    const { modelOf } = await import('./foldermodel.ts');
    return modelOf(await readFolder(console, { ...rest, filename }));
  }
  const { liveModel } = await import('./livemodel.ts');
  return onCluster(console, flags, async (cluster) => (await liveModel(cluster, 'pools')).model);
}

/** `lb list --check`: only what differs; 1 where anything does (interface.md 4.6). */
export async function printDifferences(
  session: Session, flags: OutputFlags, { now, model }: { now: MapsNow; model: FolderModel },
): Promise<void> {
  const items = now.nodes.flatMap((node) => (
    onNodes([node], (maps) => differencesOf(maps, {
      nodeName: node.node, options: datapathDefaults,
      nodes: model.nodes.map(({ value }) => value),
      services: model.services.map(({ value }) => value),
      slices: model.slices.map(({ value }) => value),
    }))
  ));
  await printListing(session.console, flags, {
    kind: 'DifferenceList', source: 'cluster', items, columns, rows: items, warnings: [],
    name: ({ node, front }) => `frontend/${node}/${front}`,
  });
  if (items.length > 0) session.exitCode = exitCodes.notWell;
}

const columns: readonly Column<OnNode<MapDifference>>[] = [
  { head: 'NODE', cell: (row) => row.node },
  { head: 'DIFFERENCE', cell: (row) => row.kind },
  { head: 'FRONT', cell: (row) => row.front },
  { head: 'WHAT', cell: (row) => row.what },
];
