import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import type { KubeObject } from '../../kube/port.ts';
import { run } from '../kernel/machine.ts';
import { Place } from '../kernel/place.ts';
import { cgroupMount, removeCgroup } from '../netns/lab.ts';
import { LineProcess } from '../netns/line.ts';
import { node, paths } from './objects.ts';
import { root } from '../tidy/sources.ts';

/** Who stands on the segment, and with what address. */
export const hosts = { api: '192.0.2.1', a: '192.0.2.11', b: '192.0.2.12', client: '192.0.2.7' };
export type Host = keyof typeof hosts;

/** A bearer token of every agent, which nothing may ever tell. */
export const secret = 'user:agent-4f1c9e0b7d';

/** What a process of ours said and how it ended. */
export class Daemon {
  #child: ChildProcess;
  stderr = '';
  stdout = '';
  readonly exited: Promise<number | string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (text) => { this.stdout += String(text); });
    child.stderr?.on('data', (text) => { this.stderr += String(text); });
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal ?? ''));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Lines of the log, parsed. */
  get lines(): Record<string, unknown>[] {
    return this.stderr.split('\n').filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  signal(name: NodeJS.Signals): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(name);
  }
}

/** A segment with an API server, two nodes and a client, each in a network namespace. */
export class DaemonSite {
  readonly folder = mkdtempSync(join(tmpdir(), 'fairlead-daemon-'));
  #place = new Place();
  #namespaces = new Map<Host, string>();
  #api: LineProcess | undefined;
  #apiUrl = '';
  #asked = 0;
  #answers = new Map<number, (answer: { code: number; body: any }) => void>();
  #daemons: Daemon[] = [];

  /** `filled`: Services that the API server has from the start. */
  static async open(filled = 0): Promise<DaemonSite> {
    const site = new DaemonSite();
    try {
      site.#build();
      await site.#serveApi(filled);
    } catch (error) {
      await site.close();
      throw error;
    }
    return site;
  }

  get url(): string {
    return this.#apiUrl;
  }

  namespaceOf(host: Host): string {
    return this.#namespaces.get(host) ?? '';
  }

  nodeName(host: 'a' | 'b'): string {
    return `fld${process.pid}-${host}`;
  }

  /** Where the agent of a node is asked. */
  socketOf(host: 'a' | 'b'): string {
    return join(this.folder, `${host}.sock`);
  }

  cgroupOf(host: Host): string {
    return join(cgroupMount(), `fld${process.pid}-${host}`);
  }

  /** Writes a configuration file and gives its path. */
  config(name: string, settings: Readonly<Record<string, unknown>>): string {
    const file = join(this.folder, `${name}.yaml`);
    writeFileSync(file, JSON.stringify(settings, undefined, 1));
    return file;
  }

  /** Starts a process of ours on a host; `wrap` is put in front of its command. */
  start(host: Host, words: readonly string[], wrap: readonly string[] = []): Daemon {
    const enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
    const child = spawn('sh', [
      '-c', enter, this.cgroupOf(host), 'nsenter', `--net=/var/run/netns/${this.namespaceOf(host)}`,
      ...wrap, process.execPath, join(root, 'cli/main.ts'), ...words,
    ], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } });
    const daemon = new Daemon(child);
    this.#daemons.push(daemon);
    return daemon;
  }

  /** Starts a program on a host. */
  command(host: Host, words: readonly string[]): Daemon {
    const child = spawn('nsenter', [
      `--net=/var/run/netns/${this.namespaceOf(host)}`, ...words,
    ], { stdio: ['ignore', 'pipe', 'pipe'] });
    const daemon = new Daemon(child);
    this.#daemons.push(daemon);
    return daemon;
  }

  /** Serves HTTP on a host, port 8080: every answer is the address of who asked. */
  async serve(host: Host): Promise<void> {
    const script = "require('node:http').createServer((asked, answer) => {"
      + " answer.setHeader('connection', 'close');"
      + " answer.end(asked.socket.remoteAddress.replace('::ffff:', ''));"
      + " }).listen(8080, () => console.log('listens'))";
    const server = this.command(host, [process.execPath, '-e', script]);
    await soon(() => server.stdout.includes('listens') || undefined);
  }

  /** What a web server says to a client on a host; undefined: nothing within 300 ms. */
  fetch(host: Host, url: string, more = ''): string | undefined {
    return this.try(host, `curl -gsS -m 0.3 ${more} ${url}`);
  }

  /** The health of a process of ours, `200 ok` or `503 why`. */
  probe(host: Host, url: string): string | undefined {
    const said = this.try(host, `curl -gsS -m 1 -w %{http_code} ${url}`);
    return said === undefined ? undefined : `${said.slice(-3)} ${said.slice(0, -3).trim()}`;
  }

  /** Settings of a node's agent, and more. */
  agent(
    host: 'a' | 'b', more: Readonly<Record<string, unknown>> = {}, wrap: readonly string[] = [],
  ): Daemon {
    const tokenFile = join(this.folder, 'token');
    writeFileSync(tokenFile, secret);
    return this.start(host, ['agent', '--config', this.config(`agent-${host}`, {
      'l2.session.duration': '3s', 'l2.session.renew': '500ms',
      'nodeName': this.nodeName(host), 'namespace': 'default',
      'kubernetes.endpoints': [this.url], 'kubernetes.tokenFile': tokenFile,
      'datapath.cgroup': this.cgroupOf(host),
      'datapath.mapSize': 'small', 'api.socket': this.socketOf(host), ...more,
    })], wrap);
  }

  controller(more: Readonly<Record<string, unknown>> = {}): Daemon {
    return this.start('api', ['controller', '--config', this.config('controller', {
      'nodeName': 'control', 'namespace': 'default', 'kubernetes.endpoints': [this.url], ...more,
    })]);
  }

  /** Asks the API server. */
  ask(method: string, path: string, body?: unknown): Promise<{ code: number; body: any }> {
    const id = this.#asked++;
    const answer = new Promise<{ code: number; body: any }>((resolve) => {
      this.#answers.set(id, resolve);
    });
    this.#api?.send({ id, method, path, body });
    return answer;
  }

  async create(path: string, object: KubeObject): Promise<void> {
    const { code, body } = await this.ask('POST', path, object);
    if (code !== 201) throw new Error(`${path}: ${code} ${JSON.stringify(body)}`);
  }

  /** The Node object of a host, as its kubelet would report it. */
  async addNode(host: 'a' | 'b'): Promise<void> {
    const { status, ...spec } = node(this.nodeName(host), hosts[host]);
    await this.create(paths.nodes, spec);
    await this.ask('PATCH', `${paths.nodes}/${this.nodeName(host)}/status`, { status });
  }

  /** Everything that processes of ours have said. */
  get said(): string {
    return this.#daemons.map(({ stdout, stderr }) => stdout + stderr).join('');
  }

  /** Runs a command on a host; its output, or undefined where it fails. */
  try(host: Host, command: string): string | undefined {
    try {
      return run(`nsenter --net=/var/run/netns/${this.namespaceOf(host)} ${command}`);
    } catch {
      return undefined;
    }
  }

  async close(): Promise<void> {
    for (const daemon of this.#daemons) daemon.signal('SIGKILL');
    await Promise.all(this.#daemons.map(({ exited }) => exited));
    await this.#api?.kill();
    for (const host of ['a', 'b'] as const) {
      for (const folder of ['/sys/fs/bpf/fairlead', '/run']) {
        for (const name of namesIn(folder)) {
          if (name.includes(this.nodeName(host))) rmSync(join(folder, name), { recursive: true });
        }
      }
    }
    this.#place.close();
    rmSync(this.folder, { recursive: true });
  }

  #build(): void {
    const lan = this.#place.namespace();
    run(`ip -n ${lan} link add lan type bridge`);
    run(`ip -n ${lan} link set lan up`);
    for (const host of Object.keys(hosts) as Host[]) {
      const namespace = this.#place.namespace();
      this.#namespaces.set(host, namespace);
      // As on every node of a cluster.
      run(`ip netns exec ${namespace} sysctl -qw net.ipv4.ip_forward=1`);
      mkdirSync(this.cgroupOf(host));
      this.#place.later(() => removeCgroup(this.cgroupOf(host)));
      this.#place.batch(lan, [
        `link add name to-${host} type veth peer name eth0 netns ${namespace}`,
        `link set dev to-${host} master lan`, `link set dev to-${host} up`,
      ]);
      this.#place.batch(namespace, [
        'link set eth0 up', `addr add ${hosts[host]}/24 dev eth0`,
      ]);
    }
  }

  async #serveApi(filled: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const site = { namespace: this.namespaceOf('api'), cgroup: this.cgroupOf('api') };
      const script = join(root, 'test/daemon/apiserver.ts');
      this.#api = new LineProcess(site, script, `${hosts.api} ${filled}`, (line) => {
        const { url, id, ...answer } = line as Line;
        if (url !== undefined) {
          this.#apiUrl = url;
          resolve();
        } else if (id !== undefined) this.#answers.get(id)?.(answer);
      });
      void this.#api.exited.then(() => resolve());
    });
    if (this.#apiUrl === '') throw new Error(`the API server ended: ${this.#api?.stderr}`);
  }
}

/** What the API server's process says: its address, or an answer. */
interface Line {
  readonly url?: string;
  readonly id?: number;
  readonly code: number;
  readonly body: any;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Waits until `holds` gives something, and gives it; undefined after so many seconds. */
export async function soon<T>(
  holds: () => T | undefined | Promise<T | undefined>, seconds = 40,
): Promise<T | undefined> {
  const until = Date.now() + seconds * 1000;
  for (;;) {
    const found = await holds();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > until) return undefined;
    await after(50);
  }
}
