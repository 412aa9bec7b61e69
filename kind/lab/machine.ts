import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Blueprint, LabMachine } from './blueprint.ts';
import { emptied } from './dismantle.ts';
import { cgroupOf } from './make.ts';
import { killCgroup, startIn, type Site } from './site.ts';

/** A machine of the lab as a place where processes run. */
export class Machine {
  readonly plan: LabMachine;
  /** Folder of cgroup2; a node's agent attaches here. */
  readonly cgroup: string;

  constructor(blueprint: Blueprint, plan: LabMachine) {
    this.plan = plan;
    this.cgroup = cgroupOf(blueprint.name, plan.name);
  }

  get name(): string {
    return this.plan.name;
  }

  /** Where a process called `part` runs. On a node it sees the node's own /run and bpffs. */
  site(part: string): Site {
    const init = this.plan.kind === 'node' ? this.init() : undefined;
    return {
      namespace: this.plan.namespace, cgroup: join(this.cgroup, part),
      ...(init === undefined ? {} : { mountsOf: init }),
    };
  }

  /** The process that keeps a node's mounts, by pid; undefined while the power is off. */
  init(): number | undefined {
    const file = join(this.cgroup, initPart, 'cgroup.procs');
    const [pid] = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
    return pid === undefined ? undefined : Number(pid);
  }

  /**
   * Gives a node its own /run and bpffs, as if it had just booted. They live as long as a process
   * of the node does, so that nothing pinned outlives the machine.
   */
  async boot(): Promise<void> {
    const site = { namespace: this.plan.namespace, cgroup: join(this.cgroup, initPart) };
    const child = startIn(
      site, ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', bootScript],
      { detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const said: string[] = [];
    child.stderr?.on('data', (text) => said.push(String(text)));
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`${this.name} does not boot: ${said.join('')}`)));
      child.stdout?.once('data', () => resolve());
    });
    child.removeAllListeners('exit');
    child.stdout?.destroy();
    child.stderr?.destroy();
    child.unref();
  }

  /** Ends every process of the machine, or of one part of it, without a word. */
  async kill(part?: string): Promise<void> {
    const cgroup = part === undefined ? this.cgroup : join(this.cgroup, part);
    killCgroup(cgroup);
    await emptied(cgroup);
  }

  /** Waits until a part of the machine has ended by itself; false when it is still there. */
  async ended(part: string, withinMs: number): Promise<boolean> {
    const until = performance.now() + withinMs;
    const file = join(this.cgroup, part, 'cgroup.procs');
    while (existsSync(file) && readFileSync(file, 'utf8') !== '') {
      if (performance.now() > until) return false;
      await pause(2);
    }
    return true;
  }
}

const initPart = 'init';

// The folder of the clone may be below /tmp, which therefore stays.
const bootScript = [
  'mount -t bpf bpf /sys/fs/bpf', 'mount -t tmpfs -o mode=755 tmpfs /run', 'echo up',
  'exec sleep infinity >/dev/null 2>&1',
].join(' && ');
