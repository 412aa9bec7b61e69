import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Where a process of the lab runs. */
export interface Site {
  /** Name of the network namespace. */
  readonly namespace: string;
  /** Folder of cgroup2. */
  readonly cgroup: string;
}

/** A child that reads and writes lines of JSON. It ends by its pid, and with its standard input. */
export class LineProcess {
  #child: ChildProcess;
  #stderr = '';
  readonly exited: Promise<void>;

  constructor(site: Site, script: string, argument: string, heard: (line: unknown) => void) {
    // The cgroup is entered before the namespace: every socket of the process is of that cgroup.
    const enter = `echo $$ > ${site.cgroup}/cgroup.procs && exec nsenter`
      + ` --net=/var/run/netns/${site.namespace} "$0" "$1" "$2"`;
    this.#child = spawn('sh', ['-c', enter, process.execPath, script, argument], {
      stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' },
    });
    const { stdout, stderr } = this.#child;
    if (stdout !== null) {
      createInterface({ input: stdout }).on('line', (line) => heard(JSON.parse(line)));
    }
    stderr?.on('data', (text) => { this.#stderr += String(text); });
    this.#child.stdin?.on('error', () => undefined);
    this.exited = new Promise((resolve) => { this.#child.once('exit', () => resolve()); });
  }

  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  send(line: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  async kill(): Promise<void> {
    if (this.running) this.#child.kill('SIGKILL');
    await this.exited;
  }
}

