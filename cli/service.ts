import { Option, type Command } from 'commander';
import type { ClusterFlags } from './clusterspec.ts';
import { exitCodes, usageError } from './exit.ts';
import { withCluster, withManifests, withManifestsOrLive } from './flags.ts';
import type { FolderFlags } from './folder.ts';
import { withNodeMaps, withPins, type PinFlags } from './nodemaps.ts';
import { serviceNamed, withNamespace, type NamespaceFlags } from './namespace.ts';
import {
  absent,
  paintOf,
  printDocument,
  printListing,
  withOutput,
  type Format,
  type OutputFlags,
} from './output.ts';
import type { ServiceRow } from './servicerows.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

interface ExplainFlags extends FolderFlags, NamespaceFlags, ClusterFlags {
  readonly all?: boolean;
  readonly output: Format;
}

/** `fairlead service explain`: the first broken link between a Service and its clients. */
export function registerService(program: Command, session: Session): void {
  const service = program
    .command('service')
    .alias('svc')
    .description('Services: their frontends, and why one works or does not');
  registerList(service, session);
  const explain = withCluster(withManifests(withNamespace(service.command('explain'))))
    .description('walk the chain from allocation to datapath, to the first broken link')
    .argument('<name>', 'NAME, NS/NAME or svc/NAME')
    .option('--all', 'walk on after a broken link')
    .addOption(new Option('-o, --output <format>', 'shape of the answer')
      .choices(['table', 'json', 'yaml']).default('table').env('FAIRLEAD_OUTPUT'));
  explain.action(async (name: string, flags: ExplainFlags) => {
    const { console } = session;
    const { bootFolder } = await import('./bootfolder.ts');
    const { modelOf } = await import('./foldermodel.ts');
    const { explainRun } = await import('./explainrun.ts');
    const { chainHolds, explanationText, stopAtFirstFault } = await import('./explanation.ts');
    const { manifests, cluster } = await bootFolder(console, flags);
    const key = serviceNamed(name, flags);
    const whole = explainRun(cluster, key);
    if (whole === undefined) {
      const model = modelOf(manifests);
      const { nearestNames } = await import('./nearest.ts');
      const known = model.services.map(({ value }) => value.key);
      const sameName = known.filter((other) => other.endsWith(`/${key.split('/')[1]}`));
      throw absent(`Service ${key}`, [...new Set([...sameName, ...nearestNames(key, known)])]);
    }
    const explanation = flags.all === true
      ? whole
      : { ...whole, steps: stopAtFirstFault(whole.steps) };
    if (flags.output === 'json' || flags.output === 'yaml') {
      await printDocument(console, flags.output, {
        kind: 'ServiceExplanation',
        source: 'manifests',
        items: [explanation],
        warnings: [],
      });
    } else {
      console.out(explanationText(explanation, paintOf(console, explain)));
    }
    session.exitCode = chainHolds(explanation) ? exitCodes.ok : exitCodes.notWell;
  });
}

interface ListFlags extends NamespaceFlags, ClusterFlags, OutputFlags, PinFlags {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
}

function registerList(service: Command, session: Session): void {
  const list = withManifestsOrLive(withNamespace(service.command('list')));
  withOutput(withPins(withCluster(list)))
    .description('one row for each frontend: of manifests with -f, else of the maps of this node')
    .argument('[name]', 'NAME, NS/NAME or svc/NAME; with -f')
    .action(async (name: string | undefined, flags: ListFlags) => {
      const { filename } = flags;
      return filename === undefined
        ? listLive(session, name, flags)
        : listFolder(session, name, { ...flags, filename });
    });
}

async function listLive(
  session: Session, name: string | undefined, flags: ListFlags,
): Promise<void> {
  const narrowed = flags.namespace !== undefined && flags.allNamespaces !== true;
  if (name !== undefined || narrowed) {
    throw usageError('the maps of a node hold no names of Services: give -f, or ask for all by -A');
  }
  const { printLiveServices } = await import('./liveservices.ts');
  return withNodeMaps(session, flags, (now) => printLiveServices(session, flags, now));
}

async function listFolder(
  { console }: Session, name: string | undefined, flags: ListFlags & FolderFlags,
): Promise<void> {
  const { bootFolder } = await import('./bootfolder.ts');
  const { serviceRows } = await import('./servicerows.ts');
  const { cluster } = await bootFolder(console, flags);
  const key = name === undefined ? undefined : serviceNamed(name, flags);
  const items = serviceRows(cluster).filter((row) => key === undefined
    ? flags.allNamespaces === true || row.namespace === (flags.namespace ?? 'default')
    : key === `${row.namespace}/${row.name}`);
  if (key !== undefined && items.length === 0) throw absent(`Service ${key}`, []);
  await printListing(console, flags, {
    kind: 'ServiceList',
    source: 'manifests',
    items,
    warnings: [],
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
