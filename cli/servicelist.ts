import type { Command } from 'commander';
import { withLive, type ClusterReader, type LiveFlags } from './cluster.ts';
import type { ClusterFlags } from './clusterspec.ts';
import { usageError } from './exit.ts';
import { withCluster, withManifestsOrLive } from './flags.ts';
import { serviceNamed, withNamespace, type NamespaceFlags } from './namespace.ts';
import { withNodeMaps, withPins, type PinFlags } from './nodemaps.ts';
import { absent, printListing, withOutput, type OutputFlags, type Source } from './output.ts';
import type { ServiceRow } from './servicerows.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

interface ListFlags extends
  LiveFlags, NamespaceFlags, ClusterFlags, OutputFlags, PinFlags {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
}

/** `fairlead service list`: of manifests, of a cluster, or of the maps of this node. */
export function registerServiceList(service: Command, session: Session): void {
  const list = withLive(withManifestsOrLive(withNamespace(service.command('list'))));
  withOutput(withPins(withCluster(list)))
    .description(
      'one row for each frontend: of manifests with -f, of the maps of this node with --pins or ' +
        '--node or where no cluster is named, else of the cluster',
    )
    .argument('[name]', 'NAME, NS/NAME or svc/NAME; not for maps')
    .action((name: string | undefined, flags: ListFlags) => listServices(session, name, flags));
}

async function listServices(
  session: Session, name: string | undefined, flags: ListFlags,
): Promise<void> {
  const { filename } = flags;
  if (filename !== undefined) {
    const { bootFolder } = await import('./bootfolder.ts');
    const { simulatedRows } = await import('./servicerows.ts');
    const { cluster } = await bootFolder(session.console, { ...flags, filename });
    return printRows(session, { name, flags, source: 'manifests', rows: simulatedRows(cluster) });
  }
  const maps = flags.pins !== undefined || flags.node !== undefined;
  const { connectCluster } = await import('./cluster.ts');
  const cluster = maps ? undefined : await connectCluster(flags, session.console);
  if (cluster === undefined) return listMaps(session, name, flags);
  try {
    return await listCluster(session, cluster, { name, flags });
  } finally {
    cluster.close();
  }
}

async function listCluster(
  session: Session, cluster: ClusterReader, asked: { name: string | undefined; flags: ListFlags },
): Promise<void> {
  const { liveModel } = await import('./livemodel.ts');
  const { liveRows } = await import('./servicerows.ts');
  const live = await liveModel(cluster, 'all');
  const { namespace = cluster.namespace } = asked.flags;
  return printRows(session, {
    ...asked, flags: { ...asked.flags, namespace }, source: 'cluster', rows: liveRows(live),
    warnings: live.warnings,
  });
}

async function listMaps(
  session: Session, name: string | undefined, flags: ListFlags,
): Promise<void> {
  const narrowed = flags.namespace !== undefined && flags.allNamespaces !== true;
  if (name !== undefined || narrowed) {
    throw usageError(
      'the maps of a node hold no names of Services: give -f or --kubeconfig, or ask for all by -A',
    );
  }
  const { printLiveServices } = await import('./liveservices.ts');
  return withNodeMaps(session, flags, (now) => printLiveServices(session, flags, now));
}

interface Rows {
  readonly name: string | undefined;
  readonly flags: ListFlags;
  readonly source: Source;
  readonly rows: readonly ServiceRow[];
  readonly warnings?: readonly string[];
}

async function printRows({ console }: Session, of: Rows): Promise<void> {
  const { name, flags, source, rows, warnings = [] } = of;
  const key = name === undefined ? undefined : serviceNamed(name, flags);
  const items = rows.filter((row) => key === undefined
    ? flags.allNamespaces === true || row.namespace === (flags.namespace ?? 'default')
    : key === `${row.namespace}/${row.name}`);
  if (key !== undefined && items.length === 0) throw absent(`Service ${key}`, []);
  await printListing(console, flags, {
    kind: 'ServiceList',
    source,
    items,
    warnings,
    columns: serviceColumns,
    rows: items,
    name: (row) => `service/${row.namespace}/${row.name}`,
  });
}

const serviceColumns: readonly Column<ServiceRow>[] = [
  { head: 'NAMESPACE', cell: (row) => row.namespace },
  { head: 'NAME', cell: (row) => row.name },
  { head: 'TYPE', cell: (row) => row.type },
  { head: 'FRONTEND', cell: (row) => row.frontend },
  { head: 'POLICY', cell: (row) => row.policy },
  { head: 'BACKENDS', cell: (row) => row.backends },
  { head: 'EXTERNAL-IP', cell: (row) => externalText(row) },
  { head: 'ANNOUNCED', cell: (row) => row.announced },
  { head: 'READY', cell: (row) => row.ready },
  // The id is a kernel's own; a folder has none to show.
  { head: 'ID', cell: () => undefined, wide: true },
  { head: 'ALGORITHM', cell: (row) => row.algorithm, wide: true },
  { head: 'AFFINITY', cell: (row) => affinityText(row), wide: true },
  { head: 'SOURCE-RANGES', cell: (row) => row.sourceRanges.join(','), wide: true },
  { head: 'POOL', cell: (row) => row.pool, wide: true },
  { head: 'ENDPOINTS', cell: (row) => row.endpoints.join(','), wide: true },
];

function externalText({ type, externalIp }: ServiceRow): string | undefined {
  return type === 'LoadBalancer' ? (externalIp ?? '<pending>') : undefined;
}

function affinityText({ affinity }: ServiceRow): string | undefined {
  return affinity === undefined ? undefined : `ClientIP ${affinity}s`;
}
