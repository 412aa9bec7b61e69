import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

// The system's own folders only: `nft` is also the name of a package for Node, which the folder of
// binaries in front of PATH would give us.
const folders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/** Where a program of the system lies; undefined when it is not installed. */
export function toolPath(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

export interface ToolRun {
  /** Default: nothing. */
  readonly input?: string;
  /** The name of a network namespace to run in. */
  readonly netns?: string;
  /** Ends the program; default 60 s. */
  readonly timeoutMs?: number;
}

/** Runs a program of the system and gives its output; throws with its words when it fails. */
export function runTool(command: string, order: ToolRun = {}): string {
  return spawned(command, wordsOf(command, order.netns), order).stdout;
}

/** How long a program ran, in milliseconds. */
export interface ToolTime {
  /** On the CPU, in the program and in the kernel for it. */
  readonly cpu: number;
  readonly wall: number;
}

/** Runs a program like `runTool`, and takes its time. */
export function timeTool(command: string, order: ToolRun = {}): ToolTime {
  const bash = toolPath('bash') ?? 'bash';
  const script = `TIMEFORMAT='%U %S'; time ${wordsOf(command, order.netns).join(' ')}`;
  const from = performance.now();
  const { stderr } = spawned(command, [bash, '-c', script], order);
  const wall = performance.now() - from;
  const [user, system] = stderr.trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
  return { cpu: ((user ?? NaN) + (system ?? NaN)) * 1_000, wall };
}

function wordsOf(command: string, netns: string | undefined): string[] {
  const [name = '', ...words] = command.split(' ');
  const path = toolPath(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  // Not `ip netns exec`, which hides bpffs and costs a mount.
  const enter = netns === undefined ? [] : [toolPath('nsenter') ?? '', `--net=${netnsPath(netns)}`];
  return [...enter, path, ...words];
}

function spawned(command: string, words: readonly string[], order: ToolRun) {
  const [program = '', ...rest] = words;
  const { input = '', timeoutMs = 60_000 } = order;
  const outcome = spawnSync(program, rest, {
    input, encoding: 'utf8', timeout: timeoutMs, killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
  });
  const { status, stderr, error, signal } = outcome;
  if (status === 0) return outcome;
  throw new Error(`${command}: ${error?.message ?? signal ?? stderr.slice(0, 2_000)}`);
}

export function netnsPath(name: string): string {
  return `/run/netns/${name}`;
}

/** Does `body` with this thread on the last CPU alone, and lets it go everywhere again. */
export function pinned<T>(body: () => T): T {
  const [, all = ''] = /: (.*)$/u.exec(runTool(`taskset -cp ${process.pid}`).trim()) ?? [];
  const [last = '0'] = /\d+$/u.exec(all) ?? [];
  runTool(`taskset -cp ${last} ${process.pid}`);
  try {
    return body();
  } finally {
    runTool(`taskset -cp ${all} ${process.pid}`);
  }
}
