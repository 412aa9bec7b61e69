import { readFileSync } from 'node:fs';
import type { KernelPort } from '../lb/ports.ts';
import { assert, err } from '../lb/result.ts';
import type { KernelMap } from './kernelmap.real.ts';
import type { Addon, LockHandle } from './native.real.ts';
import { isRefused, refusalText, refusal } from './refusal.real.ts';

/** The kernel of this machine, over the maps that it was given. */
export interface RealKernel extends KernelPort {
  /** Gives back the locks. The maps stay the caller's. */
  close(): void;
}

// A full queue of waiters is the one case in which the kernel does not tell when it is our turn.
const crowdedRetryMs = 1_000;

/** `KernelPort` over maps by name; a name that is not among them is ENOENT, as in the kernel. */
export function realKernel(addon: Addon, maps: ReadonlyMap<string, KernelMap>): RealKernel {
  const locks = new Set<LockHandle>();
  const absent = { written: 0, error: { kind: 'ENOENT' } } as const;
  return {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    update: (map, entry, flag) => maps.get(map)?.update(entry, flag) ?? err({ kind: 'ENOENT' }),
    remove: (map, key) => maps.get(map)?.remove(key) ?? err({ kind: 'ENOENT' }),
    updateMany: (map, rows, flag) => maps.get(map)?.updateMany(rows, flag) ?? absent,
    removeMany: (map, keys) => maps.get(map)?.removeMany(keys) ?? absent,
    lookup: (map, key) => maps.get(map)?.lookup(key),
    lookupMany: (map, keys) => maps.get(map)?.lookupMany(keys)
      ?? Array.from({ length: keys.count }, () => undefined),
    dump: (map) => maps.get(map)?.dump() ?? [],
    scan: (map, from, rowsMax) => maps.get(map)?.scan(from, rowsMax) ?? emptyPage,
    // The kernel has no call that counts: the rows are read and forgotten.
    tally: (map, from, rowsMax) => {
      const { rows: { count }, next } = maps.get(map)?.scan(from, rowsMax) ?? emptyPage;
      return { count, next };
    },
    hostLock: (name, held) => takeLock(addon, { name, held, locks }),
    close: () => {
      for (const lock of locks) addon.close(lock);
      locks.clear();
    },
  };
}

const emptyPage = {
  rows: { count: 0, keys: new Uint8Array(0), values: new Uint8Array(0) }, next: undefined,
} as const;

interface LockRequest {
  readonly name: string;
  readonly held: () => void;
  /** What to close when the adapter closes. */
  readonly locks: Set<LockHandle>;
}

function takeLock(addon: Addon, request: LockRequest): void {
  const { name, held, locks } = request;
  const lock = addon.lockTake(name);
  if (!isRefused(lock)) {
    locks.add(lock as LockHandle);
    setImmediate(held);
    return;
  }
  assert(refusal('', lock).kind === 'EADDRINUSE', refusalText(refusal(`lock ${name}`, lock)));
  const again = (): void => takeLock(addon, request);
  const wait = addon.lockWait(name);
  if (isRefused(wait)) {
    // ECONNREFUSED: the holder went between the two calls.
    const crowded = refusal('', wait).kind === 'EAGAIN';
    setTimeout(again, crowded ? crowdedRetryMs : 0);
    return;
  }
  const waiting = wait as LockHandle;
  locks.add(waiting);
  addon.watch(waiting, () => {
    locks.delete(waiting);
    addon.close(waiting);
    again();
  });
}
