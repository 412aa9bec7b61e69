import { bootFolder } from './bootfolder.ts';
import type { ClusterFlags } from './clusterspec.ts';
import { CommandEnd, exitCodes, usageError } from './exit.ts';
import type { FolderFlags } from './folder.ts';
import { matches, type MapsNow, type PinFlags } from './nodemaps.ts';
import type { Session } from './session.ts';

type SimulatedFlags = PinFlags & FolderFlags & Partial<ClusterFlags>;

/** Boots manifests and gives the maps of the simulated nodes to `body`, once all is at rest. */
export async function withSimulatedMaps(
  session: Session, flags: SimulatedFlags, body: (now: MapsNow) => Promise<void>,
): Promise<void> {
  if (flags.pins !== undefined) throw usageError('of --pins and -f only one can stand');
  const { nodes: count = '3', ...rest } = flags;
  const { cluster } = await bootFolder(session.console, { ...rest, nodes: count });
  const names = cluster.machines.names();
  const wanted = flags.node?.map((pattern) => names.filter((name) => matches(pattern, name)));
  const unknown = flags.node?.find((_, at) => wanted?.[at]?.length === 0);
  if (unknown !== undefined) {
    const there = names.join(', ');
    throw new CommandEnd(exitCodes.unreachable, `no node ${unknown} here; there are ${there}`);
  }
  const asked = new Set(wanted?.flat() ?? names);
  const microseconds = cluster.world.now;
  await body({
    source: 'manifests',
    nodes: names.filter((name) => asked.has(name)).map((name) => (
      { node: name, maps: cluster.machines.kernel(name) }
    )),
    nowSeconds: Math.floor(microseconds / 1_000_000),
    bootNs: BigInt(microseconds) * 1_000n,
  });
}
