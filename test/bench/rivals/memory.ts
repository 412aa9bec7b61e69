import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Bytes of kernel memory by map id, of all maps that this process has open. Exact since Linux 6.4;
 * maps that allocate as they are filled are counted by their entries.
 */
export function mapBytes(): ReadonlyMap<number, number> {
  const bytes = new Map<number, number>();
  for (const fd of readdirSync('/proc/self/fdinfo')) {
    const text = fdText(fd);
    const [, id] = /^map_id:\s*(\d+)$/mu.exec(text) ?? [];
    const [, size] = /^memlock:\s*(\d+)$/mu.exec(text) ?? [];
    if (id !== undefined && size !== undefined) bytes.set(Number(id), Number(size));
  }
  return bytes;
}

// The descriptor of the listing itself is gone when it is read.
function fdText(fd: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  } catch {
    return '';
  }
}

/** Bytes of the heap that are in use after everything unreachable went. */
export function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Twice: the second one takes what finalizers of the first let go.
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
