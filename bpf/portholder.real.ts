import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process as people know it. */
export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/** TCP_LISTEN (include/net/tcp_states.h) as /proc/net/tcp prints it. */
const listening = '0A';

/**
 * The process that listens on a TCP port of this network namespace. Undefined where none does, or
 * where it cannot be seen: in a container the processes of the node are hidden.
 */
export function portHolder(port: number): Holder | undefined {
  const sockets = new Set(['tcp', 'tcp6'].flatMap((family) => listeners(family, port)));
  if (sockets.size === 0) return undefined;
  const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/u.test(name)).map(Number);
  const pid = pids.find((of) => openFiles(of).some((file) => sockets.has(file)));
  if (pid === undefined) return undefined;
  const command = readOrEmpty(`/proc/${pid}/comm`).trim();
  return { pid, command: command === '' ? 'a process' : command };
}

// Lines of `sl local_address rem_address st ... inode`, numbers in hexadecimal (proc(5)).
function listeners(family: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return readOrEmpty(`/proc/net/${family}`).split('\n').slice(1).flatMap((line) => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/u);
    const ours = state === listening && local.endsWith(`:${wanted}`);
    return ours ? [`socket:[${inode}]`] : [];
  });
}

// Processes come and go during the walk, and some may not be looked into.
function openFiles(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  const names = seen(() => readdirSync(folder)) ?? [];
  return names.map((name) => seen(() => readlinkSync(`${folder}/${name}`)) ?? '');
}

function readOrEmpty(path: string): string {
  return seen(() => readFileSync(path, 'utf8')) ?? '';
}

/** What /proc shows; undefined for what is gone or hidden, which here is an answer too. */
function seen<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
