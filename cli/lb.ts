import { InvalidArgumentError, Option, type Command } from 'commander';
import { defaultHashSeed } from '../lb/murmur.ts';
import { withLive, type LiveFlags } from './cluster.ts';
import { usageError } from './exit.ts';
import { withCluster, withManifestsOrLive } from './flags.ts';
import type { FolderFlags } from './folder.ts';
import { withNodeMaps, withPins, type MapsNow, type PinFlags } from './nodemaps.ts';
import { withOutput, type OutputFlags } from './output.ts';
import type { Session } from './session.ts';

interface ViewFlags extends PinFlags, OutputFlags, Partial<FolderFlags> {}

interface ListFlags extends ViewFlags, LiveFlags {
  readonly fronts?: boolean;
  readonly backends?: boolean;
  readonly ranges?: boolean;
  readonly members?: boolean;
  readonly check?: boolean;
}

interface MaglevFlags extends ViewFlags {
  readonly key?: string;
  readonly hashSeed: number;
}

/**
 * `fairlead lb list|maglev|ct|maps`, and the same under the names that users of bpf commands know:
 * `bpf lb list`, `bpf maglev list|get`, `bpf ct list`, `bpf map list`. They read pinned maps, so
 * they answer while the agent is stopped; with -f those of a simulated cluster.
 */
export function registerLb(program: Command, session: Session): void {
  const lb = program.command('lb').description('what the kernel of this node holds of Services');
  registerList(lb.command('list'), session);
  const tables = lb.command('maglev').argument('[frontend]', 'a frontend, or a service id');
  registerTables(tables, session);
  registerFlows(lb.command('ct'), session);
  registerFills(lb.command('maps'), session);

  const bpf = program.command('bpf').description('the maps of this node, by their names elsewhere');
  registerList(group(bpf, 'lb', 'frontends and what is behind them').command('list'), session);
  const maglev = group(bpf, 'maglev', 'consistent selection');
  registerTables(maglev.command('list'), session);
  registerTables(maglev.command('get').argument('<svc>', 'a service id, or a frontend'), session);
  registerFlows(group(bpf, 'ct', 'connections').command('list'), session);
  registerFills(group(bpf, 'map', 'maps').command('list'), session);
}

/** Pins of this machine, or manifests that a simulated cluster is made of. */
function withMaps(command: Command): Command {
  return withCluster(withManifestsOrLive(withPins(command)));
}

function group(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description);
}

function registerList(command: Command, session: Session): void {
  withOutput(withLive(withMaps(command)))
    .description('frontends with their endpoints; exit 1 where one names what is not there')
    .option('--fronts', 'frontends alone')
    .option('--backends', 'endpoints by id')
    .option('--ranges', 'source ranges')
    .option('--members', 'endpoints that a service port may have')
    .option('--check', 'only what is not as the cluster, or -f, wants it; exit 1 where anything is')
    .action((flags: ListFlags) => list(session, flags));
}

async function list(session: Session, flags: ListFlags): Promise<void> {
  const views = await import('./lbviews.ts');
  const filters = [
    { set: flags.fronts, print: views.printFrontKeys },
    { set: flags.backends, print: views.printBackends },
    { set: flags.ranges, print: views.printRanges },
    { set: flags.members, print: views.printMembers },
  ].filter(({ set }) => set === true);
  if (flags.check === true) {
    if (filters.length > 0) throw usageError('--check looks at everything and takes no filter');
    const { printDifferences, wantedObjects } = await import('./lbcheck.ts');
    const model = await wantedObjects(session, flags);
    const { filename: _wanted, ...live } = flags;
    return withNodeMaps(session, live, (now) => printDifferences(session, flags, { now, model }));
  }
  if (filters.length > 1) {
    throw usageError('of --fronts, --backends, --ranges and --members only one can stand');
  }
  const print = filters[0]?.print ?? views.printFronts;
  return withNodeMaps(session, flags, (now) => print(session, flags, now));
}

function registerTables(command: Command, session: Session): void {
  const [argument] = command.registeredArguments;
  const asks = argument !== undefined;
  const shares = 'what each endpoint has of a Maglev table';
  const tables = 'Maglev tables: one for each service port and scope';
  const both = `${tables}; of a frontend, ${shares}`;
  withOutput(withMaps(command)).description(asks ? (argument.required ? shares : both) : tables);
  if (asks) {
    command
      .option('--key <address:port>', 'a client: which endpoint it gets')
      .addOption(new Option('--hash-seed <n>', 'of the cluster').default(defaultHashSeed)
        .argParser(seed));
  }
  command.action(async (...given: unknown[]) => {
    const service = asks ? given[0] as string | undefined : undefined;
    const flags = given[asks ? 1 : 0] as MaglevFlags;
    const { printShares, printTables } = await import('./maglevviews.ts');
    const keyAlone = service === undefined && flags.key !== undefined;
    if (keyAlone) throw usageError('--key needs a frontend');
    return withNodeMaps(session, flags, (now: MapsNow) => (service === undefined
      ? printTables(session, flags, now)
      : printShares(session, { ...flags, service, key: flags.key }, now)));
  });
}

function registerFlows(command: Command, session: Session): void {
  withOutput(withMaps(command))
    .description('connections, one row for each direction')
    .action(async (flags: ViewFlags) => {
      const { printFlows } = await import('./lbviews.ts');
      return withNodeMaps(session, flags, (now) => printFlows(session, flags, now));
    });
}

function registerFills(command: Command, session: Session): void {
  withOutput(withMaps(command))
    .description('how full each map is, connections too')
    .action(async (flags: ViewFlags) => {
      const { printFills } = await import('./mapviews.ts');
      return withNodeMaps(session, flags, (now) => printFills(session, flags, now));
    });
}

function seed(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff) {
    throw new InvalidArgumentError('it is an unsigned 32-bit number');
  }
  return number;
}
