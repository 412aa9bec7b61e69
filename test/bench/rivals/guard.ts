import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { toolPath } from './tools.ts';

/** Begins the name of each namespace, cgroup and temporary folder that this process makes. */
export const prefix = `flb-${process.pid}-`;

let guarding = false;

/**
 * Sees to it that namespaces, cgroups and the load's folder go away with this process, however it
 * ends: a shell waits for the end of a pipe that this process alone holds open. An `exit` listener
 * would not run after SIGKILL, nor after Ctrl-C in the middle of a synchronous bench.
 */
export function guard(cgroupRoot: string | undefined): void {
  if (guarding) return;
  guarding = true;
  const cgroups = cgroupRoot === undefined ? '' : `rmdir ${cgroupRoot}/${prefix}* 2>/dev/null;`;
  const script = `trap '' INT TERM HUP; cat >/dev/null; rm -rf ${tmpdir()}/${prefix}load; ${cgroups}
    for path in /run/netns/${prefix}*; do ${toolPath('ip')} netns del "\${path##*/}"; done`;
  const child = spawn('/bin/sh', ['-c', script], {
    stdio: ['pipe', 'ignore', 'ignore'], detached: true,
  });
  child.unref();
  // The pipe must not keep this process alive either.
  (child.stdin as unknown as { unref(): void }).unref();
}
