import { execFileSync } from 'node:child_process';
import {
  existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { runFolder } from '../../bpf/pins.real.ts';
import { cgroupPath, parseMountinfo } from '../../bpf/mountinfo.ts';
import { layoutHash } from '../../bpf/layout.gen.ts';
import { root } from '../tidy/sources.ts';
import type { Order, Outcome } from './actor.ts';
import type { AgentSettings, Change } from './nodeagent.ts';
import { LineProcess, type Site } from './line.ts';

// The fixture of datapath.md 21 as namespaces: a router with a segment of two nodes behind it and
// an outside client in front of it. Pods of node A are ports of a bridge, those of node B hang on
// routes: both shapes occur, and replies between two ports of a bridge never cross its master.
//
//   x 203.0.113.7 ── r ══ lan 192.0.2.0/24 ══ a .11 ══ cni0 10.64.1.0/24 ══ p .9, a1 .21
//                                          ╚═ b .12 ── b1 10.64.2.21

/** Addresses of the fixture; each has a twin of IPv6. */
export const at = {
  x: '203.0.113.7', y: '203.0.113.200', a: '192.0.2.11', aOther: '192.0.2.111', b: '192.0.2.12',
  p: '10.64.1.9', a1: '10.64.1.21', b1: '10.64.2.21',
  clusterIp: '10.200.0.10', vip: '198.51.100.10', externalIp: '192.0.2.250',
} as const;
export const at6 = {
  x: '2001:db8:113::7', a: '2001:db8:2::11', b: '2001:db8:2::12',
  p: 'fd00:64:1::9', a1: 'fd00:64:1::21', b1: 'fd00:64:2::21',
  clusterIp: 'fd00:200::10', vip: '2001:db8:198::10', externalIp: '2001:db8:2::250',
} as const;

export type Place = 'r' | 'x' | 'a' | 'b' | 'p' | 'a1' | 'b1' | 'late';
const places: readonly Exclude<Place, 'late'>[] = ['r', 'x', 'a', 'b', 'p', 'a1', 'b1'];
/** Node whose cgroup a place's sockets belong to; the outside has one of its own. */
const homes: Readonly<Record<Place, 'a' | 'b' | 'out'>> = {
  r: 'out', x: 'out', a: 'a', b: 'b', p: 'a', a1: 'a', b1: 'b', late: 'b',
};

const pinsFolder = '/sys/fs/bpf/fairlead';

/** A process that serves and connects in one place. */
export class Actor {
  #process: LineProcess;
  #waiting = new Map<number, (outcome: Outcome) => void>();
  #count = 0;

  constructor(site: Site) {
    this.#process = new LineProcess(site, join(root, 'test/netns/actor.ts'), '', (line) => {
      const { id, outcome } = line as { readonly id: number; readonly outcome: Outcome };
      this.#waiting.get(id)?.(outcome);
      this.#waiting.delete(id);
    });
  }

  async ask(order: Order): Promise<Outcome> {
    const id = this.#count++;
    const answer = new Promise<Outcome>((resolve) => this.#waiting.set(id, resolve));
    this.#process.send({ id, order });
    const died = this.#process.exited.then(() => {
      throw new Error(`an actor ended: ${this.#process.stderr}`);
    });
    return Promise.race([answer, died]);
  }

  kill(): Promise<void> {
    return this.#process.kill();
  }
}

/** The datapath process of one node. */
export class Agent {
  #process: LineProcess;
  #sent = 0;
  #effective = 0;
  #listeners: (() => void)[] = [];
  /** Its programs are loaded and it waits for listings. */
  readonly started: Promise<void>;

  constructor(site: Site, settings: AgentSettings, sources: string) {
    const script = join(sources, 'test/netns/nodeagent.ts');
    this.#process = new LineProcess(site, script, JSON.stringify(settings), (line) => {
      this.#effective = (line as { readonly effective: number }).effective;
      for (const listener of this.#listeners.splice(0)) listener();
    });
    this.started = this.#next();
    // Whoever waits for it hears of it; nobody has to.
    this.started.catch(() => undefined);
  }

  /** Everything that the agent complained of. */
  get said(): string {
    return this.#process.stderr;
  }

  send(...changes: readonly Change[]): void {
    for (const change of changes) this.#process.send(change);
    this.#sent += changes.length;
  }

  /** Sends changes and waits until the kernel has them. */
  async apply(...changes: readonly Change[]): Promise<void> {
    this.send(...changes);
    const wanted = this.#sent;
    while (this.#effective < wanted) await this.#next();
  }

  /** The next line that it says. */
  #next(): Promise<void> {
    const told = new Promise<void>((resolve) => this.#listeners.push(resolve));
    const died = this.#process.exited.then(() => {
      throw new Error(`the agent ended: ${this.said}`);
    });
    return Promise.race([told, died]);
  }

  kill(): Promise<void> {
    return this.#process.kill();
  }
}

/** The namespaces, cgroups and processes of one test file. */
export class Lab {
  #undo: (() => void)[] = [];
  #actors = new Map<string, Actor>();
  #agents: Agent[] = [];
  #prefix = `fl${process.pid}`;
  #interrupted = (): void => {
    void this.close().finally(() => process.exit(130));
  };

  /** Builds everything; what was built is taken down again when a step fails. */
  static async open(): Promise<Lab> {
    const lab = new Lab();
    process.once('SIGINT', lab.#interrupted);
    try {
      lab.#build();
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  namespaceOf(place: Place): string {
    return `${this.#prefix}-${place}`;
  }

  /** The one actor of a place, started when it is first needed. */
  actor(place: Place): Actor {
    const known = this.#actors.get(place);
    if (known !== undefined) return known;
    const actor = new Actor({
      namespace: this.namespaceOf(place), cgroup: this.cgroupOf(homes[place]),
    });
    this.#actors.set(place, actor);
    return actor;
  }

  /**
   * Starts the datapath of a node; the pins of an earlier one are taken up. `sources`: of another
   * version.
   */
  agent(node: 'a' | 'b', settings: Partial<AgentSettings> = {}, sources = root): Agent {
    const site = { namespace: this.namespaceOf(node), cgroup: this.cgroupOf(node) };
    const agent = new Agent(site, {
      nodeName: this.nodeName(node), cgroup: site.cgroup, ...settings,
    }, sources);
    this.#agents.push(agent);
    return agent;
  }

  nodeName(node: 'a' | 'b'): string {
    return `${this.#prefix}-n-${node}`;
  }

  pinsOf(node: 'a' | 'b'): string {
    return join(pinsFolder, this.nodeName(node), `v${layoutHash}`);
  }

  /** Folders of pins of a node: one for each layout that it has maps of. */
  layoutsOf(node: 'a' | 'b'): string[] {
    return readdirSync(join(pinsFolder, this.nodeName(node)));
  }

  cgroupOf(home: 'a' | 'b' | 'out'): string {
    return join(cgroupMount(), `${this.#prefix}-${home}`);
  }

  /** Runs a command inside the network namespace of a place; gives its output. */
  run(place: Place, command: string): string {
    const words = command.split(' ');
    return execFileSync('nsenter', [`--net=/var/run/netns/${this.namespaceOf(place)}`, ...words], {
      encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
      // Not npm's: it has a program called nft too.
      env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' },
    });
  }

  /** A pod of node B that was not there when the agents started: `late`, 10.64.2.30. */
  addPod(): void {
    this.#addNamespace('late');
    this.#batch('b', [
      ...cable('pod-late', `${this.#prefix}-late`), 'link set dev pod-late up',
      'addr add 10.64.2.1/32 dev pod-late', 'route add 10.64.2.30 dev pod-late',
    ]);
    this.#batch('late', [
      'link set dev eth0 up', 'addr add 10.64.2.30/32 dev eth0', 'route add 10.64.2.1 dev eth0',
      'route add default via 10.64.2.1',
    ]);
  }

  async close(): Promise<void> {
    process.off('SIGINT', this.#interrupted);
    await Promise.all([...this.#agents, ...this.#actors.values()].map((one) => one.kill()));
    const failures: unknown[] = [];
    for (const undo of this.#undo.splice(0).toReversed()) {
      try {
        undo();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new Error(`the lab is not all gone: ${failures.join()}`);
  }

  #build(): void {
    for (const home of ['out', 'a', 'b'] as const) {
      mkdirSync(this.cgroupOf(home));
      this.#undo.push(() => removeCgroup(this.cgroupOf(home)));
    }
    this.#undo.push(() => {
      for (const folder of [pinsFolder, runFolder]) {
        for (const name of existsSync(folder) ? readdirSync(folder) : []) {
          if (name.startsWith(`${this.#prefix}-`)) rmSync(join(folder, name), { recursive: true });
        }
      }
    });
    for (const place of places) this.#addNamespace(place);
    const lines = plan(this.#prefix);
    for (const place of places) this.#batch(place, ['link set dev lo up', ...lines[place]]);
  }

  #addNamespace(place: Place): void {
    execFileSync('ip', ['netns', 'add', this.namespaceOf(place)]);
    this.#undo.push(() => execFileSync('ip', ['netns', 'del', this.namespaceOf(place)]));
    const forwards = Number(place === 'r' || place === 'a' || place === 'b');
    this.run(place, [
      'sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_ra=0',
      `net.ipv4.ip_forward=${forwards} net.ipv6.conf.all.forwarding=${forwards}`,
      `net.ipv4.conf.all.rp_filter=${forwards}`,
    ].join(' '));
  }

  #batch(place: Place, lines: readonly string[]): void {
    execFileSync('ip', ['-n', this.namespaceOf(place), '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
    });
  }
}

const served = ['198.51.100.0/24', at.externalIp, '10.200.0.0/16'];
const served6 = ['2001:db8:198::/64', at6.externalIp, 'fd00:200::/64'];

/** `ip -batch` lines by namespace, in the order in which they are run. */
function plan(prefix: string): Readonly<Record<(typeof places)[number], readonly string[]>> {
  return {
    r: [
      'link add name lan type bridge', 'link set dev lan up',
      ...['x', 'a', 'b'].flatMap((place) => cable(`to-${place}`, `${prefix}-${place}`)),
      'link set dev to-a master lan', 'link set dev to-b master lan',
      ...addresses('lan', '192.0.2.1/24', '2001:db8:2::1/64'),
      ...addresses('to-x', '203.0.113.1/24', '2001:db8:113::1/64'),
      // Addresses of Services lead to node A, as an announcement or a router would have it.
      ...served.map((to) => `route add ${to} via ${at.a}`),
      ...served6.map((to) => `route add ${to} via ${at6.a}`),
    ],
    x: [
      ...addresses('eth0', `${at.x}/24`, `${at6.x}/64`), `addr add ${at.y}/24 dev eth0`,
      ...routes('default via 203.0.113.1', '::/0 via 2001:db8:113::1'),
    ],
    a: [
      ...addresses('eth0', `${at.a}/24`, `${at6.a}/64`), `addr add ${at.aOther}/32 dev eth0`,
      'link add name cni0 type bridge', ...addresses('cni0', '10.64.1.1/24', 'fd00:64:1::1/64'),
      ...cable('pod-p', `${prefix}-p`), ...cable('pod-a1', `${prefix}-a1`),
      'link set dev pod-p master cni0', 'link set dev pod-a1 master cni0',
      ...routes('default via 192.0.2.1', '::/0 via 2001:db8:2::1'),
      ...routes(`10.64.2.0/24 via ${at.b}`, `fd00:64:2::/64 via ${at6.b}`),
    ],
    b: [
      ...addresses('eth0', `${at.b}/24`, `${at6.b}/64`),
      ...cable('pod-b1', `${prefix}-b1`),
      ...addresses('pod-b1', '10.64.2.1/32', 'fd00:64:2::1/128'),
      ...routes(`${at.b1} dev pod-b1`, `${at6.b1} dev pod-b1`),
      ...routes('default via 192.0.2.1', '::/0 via 2001:db8:2::1'),
      ...routes(`10.64.1.0/24 via ${at.a}`, `fd00:64:1::/64 via ${at6.a}`),
    ],
    p: podLines(`${at.p}/24`, `${at6.p}/64`, 1),
    a1: podLines(`${at.a1}/24`, `${at6.a1}/64`, 1),
    b1: [
      ...addresses('eth0', `${at.b1}/32`, `${at6.b1}/128`),
      ...routes('10.64.2.1 dev eth0', 'fd00:64:2::1 dev eth0'),
      ...routes('default via 10.64.2.1', '::/0 via fd00:64:2::1'),
    ],
  };
}

function podLines(address4: string, address6: string, net: number): readonly string[] {
  return [
    ...addresses('eth0', address4, address6),
    ...routes(`default via 10.64.${net}.1`, `::/0 via fd00:64:${net}::1`),
  ];
}

/** A veth whose other end is `eth0` of another namespace. */
function cable(end: string, namespace: string): readonly string[] {
  return [
    `link add name ${end} type veth peer name eth0 netns ${namespace}`, `link set dev ${end} up`,
  ];
}

function addresses(device: string, address4: string, address6: string): readonly string[] {
  return [
    `link set dev ${device} up`,
    `addr add ${address4} dev ${device}`, `addr add ${address6} dev ${device} nodad`,
  ];
}

function routes(route4: string, route6: string): readonly string[] {
  return [`route add ${route4}`, `route add ${route6}`];
}

/** With what a killed agent left below it. */
export function removeCgroup(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(folder, entry.name));
  }
  rmdirSync(folder);
}

export function cgroupMount(): string {
  const mount = cgroupPath(parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')));
  if (!mount.ok) throw new Error(mount.error.text);
  return mount.value;
}
