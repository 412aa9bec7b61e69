import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../lb/result.ts';
import { KernelMap } from './kernelmap.real.ts';
import { realKernel } from './kernel.real.ts';
import { layoutHash, maps as declared } from './layout.gen.ts';
import { bpffsPath, parseMountinfo } from './mountinfo.ts';
import { pinKind, type Addon, type MapHandle } from './native.real.ts';
import { isRefused, refusal } from './refusal.real.ts';
import type { MapLimits } from './views/mapfill.ts';
import type { MapReader } from './views/mapreader.ts';

/** Why pinned maps cannot be read; `text` says what and what to do. */
export interface PinError {
  readonly kind: 'no-bpffs' | 'no-pins' | 'refused' | 'other-layout' | 'missing-pin';
  readonly text: string;
}

/** The pins of one node: `folder` holds the maps of the layout that this build reads. */
export interface PinnedNode {
  readonly node: string;
  readonly folder: string;
}

/** The maps of one node, whether its agent runs or not. */
export interface PinnedMaps {
  readonly maps: MapReader;
  /** Entries of each map, as it was created for this node. */
  readonly limits: MapLimits;
  close(): void;
}

/** Where the agents of this kernel keep their pins (datapath.md 11). */
export function pinRoot(): Result<string, PinError> {
  const bpffs = bpffsPath(parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')));
  if (!bpffs.ok) return err({ kind: 'no-bpffs', text: bpffs.error.text });
  return ok(join(bpffs.value, 'fairlead'));
}

/** The nodes that have pins below `root`, by name. */
export function pinnedNodes(root: string): Result<readonly PinnedNode[], PinError> {
  const folders = foldersIn(root);
  if (!folders.ok) return folders;
  const nodes = folders.value.map((name) => ({
    // No node's name has an underscore: it stands for a dot, which bpffs refuses.
    node: name.replaceAll('_', '.'), folder: join(root, name, `v${layoutHash}`),
  }));
  return ok(nodes.sort((left, right) => (left.node < right.node ? -1 : 1)));
}

/** Opens every map of a node. Whoever opens them may be another process than the agent. */
export function openPinnedMaps(addon: Addon, pinned: PinnedNode): Result<PinnedMaps, PinError> {
  const there = foldersIn(join(pinned.folder, '..'));
  if (!there.ok) return there;
  if (!there.value.includes(`v${layoutHash}`)) {
    const text = `the maps of ${pinned.node} are of layout ${there.value.join(', ') || '(none)'}; `
      + `this build reads v${layoutHash}: use the fairlead that programmed them`;
    return err({ kind: 'other-layout', text });
  }
  const opened = new Map<string, KernelMap>();
  const close = (): void => {
    for (const map of opened.values()) map.close();
  };
  for (const [name, { type }] of Object.entries(declared)) {
    if (type === 'ringbuf') continue;
    const handle = addon.openPinned(pinKind.map, join(pinned.folder, name));
    if (isRefused(handle)) {
      close();
      return err(pinError(pinned, name, handle));
    }
    opened.set(name, new KernelMap(addon, handle as MapHandle));
  }
  const limits = Object.fromEntries(
    [...opened].map(([name, { facts }]) => [name, facts.entriesMax]),
  );
  return ok({ maps: realKernel(addon, opened), limits, close });
}

function pinError({ folder }: PinnedNode, name: string, code: number): PinError {
  const { kind } = refusal('', code);
  if (kind !== 'ENOENT') return { kind: 'refused', text: refusedText(join(folder, name), kind) };
  return { kind: 'missing-pin', text: `${name} is not pinned in ${folder}: restart the agent` };
}

function foldersIn(path: string): Result<readonly string[], PinError> {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return ok(entries.filter((entry) => entry.isDirectory()).map(({ name }) => name).sort(byText));
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') return err({ kind: 'refused', text: refusedText(path, code) });
    const text = `${path} does not exist: no agent has programmed this kernel`;
    return err({ kind: 'no-pins', text });
  }
}

function refusedText(path: string, kind: string): string {
  const denied = kind === 'EPERM' || kind === 'EACCES';
  return `${path} cannot be read: ${kind}${denied ? '; run it as root on the node' : ''}`;
}

function byText(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
