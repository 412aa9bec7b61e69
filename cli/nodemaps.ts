import { Option, type Command } from 'commander';
import type { Addon } from '../bpf/native.real.ts';
import type { PinnedMaps, PinnedNode } from '../bpf/pinnedmaps.real.ts';
import type { MapLimits } from '../bpf/views/mapfill.ts';
import type { MapReader } from '../bpf/views/mapreader.ts';
import { CommandEnd, exitCodes } from './exit.ts';
import { repeated } from './flags.ts';
import type { Source } from './output.ts';
import type { Session } from './session.ts';

export interface PinFlags {
  /** Names, `*` stands for any part of one. */
  readonly node?: readonly string[];
  readonly pins?: string;
  /** Manifests: the maps are then those of the cluster that they make. */
  readonly filename?: readonly string[];
}

/** The maps of one node, live or not. */
export interface NodeMaps {
  readonly node: string;
  readonly maps: MapReader;
  /** Entries of maps that are not those of a medium node. */
  readonly limits?: MapLimits;
}

/** What a view of maps is made of. */
export interface MapsNow {
  /** `manifests` for the kernels of a simulated cluster. */
  readonly source: Source;
  readonly nodes: readonly NodeMaps[];
  /** The kernel's monotonic clock, which rows of flows are stamped with. */
  readonly nowSeconds: number;
  /** CLOCK_BOOTTIME, which L2 fences are stamped with. */
  readonly bootNs: bigint;
}

/** Adds the flags that say whose maps are read. */
export function withPins(command: Command): Command {
  return command
    .addOption(new Option('--node <name>', 'only this node, * for any; repeatable')
      .argParser(repeated))
    .option('--pins <dir>', 'folder of bpffs with NODE/vLAYOUT; default: fairlead on the bpffs');
}

/**
 * Reads the pinned maps of this kernel's nodes, whether their agents run or not, or with `filename`
 * those of a simulated cluster, and gives them to `body`. Ends with 3 where none can be read; with
 * 4, and their names on stderr, where some cannot.
 */
export async function withNodeMaps(
  session: Session, flags: PinFlags, body: (now: MapsNow) => Promise<void>,
): Promise<void> {
  if (flags.filename !== undefined) {
    const { withSimulatedMaps } = await import('./simulatedmaps.ts');
    return withSimulatedMaps(session, { ...flags, filename: flags.filename }, body);
  }
  const { loadAddon } = await import('../bpf/native.real.ts');
  const { openPinnedMaps } = await import('../bpf/pinnedmaps.real.ts');
  const wanted = await nodesWanted(flags);
  const loaded = loadAddon();
  if (!loaded.ok) throw unreachable(loaded.error.text);
  const addon: Addon = loaded.value;
  const opened: (PinnedMaps & { readonly node: string })[] = [];
  const refused: string[] = [...wanted.unknown];
  for (const pinned of wanted.nodes) {
    const maps = openPinnedMaps(addon, pinned);
    if (maps.ok) opened.push(Object.assign(maps.value, { node: pinned.node }));
    else refused.push(maps.error.text);
  }
  try {
    const [first] = refused;
    if (opened.length === 0 && first !== undefined) throw unreachable(first);
    await body({
      source: 'cluster', nodes: opened,
      bootNs: addon.bootNs(),
      nowSeconds: Number(process.hrtime.bigint() / 1_000_000_000n),
    });
  } finally {
    for (const pinned of opened) pinned.close();
  }
  for (const text of refused) session.console.err(`warning: ${text}\n`);
  // A finding outranks a silent node (interface.md 8).
  if (refused.length > 0 && session.exitCode === exitCodes.ok) session.exitCode = exitCodes.partial;
}

interface Wanted {
  readonly nodes: readonly PinnedNode[];
  /** A sentence for each name that no node has. */
  readonly unknown: readonly string[];
}

async function nodesWanted(flags: PinFlags): Promise<Wanted> {
  const { pinnedNodes, pinRoot } = await import('../bpf/pinnedmaps.real.ts');
  const root = flags.pins === undefined ? pinRoot() : { ok: true as const, value: flags.pins };
  if (!root.ok) throw unreachable(root.error.text);
  const found = pinnedNodes(root.value);
  if (!found.ok) throw unreachable(found.error.text);
  if (found.value.length === 0) throw unreachable(`${root.value} holds no node's maps`);
  if (flags.node === undefined) return { nodes: found.value, unknown: [] };
  const names = found.value.map(({ node }) => node).join(', ');
  const unknown = flags.node
    .filter((name) => !found.value.some(({ node }) => matches(name, node)))
    .map((name) => `no maps of node ${name} in ${root.value}; there are ${names}`);
  const nodes = found.value.filter(({ node }) => flags.node?.some((name) => matches(name, node)));
  return { nodes, unknown };
}

/** Whether `--node` means a node; `*` stands for any part of a name. */
export function matches(pattern: string, node: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/gu, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'u').test(node);
}

function unreachable(sentence: string): CommandEnd {
  return new CommandEnd(exitCodes.unreachable, sentence);
}
