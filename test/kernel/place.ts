import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './machine.ts';

/** What a test made in the kernel, taken away in the opposite order whatever happened meanwhile. */
export class Place {
  #undo: (() => void)[] = [];
  #count = 0;

  /** Does `body` with a place of its own and clears it. */
  static async with(body: (place: Place) => void | Promise<void>): Promise<void> {
    const place = new Place();
    try {
      await body(place);
    } finally {
      place.close();
    }
  }

  constructor() {
    for (const name of abandoned()) {
      try {
        run(`ip netns del ${name}`);
      } catch (error) {
        // Another test file may have been quicker.
        if (existsSync(`/run/netns/${name}`)) throw error;
      }
    }
  }

  later(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** A network namespace with loopback up. Its name carries the process id. */
  namespace(): string {
    const name = `fl-${process.pid}-${this.#count++}`;
    run(`ip netns add ${name}`);
    this.later(() => run(`ip netns del ${name}`));
    run(`ip -n ${name} link set lo up`);
    return name;
  }

  /**
   * Two namespaces joined by a veth pair `eth0`, up, with MAC ...:0a on the first and ...:0c on the
   * second; neither has an address, so that nothing is said unasked.
   */
  pair(): readonly [Side, Side] {
    const [left, right] = [this.namespace(), this.namespace()];
    run(`ip -n ${left} link add eth0 address 02:00:00:00:00:0a type veth peer name eth0`
      + ` address 02:00:00:00:00:0c netns ${right}`);
    return [this.#side(left), this.#side(right)];
  }

  #side(namespace: string): Side {
    const quiet = 'net.ipv6.conf.eth0.disable_ipv6=1';
    run(`ip netns exec ${namespace} sysctl -qw ${quiet}`);
    run(`ip -n ${namespace} link set eth0 up`);
    const shown = JSON.parse(run(`ip -n ${namespace} -j link show eth0`)) as { ifindex: number }[];
    return { namespace, path: `/var/run/netns/${namespace}`, ifindex: shown[0]!.ifindex };
  }

  /** Many commands of ip(8) at once. */
  batch(namespace: string, lines: readonly string[]): void {
    execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: lines.join('\n') });
  }

  /** A bpffs of its own. */
  bpffs(): string {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-bpffs-'));
    this.later(() => rmdirSync(folder));
    run(`mount -t bpf bpf ${folder}`);
    this.later(() => run(`umount ${folder}`));
    // What is pinned would go with the mount; links are to end before their devices do.
    this.later(() => emptied(folder));
    return folder;
  }

  close(): void {
    const failures: unknown[] = [];
    for (const undo of this.#undo.toReversed()) {
      try {
        undo();
      } catch (error) {
        failures.push(error);
      }
    }
    this.#undo = [];
    const left = failures.join();
    if (left !== '') throw new Error(`what a test made is not all gone: ${left}`);
  }
}

/** One end of a pair of namespaces. */
export interface Side {
  readonly namespace: string;
  readonly path: string;
  readonly ifindex: number;
}

/** Namespaces of test processes that were killed before they could clear up. */
function abandoned(): string[] {
  if (!existsSync('/run/netns')) return [];
  return readdirSync('/run/netns').filter((name) => {
    const pid = /^fl-(\d+)-\d+$/u.exec(name)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
}

function emptied(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    // Names with dots are the kernel's own; nobody else may make or remove them.
    if (entry.name.includes('.')) continue;
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) unlinkSync(path);
    else {
      emptied(path);
      rmdirSync(path);
    }
  }
}

/** True while a process lives, a zombie not counted. */
export function alive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  return !/^\d+ \(.*\) Z/u.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
