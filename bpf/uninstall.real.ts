import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../lb/result.ts';
import { detach, type Hook } from './hooks.real.ts';
import { pinKind, type Addon, type AnyHandle } from './native.real.ts';
import { lockPath, nodeFolder, takeFileLock } from './pins.real.ts';
import { linksFolder } from './programs.real.ts';
import { isRefused, refusalText } from './refusal.real.ts';

/**
 * Takes everything of a node out of the kernel: links first, so that no program reads a map that
 * goes, then maps. Flows through Services end with it. Refused while an agent of the node runs;
 * nothing pinned is a success. Run in the node's network namespace.
 */
export function uninstallNode(addon: Addon, nodeName: string): Result<void, string> {
  const folder = nodeFolder(nodeName);
  if (!folder.ok) return err(folder.error.text);
  const lock = takeFileLock(addon, lockPath(nodeName));
  if (!lock.ok) return err(`the agent of node ${nodeName} is running: stop it first`);
  try {
    for (const layout of existsSync(folder.value) ? readdirSync(folder.value) : []) {
      const detached = detachAll(addon, join(folder.value, layout, linksFolder));
      if (!detached.ok) return detached;
    }
    rmSync(folder.value, { recursive: true, force: true });
    rmSync(lockPath(nodeName), { force: true });
    return ok(undefined);
  } finally {
    addon.close(lock.value);
  }
}

/** Takes every program whose attachment is pinned in a folder off its hook. */
export function detachAll(addon: Addon, folder: string): Result<void, string> {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const pin = join(folder, name);
    const detached = detach(addon, { hook: hookOf(addon, name, pin), pin });
    if (!detached.ok) return err(refusalText(detached.error));
  }
  return ok(undefined);
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
