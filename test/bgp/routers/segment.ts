import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Places on the segment, in the order of their addresses: 10.99.0.1 and fd00:99::1 onwards. */
const places = ['n1', 'n2', 'frr', 'bird', 'gob'] as const;
export type Place = (typeof places)[number];

const path = '/usr/sbin:/sbin:/usr/bin:/bin';

/** Why this machine cannot run tests of routers; undefined: it can. */
export function routersMissing(): string | undefined {
  const programs = ['/usr/bin/gobgpd', '/usr/sbin/bird', '/usr/lib/frr/bgpd'];
  const absent = programs.filter((program) => !existsSync(program));
  const missing = process.getuid?.() !== 0 ? 'tests of routers need root'
    : absent.length > 0 ? `${absent.join()} is not there` : undefined;
  if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);
  if (missing !== undefined) process.stderr.write(`tests of routers are skipped: ${missing}\n`);
  return missing;
}

/** One bridge with a network namespace for each place (bgp.md 10). */
export class Segment {
  readonly folder = mkdtempSync(join(tmpdir(), 'fairlead-bgp-'));
  #prefix = `fb${process.pid}`;
  #made: string[] = [];
  #children: ChildProcess[] = [];

  static open(): Segment {
    const segment = new Segment();
    try {
      segment.#build();
    } catch (error) {
      segment.close();
      throw error;
    }
    return segment;
  }

  address(place: Place, family: 'IPv4' | 'IPv6' = 'IPv4'): string {
    const number = places.indexOf(place) + 1;
    return family === 'IPv4' ? `10.99.0.${number}` : `fd00:99::${number}`;
  }

  /** Runs a program inside a place and gives its output. */
  run(place: Place | 'sw', ...words: readonly string[]): string {
    return execFileSync('nsenter', [`--net=${this.#namespace(place)}`, ...words], {
      encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: path },
    });
  }

  /** A program that goes on inside a place; it ends with the segment. */
  start(place: Place, ...words: readonly string[]): ChildProcess {
    const child = spawn('nsenter', [`--net=${this.#namespace(place)}`, ...words], {
      stdio: ['ignore', 'pipe', 'ignore'], env: { PATH: path },
    });
    this.#children.push(child);
    return child;
  }

  /** A file that runs a program inside a place, for whoever can only be given a program. */
  wrapper(place: Place, program: string): string {
    const file = join(this.folder, `${place}-${program.replaceAll('/', '-')}`);
    const command = `nsenter --net=${this.#namespace(place)} ${program}`;
    writeFileSync(file, `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(file, 0o755);
    return file;
  }

  /** What the kernel of a place does with its routes from now on. */
  monitor(place: Place): RouteMonitor {
    return new RouteMonitor(this.start(place, 'ip', '-ts', 'monitor', 'route'));
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const file of ['bgpd.pid', 'zebra.pid']) this.kill(file);
    for (const name of this.#made.toReversed()) execFileSync('ip', ['netns', 'del', name]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Ends the process that a file of this segment's folder names. */
  kill(pidFile: string): void {
    const file = join(this.folder, pidFile);
    if (!existsSync(file)) return;
    const pid = Number(readFileSync(file, 'utf8'));
    rmSync(file);
    // Only what still is that process: its command line names our folder.
    const line = `/proc/${pid}/cmdline`;
    if (pid > 1 && existsSync(line) && readFileSync(line, 'utf8').includes(this.folder)) {
      process.kill(pid, 'SIGKILL');
    }
  }

  #namespace(place: Place | 'sw'): string {
    return `/var/run/netns/${this.#prefix}-${place}`;
  }

  #build(): void {
    // Programs of other users live in it.
    chmodSync(this.folder, 0o755);
    for (const place of ['sw', ...places] as const) {
      const name = `${this.#prefix}-${place}`;
      execFileSync('ip', ['netns', 'add', name]);
      this.#made.push(name);
    }
    this.run('sw', 'ip', 'link', 'add', 'br0', 'type', 'bridge');
    this.run('sw', 'ip', 'link', 'set', 'br0', 'up');
    for (const place of places) this.#cable(place);
  }

  #cable(place: Place): void {
    const batch = (name: string, lines: readonly string[]): void => {
      execFileSync('ip', ['-n', `${this.#prefix}-${name}`, '-batch', '-'], {
        input: `${lines.join('\n')}\n`,
      });
    };
    batch(place, [
      `link add eth0 type veth peer name p-${place} netns ${this.#prefix}-sw`,
      'link set lo up', 'link set eth0 up',
      `addr add ${this.address(place)}/24 dev eth0`,
      `addr add ${this.address(place, 'IPv6')}/64 dev eth0 nodad`,
    ]);
    batch('sw', [`link set p-${place} master br0 up`]);
  }
}

/** Lines of `ip -ts monitor route`. */
export class RouteMonitor {
  #text = '';

  constructor(child: ChildProcess) {
    child.stdout?.on('data', (bytes: Buffer) => { this.#text += bytes.toString(); });
  }

  /** What happened to a prefix, as `add` and `delete`. */
  changes(prefix: string): readonly ('add' | 'delete')[] {
    const shown = prefix.replace(/\/(?:32|128)$/u, '');
    return this.#text.split('\n').filter((line) => line.includes(` ${shown} `)
      || line.includes(`]${shown} `)).map((line) => (line.includes('Deleted') ? 'delete' : 'add'));
  }
}

/** Starts FRR in its place: it accepts any node of the segment and dials n1. */
export function startFrr(segment: Segment): FrrRouter {
  const folder = join(segment.folder, 'frr');
  mkdirSync(folder);
  const [user = 0, group = 0] = ['-u', '-g'].map(
    (flag) => Number(execFileSync('id', [flag, 'frr'], { encoding: 'utf8' })),
  );
  chownSync(folder, user, group);
  writeFileSync(join(folder, 'frr.conf'), [
    'router bgp 65010', ' bgp router-id 10.99.0.3', ' no bgp ebgp-requires-policy',
    ' no bgp network import-check', ' bgp bestpath as-path multipath-relax',
    ' bgp graceful-restart', ' neighbor NODES peer-group', ' neighbor NODES remote-as external',
    ' neighbor NODES timers 3 9', ' neighbor NODES timers connect 1',
    ' neighbor NODES capability extended-nexthop',
    ' bgp listen range 10.99.0.0/24 peer-group NODES',
    ' bgp listen range fd00:99::/64 peer-group NODES',
    ' neighbor 10.99.0.1 peer-group NODES', ' neighbor fd00:99::1 peer-group NODES',
    ' address-family ipv6 unicast', '  neighbor NODES activate', '',
  ].join('\n'));
  for (const [name, config] of [['zebra', '/dev/null'], ['bgpd', join(folder, 'frr.conf')]]) {
    segment.run(
      'frr', `/usr/lib/frr/${name}`, '-f', config!, '-d', '-z', join(folder, 'z'),
      '-i', join(folder, `${name}.pid`), '--vty_socket', folder, '-A', '127.0.0.1', '-P', '0',
    );
    // The segment ends what it finds in its own folder.
    writeFileSync(
      join(segment.folder, `${name}.pid`), readFileSync(join(folder, `${name}.pid`)),
    );
  }
  return new FrrRouter(segment, folder);
}

/** FRR, asked through its own shell. */
export class FrrRouter {
  #segment: Segment;
  #folder: string;

  constructor(segment: Segment, folder: string) {
    this.#segment = segment;
    this.#folder = folder;
  }

  ask(command: string): any {
    return JSON.parse(this.#segment.run(
      'frr', '/usr/bin/vtysh', '--vty_socket', this.#folder, '-c', `${command} json`,
    ));
  }

  neighbor(address: string): any {
    return this.ask(`show bgp neighbors ${address}`)[address] ?? {};
  }
}

export interface BirdOptions {
  readonly password?: string;
  /** Protocol instances beside the usual one. */
  readonly more?: string;
}

/** BIRD, asked through its control socket. */
export class BirdRouter {
  #segment: Segment;
  #child: ChildProcess | undefined;

  constructor(segment: Segment) {
    this.#segment = segment;
  }

  /** Resolves when it answers. */
  async start(options: BirdOptions = {}): Promise<void> {
    const { folder } = this.#segment;
    const control = join(folder, 'bird.ctl');
    this.configure(options);
    rmSync(control, { force: true });
    this.#child = this.#segment.start(
      'bird', '/usr/sbin/bird', '-f', '-c', join(folder, 'bird.conf'), '-s', control,
    );
    for (let tries = 0; !existsSync(control); tries += 1) {
      if (tries > 500) throw new Error('BIRD does not start');
      await new Promise((resolve) => void setTimeout(resolve, 10));
    }
  }

  /** Ends it without a word and starts it with other values. */
  async restart(options: BirdOptions = {}): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null) {
      const ended = new Promise((resolve) => void child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    await this.start(options);
  }

  ask(...words: readonly string[]): string {
    return this.#segment.run(
      'bird', '/usr/sbin/birdc', '-s', join(this.#segment.folder, 'bird.ctl'), ...words,
    );
  }

  /** What it knows of a prefix, all attributes; empty when nothing. */
  route(prefix: string): string {
    const text = this.ask('show', 'route', prefix, 'all');
    return text.includes('BGP.') ? text : '';
  }

  established(protocol: string): boolean {
    return this.ask('show', 'protocols', protocol).includes('Established');
  }

  configure({ password, more = '' }: BirdOptions): void {
    const secret = password === undefined ? '' : `password "${password}";`;
    const dial = 'connect delay time 1; connect retry time 1; error wait time 1, 2;';
    const common = `hold time 9; keepalive time 3;
  graceful restart on; ${dial} ${secret}`;
    writeFileSync(join(this.#segment.folder, 'bird.conf'), `
router id 10.99.0.4; protocol device {}
protocol kernel k4 { ipv4 { export all; import none; }; merge paths yes limit 16; }
protocol kernel k6 { ipv6 { export all; import none; }; merge paths yes limit 16; }
protocol bgp n1 { local 10.99.0.4 as 65020; neighbor 10.99.0.1 as 65001; ${common}
  ipv4 { import all; export none; }; ipv6 { import all; export none; }; }
${more}
`);
  }
}
