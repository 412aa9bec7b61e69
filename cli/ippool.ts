import { Option, type Command } from 'commander';
import { parseIp } from '../lb/ip.ts';
import { absent, printListing, withOutput, type OutputFlags, type Source } from './output.ts';
import { exitCodes, usageError } from './exit.ts';
import { withLive, type LiveFlags } from './cluster.ts';
import { repeated, withManifests, withManifestsOrLive } from './flags.ts';
import type { FolderFlags } from './folder.ts';
import type { FolderModel } from './foldermodel.ts';
import { ageText } from './age.ts';
import type { PlannedOnce } from '../lb/ipam/once.ts';
import type { PlannedEffect, PoolPlan, Transition } from './poolplan.ts';
import type { AddressRow, PoolRow } from './poolrows.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

interface ListFlags extends LiveFlags, OutputFlags {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly address?: string;
}

interface PlanFlags extends FolderFlags, OutputFlags {
  readonly now?: readonly string[];
}

/** `fairlead ippool list|plan`: pools and their use, and what a change would do. */
export function registerIppool(program: Command, session: Session): void {
  const ippool = program
    .command('ippool')
    .alias('ippools')
    .description('pools of addresses: their use, and what a change would keep, move or take away');
  withOutput(withLive(withManifestsOrLive(ippool.command('list'))))
    .description('pools with their counts; with NAME the addresses held; of -f or of the cluster')
    .argument('[name]', 'one pool')
    .option('--address <address>', 'who holds this address, and which pools have it')
    .action((name: string | undefined, flags: ListFlags) => list(session, name, flags));
  withOutput(withManifests(ippool.command('plan')))
    .description('what these pools would keep, move or take away; exit 1 on a move or a loss')
    .addOption(
      new Option(
        '--now <path>',
        'manifests of the present state, repeatable; without it ' +
          'the statuses of the Services say what they hold',
      ).argParser(repeated),
    )
    .action((flags: PlanFlags) => plan(session, flags));
}

async function modelAt(session: Session, flags: FolderFlags): Promise<FolderModel> {
  const { readFolder } = await import('./folder.ts');
  const { modelOf } = await import('./foldermodel.ts');
  const manifests = await readFolder(session.console, flags);
  for (const { file, line, column, message } of manifests.faults) {
    session.console.err(`warning: ${file}:${line}:${column}: ${message}\n`);
  }
  return modelOf(manifests);
}

interface PoolsAt {
  readonly model: FolderModel;
  readonly planned: PlannedOnce;
  readonly source: Source;
}

// Of a folder what the controller would give, of a cluster what its Services hold.
async function poolsAt(session: Session, flags: ListFlags): Promise<PoolsAt> {
  const { planFolder, storedPlan } = await import('./plan.ts');
  const { filename } = flags;
  if (filename !== undefined) {
    const model = await modelAt(session, { ...flags, filename });
    return { model, planned: planFolder(model), source: 'manifests' };
  }
  const { onCluster } = await import('./cluster.ts');
  const { liveModel } = await import('./livemodel.ts');
  return onCluster(session.console, flags, async (cluster) => {
    const { model, warnings } = await liveModel(cluster, 'pools');
    for (const warning of warnings) session.console.err(`warning: ${warning}\n`);
    return { model, planned: storedPlan(model), source: 'cluster' };
  });
}

async function list(session: Session, name: string | undefined, flags: ListFlags): Promise<void> {
  const { addressRows, poolRows, poolsWith } = await import('./poolrows.ts');
  const { model, planned, source } = await poolsAt(session, flags);
  const pools = model.pools.map(({ value }) => value);
  const held = addressRows(planned);
  if (flags.address !== undefined) {
    const address = parseIp(flags.address);
    if (!address.ok) throw usageError(`${flags.address} is no address`);
    const having = poolsWith(pools, address.value);
    const [holding] = held.filter(({ ip }) => ip === address.value);
    if (holding === undefined && having.length === 0) {
      throw absent(`${address.value} in a pool`, pools.map(({ meta }) => meta.name).slice(0, 5));
    }
    const rows = having.length === 0 ? [''] : having;
    const items = rows.map((pool): AddressRow => ({
      ip: address.value,
      pool,
      services: holding?.pool === pool ? holding.services : [],
    }));
    return printAddresses(session, flags, { source, items });
  }
  if (name === undefined) {
    return printPools(session, flags, { source, items: poolRows(pools, planned) });
  }
  if (!pools.some(({ meta }) => meta.name === name)) {
    const { nearestNames } = await import('./nearest.ts');
    throw absent(`pool ${name}`, nearestNames(name, pools.map(({ meta }) => meta.name)));
  }
  const items = held.filter(({ pool }) => pool === name);
  return printAddresses(session, flags, { source, items });
}

const poolColumns: readonly Column<PoolRow>[] = [
  { head: 'NAME', cell: (pool) => pool.name },
  { head: 'DISABLED', cell: (pool) => String(pool.disabled) },
  { head: 'CONFLICTING', cell: (pool) => titleCase(pool.conflicting) },
  { head: 'INVALID', cell: (pool) => titleCase(pool.invalid) },
  { head: 'FAMILIES', cell: (pool) => pool.families.join(',') },
  { head: 'TOTAL', cell: (pool) => pool.total },
  { head: 'USED', cell: (pool) => pool.used },
  { head: 'AVAILABLE', cell: (pool) => pool.available },
  { head: 'SERVICES', cell: (pool) => pool.serviceCount },
  { head: 'SELECTOR', cell: (pool) => pool.selector ?? '<all>' },
  { head: 'AGE', cell: (pool) => ageText(pool.created) },
];

const addressColumns: readonly Column<AddressRow>[] = [
  { head: 'ADDRESS', cell: (row) => row.ip },
  { head: 'POOL', cell: (row) => row.pool },
  { head: 'SERVICES', cell: (row) => row.services.join(',') },
];

interface Found<T> {
  readonly source: Source;
  readonly items: readonly T[];
}

function printPools(
  session: Session, flags: ListFlags, { source, items }: Found<PoolRow>,
): Promise<void> {
  return printListing(session.console, flags, {
    kind: 'PoolList',
    source,
    items,
    warnings: [],
    columns: poolColumns,
    rows: items,
    name: (pool) => `ciliumloadbalancerippool/${pool.name}`,
  });
}

function printAddresses(
  session: Session, flags: ListFlags, { source, items }: Found<AddressRow>,
): Promise<void> {
  return printListing(session.console, flags, {
    kind: 'AddressList',
    source,
    items,
    warnings: [],
    columns: addressColumns,
    rows: items,
    name: (row) => `address/${row.ip}`,
  });
}

// As kubectl prints conditions, and as the custom resource's own columns do.
function titleCase(fact: boolean): string {
  return fact ? 'True' : 'False';
}

async function plan(session: Session, flags: PlanFlags): Promise<void> {
  const { sidesOf } = await import('./plan.ts');
  const { comparePlans } = await import('./poolplan.ts');
  const given = await modelAt(session, flags);
  const present = flags.now === undefined
    ? undefined
    : await modelAt(session, { ...flags, filename: flags.now });
  const { now, after } = sidesOf(given, present);
  const items = comparePlans(now, after);
  const rows = items.flatMap(planRows);
  await printListing(session.console, flags, {
    kind: 'PoolPlanList',
    source: 'manifests',
    items,
    warnings: [],
    columns: planColumns,
    rows,
    group: ({ pool }) => pool.name ?? '',
    name: (item) => `ciliumloadbalancerippool/${item.name ?? ''}`,
  });
  const worse = items.flatMap(({ effects }) => effects)
    .some(({ effect }) => effect === 'moved' || effect === 'lost');
  session.exitCode = worse ? exitCodes.notWell : exitCodes.ok;
}

interface PlanRow {
  readonly pool: PoolPlan;
  /** Absent: the pool changes nothing for any Service. */
  readonly effect?: PlannedEffect;
}

function planRows(pool: PoolPlan): PlanRow[] {
  return pool.effects.length === 0 ? [{ pool }] : pool.effects.map((effect) => ({ pool, effect }));
}

const planColumns: readonly Column<PlanRow>[] = [
  { head: 'POOL', cell: ({ pool }) => pool.name, once: true },
  { head: 'CHANGE', cell: ({ pool }) => pool.change, once: true },
  { head: 'TOTAL', cell: ({ pool }) => transitionText(pool.total), once: true },
  { head: 'AVAILABLE', cell: ({ pool }) => transitionText(pool.available), once: true },
  { head: 'SERVICE', cell: ({ effect }) => effect?.service },
  { head: 'NOW', cell: ({ effect }) => effect?.now },
  { head: 'AFTER', cell: ({ effect }) => effect?.after },
  { head: 'EFFECT', cell: ({ effect }) => effectText(effect) },
];

function transitionText({ now, after }: Transition): string | undefined {
  if (now === after) return now === undefined ? undefined : String(now);
  return `${now ?? '-'} -> ${after ?? '-'}`;
}

function effectText(effect: PlannedEffect | undefined): string | undefined {
  if (effect === undefined) return undefined;
  return effect.reason === undefined ? effect.effect : `${effect.effect} (${effect.reason})`;
}
