import { closeSync, openSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openDevices, type Devices, type SocketAddon } from '../lb/devices.real.ts';
import { assert, err, ok, type Result } from '../lb/result.ts';
import type { Addon, SocketHandle } from './native.real.ts';
import type { NamespaceFacts } from './placement.ts';
import { isRefused, refusal, type Refusal } from './refusal.real.ts';

/** SO_NETNS_COOKIE of the namespace that the thread is in. */
export function ownCookie(addon: Addon): Result<bigint, Refusal> {
  const cookie = addon.netnsCookie();
  if (isRefused(cookie)) return err(refusal('read the namespace cookie', cookie));
  return ok(cookie as bigint);
}

/** Cookie and devices of the namespace at `path`, `/proc/7/ns/net` or `/run/netns/name`. */
export function readNamespace(
  addon: Addon, path: string,
): Result<Omit<NamespaceFacts, 'id'>, Refusal> {
  const facts = addon.netnsCall(path, () => {
    const cookie = addon.netnsCookie();
    if (isRefused(cookie)) return cookie;
    const devices = openDevices<SocketHandle>(addon as SocketAddon<SocketHandle>);
    try {
      return { cookie: cookie as bigint, devices: devices.read() };
    } finally {
      devices.close();
    }
  });
  if (isRefused(facts)) return err(refusal(`enter ${path}`, facts));
  return ok(facts as Omit<NamespaceFacts, 'id'>);
}

/**
 * Every network namespace of the machine but the node's own, by cookie: those that a process is in,
 * and those that are kept by name. One that ends during the look is left out. `node` are the
 * devices of the node's own namespace, which the thread is in.
 */
export function readNamespaces(addon: Addon, node: Devices): readonly NamespaceFacts[] {
  const own = ownCookie(addon);
  assert(own.ok, 'the kernel tells namespaces apart');
  const found = new Map<bigint, NamespaceFacts>();
  for (const path of namespacePaths()) {
    const facts = readNamespace(addon, path);
    if (!facts.ok || facts.value.cookie === own.value) continue;
    found.set(facts.value.cookie, { ...facts.value, id: namespaceId(node, path) });
  }
  return [...found.values()].toSorted((left, right) => (left.cookie < right.cookie ? -1 : 1));
}

function namespaceId(node: Devices, path: string): number | undefined {
  const descriptor = attempt(() => openSync(path, 'r'));
  if (descriptor === undefined) return undefined;
  try {
    return node.namespaceId(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** One path for each namespace that is not the thread's own. */
function namespacePaths(): readonly string[] {
  const byInode = new Map<string, string>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/u.test(entry)) continue;
    const path = `/proc/${entry}/ns/net`;
    const name = attempt(() => readlinkSync(path));
    if (name !== undefined && !byInode.has(name)) byInode.set(name, path);
  }
  for (const folder of ['/run/netns', '/var/run/netns']) {
    for (const entry of attempt(() => readdirSync(folder)) ?? []) {
      const path = join(folder, entry);
      const inode = attempt(() => statSync(path).ino);
      const name = `net:[${inode}]`;
      if (inode !== undefined && !byInode.has(name)) byInode.set(name, path);
    }
  }
  const own = attempt(() => readlinkSync('/proc/thread-self/ns/net'));
  if (own !== undefined) byInode.delete(own);
  return [...byInode.values()];
}

/** What `read` gives; undefined when it went away meanwhile. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return undefined;
    throw error;
  }
}
