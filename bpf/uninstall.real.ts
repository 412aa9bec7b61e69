import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { err, ok, type Result } from '../lb/result.ts';
import { detach, type Hook } from './hooks.real.ts';
import { pinKind, type Addon, type AnyHandle } from './native.real.ts';
import { lockPath, nodeFolder, takeNodeLock } from './pins.real.ts';
import { linksFolder } from './programs.real.ts';
import { isRefused, refusalText } from './refusal.real.ts';
import { restoreSysctls, type RestoredSysctls } from './sysctl.real.ts';

/** What was taken out of the kernel. */
export interface Uninstalled extends RestoredSysctls {
  /** Hooks of ours that were let go. */
  readonly links: number;
  /** Maps that were unpinned. */
  readonly pins: number;
}

/**
 * Takes everything of a node out of the kernel: links first, so that no program reads a map that
 * goes, then maps, then changes of sysctls. Flows through Services end with it. Refused while an
 * agent of the node runs, unless `force`; nothing there is a success. Run in the node's network
 * namespace.
 */
export function uninstallNode(
  addon: Addon, nodeName: string, { force = false }: { readonly force?: boolean } = {},
): Result<Uninstalled, string> {
  const folder = nodeFolder(nodeName);
  if (!folder.ok) return err(folder.error.text);
  const lock = takeNodeLock(addon, nodeName);
  if (!lock.ok && !force) {
    return err(`the agent of node ${nodeName} is running: stop it first, or give --force`);
  }
  try {
    let [links, pins] = [0, 0];
    for (const layout of entries(folder.value)) {
      const place = join(folder.value, layout);
      const detached = detachAll(addon, join(place, linksFolder));
      if (!detached.ok) return detached;
      links += detached.value;
      pins += entries(place).filter((name) => name !== linksFolder).length;
    }
    rmSync(folder.value, { recursive: true, force: true });
    removeEmpty(dirname(folder.value));
    const sysctls = restoreSysctls(nodeName);
    rmSync(lockPath(nodeName), { force: true });
    return ok({ links, pins, ...sysctls });
  } finally {
    if (lock.ok) addon.close(lock.value);
  }
}

function entries(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Other nodes of this machine may have theirs there. */
function removeEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
}

/** Takes every program whose attachment is pinned in a folder off its hook, and counts them. */
export function detachAll(addon: Addon, folder: string): Result<number, string> {
  const names = entries(folder);
  for (const name of names) {
    const pin = join(folder, name);
    const detached = detach(addon, { hook: hookOf(addon, name, pin), pin });
    if (!detached.ok) return err(refusalText(detached.error));
  }
  return ok(names.length);
}

/** A name says device and direction; what is pinned says if it is a link or a filter's program. */
function hookOf(addon: Addon, name: string, pin: string): Hook {
  const [, ifindex, direction] = /-(\d+)-(ingress|egress)$/u.exec(name) ?? [];
  if (ifindex === undefined) return { kind: 'cgroup', path: name, attach: 0 };
  const link = addon.openPinned(pinKind.link, pin);
  if (!isRefused(link)) addon.close(link as AnyHandle);
  return {
    kind: isRefused(link) ? 'clsact' : 'tcx', ifindex: Number(ifindex),
    direction: direction === 'ingress' ? 'ingress' : 'egress',
  };
}
