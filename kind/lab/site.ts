import { execFileSync, spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import {
  existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cgroupPath, parseMountinfo } from '../../bpf/mountinfo.ts';

/** Not npm's: `node_modules/.bin` has a program called nft too. */
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where a process of the lab runs. */
export interface Site {
  /** Name under /run/netns; absent: the network of the machine itself. */
  readonly namespace?: string;
  /** Folder of cgroup2; made when it is not there. */
  readonly cgroup: string;
  /** Process whose mount namespace is entered as well. */
  readonly mountsOf?: number;
}

// The cgroup is entered before anything else: every socket of the process is of that cgroup.
const entrance = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"';

function words(site: Site, command: readonly string[]): readonly string[] {
  // Another mount namespace would begin at its root.
  const mounts = site.mountsOf === undefined ? []
    : [`--mount=/proc/${site.mountsOf}/ns/mnt`, `--wd=${process.cwd()}`];
  const net = site.namespace === undefined ? [] : [`--net=/run/netns/${site.namespace}`];
  const doors = [...mounts, ...net];
  const enter = doors.length === 0 ? [] : ['nsenter', ...doors, '--'];
  return ['-c', entrance, 'sh', site.cgroup, ...enter, ...command];
}

export interface SiteOptions {
  readonly stdio?: StdioOptions;
  /** Goes on when this process ends. */
  readonly detached?: boolean;
}

/** Starts a command inside a site. */
export function startIn(
  site: Site, command: readonly string[], options: SiteOptions = {},
): ChildProcess {
  mkdirSync(site.cgroup, { recursive: true });
  return spawn('sh', words(site, command), {
    stdio: options.stdio ?? 'ignore', detached: options.detached ?? false, env: siteEnv(),
  });
}

/** Runs a command inside a site to its end; gives its output, throws with its stderr. */
export function runIn(site: Site, command: readonly string[], input?: string): string {
  mkdirSync(site.cgroup, { recursive: true });
  return execFileSync('sh', words(site, command), {
    encoding: 'utf8', env: siteEnv(), stdio: ['pipe', 'pipe', 'pipe'], input: input ?? '',
  });
}

function siteEnv(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: systemPath, NODE_OPTIONS: '' };
}

/** Runs `ip` of the machine itself, which knows namespaces by name. */
export function ip(...words: readonly string[]): string {
  return execFileSync('ip', words, {
    encoding: 'utf8', env: siteEnv(), stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs `ip -batch` lines inside a namespace. */
export function ipBatch(namespace: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  execFileSync('ip', ['-n', namespace, '-batch', '-'], {
    input: `${lines.join('\n')}\n`, env: siteEnv(), stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Where cgroup2 is mounted. */
export function cgroupMount(): string {
  const mount = cgroupPath(parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')));
  if (!mount.ok) throw new Error(mount.error.text);
  return mount.value;
}

/** Processes of a cgroup and of those below it. */
export function processesOf(cgroup: string): readonly number[] {
  if (!existsSync(cgroup)) return [];
  const own = readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  const folders = readdirSync(cgroup, { withFileTypes: true }).filter((each) => each.isDirectory());
  return [...own.map(Number), ...folders.flatMap(({ name }) => processesOf(join(cgroup, name)))];
}

/** The parent of a process; undefined when the process is gone. */
export function parentOf(pid: number): number | undefined {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return undefined;
  return Number(/^PPid:\s+(\d+)$/mu.exec(readFileSync(file, 'utf8'))?.[1]);
}

/** Kills every process of a cgroup and of those below it at once (cgroup.kill, Linux 5.14). */
export function killCgroup(cgroup: string): void {
  if (existsSync(cgroup)) writeFileSync(join(cgroup, 'cgroup.kill'), '1');
}

/** Removes a cgroup with those below it; its processes must be gone. */
export function removeCgroup(cgroup: string): void {
  if (!existsSync(cgroup)) return;
  for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(cgroup, entry.name));
  }
  rmdirSync(cgroup);
}
