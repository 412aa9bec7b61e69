import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../lb/result.ts';
import { bpffsPath, cgroupPath, parseMountinfo, type MountError } from './mountinfo.ts';
import type { Addon, LockHandle } from './native.real.ts';
import { isRefused, refusal, type Refusal } from './refusal.real.ts';

/** Why the node's folders cannot be used. */
export type PlaceError =
  | MountError
  | { readonly kind: 'not-root'; readonly text: string }
  | { readonly kind: 'refused'; readonly text: string };

/** What tells the pins of one agent from those of others on the same kernel. */
export interface PinOwner {
  readonly node: string;
  /** Hash over the layouts; pins of another layout are another folder (datapath.md 11). */
  readonly layout: string;
}

/**
 * The folder of one node's pins of one layout, made when it is not there. bpffs refuses names with
 * dots (bpf_lookup, kernel/bpf/inode.c), so those of a node's name become underscores, which no
 * node's name has.
 */
export function pinFolder({ node, layout }: PinOwner): Result<string, PlaceError> {
  const parent = nodeFolder(node);
  if (!parent.ok) return parent;
  const folder = join(parent.value, `v${layout}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    return err({ kind: 'refused', text: `${folder} cannot be made: ${String(error)}` });
  }
  return ok(folder);
}

/** The folder of all pins of a node, which need not be there. */
export function nodeFolder(node: string): Result<string, PlaceError> {
  const bpffs = bpffsPath(mounts());
  if (!bpffs.ok) return bpffs;
  return ok(join(bpffs.value, 'fairlead', node.replaceAll('.', '_')));
}

/** What the processes of a machine's nodes keep besides pins; gone after a boot, as pins are. */
export const runFolder = '/run/fairlead';

/** A socket in the abstract namespace would be one of a network namespace; a file is the node's. */
export function lockPath(node: string): string {
  return join(runFolder, `${node}.lock`);
}

/**
 * The root of the node's cgroup2. A folder below it would leave pods uncovered, so it is refused
 * with its name (datapath.md 17): only folders below the root have a `cgroup.type`.
 */
export function cgroupRoot(): Result<string, PlaceError> {
  const found = cgroupPath(mounts());
  if (!found.ok) return found;
  if (!existsSync(join(found.value, 'cgroup.type'))) return found;
  const text = `${found.value} is not the root of the node's cgroups: mount the node's root there`;
  return err({ kind: 'not-root', text });
}

/** The lock that keeps a second agent of this node away; EAGAIN while another process has it. */
export function takeNodeLock(addon: Addon, node: string): Result<LockHandle, Refusal> {
  mkdirSync(runFolder, { recursive: true });
  return takeFileLock(addon, lockPath(node));
}

/** A lock on a file of a folder that is there; EAGAIN while another process has it. */
export function takeFileLock(addon: Addon, path: string): Result<LockHandle, Refusal> {
  const lock = addon.fileLock(path);
  if (isRefused(lock)) return err(refusal(`lock ${path}`, lock));
  return ok(lock as LockHandle);
}

function mounts(): ReturnType<typeof parseMountinfo> {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}
