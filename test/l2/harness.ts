import { createLeaseReader } from '../../l2/leasereader.ts';
import { leaseDecoder } from '../../kube/lease.ts';
import { createDecoder } from '../../kube/decode.ts';
import type { KubeDone, KubePort, Watch } from '../../kube/port.ts';
import { LeaseApi, ms, namespace, refuse, type ApiWay, type StoredWatch } from './leaseapi.ts';
import { ingress, nodeObject, policyObject, serviceObject } from './objects.ts';
import { createRank } from '../../l2/rank.ts';
import { Selections } from '../../l2/selections.ts';
import { createAnnouncer, type Announcer, type FrontPort } from '../../l2/announcer.ts';
import {
  decodeResponderKey, decodeResponderValue, encodeResponderKey, responderMap,
} from '../../l2/responder-map.ts';
import { parseL2Settings, type L2Settings } from '../../l2/settings.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import type { EndpointSlice, L2Policy, Node, Service } from '../../lb/model.ts';
import type {
  BatchResult, Clock, KernelPort, LinkFacts, LinkPort, MapBatch, MapEntry, MapFlag, MapKeys,
  MapPage, MapTally, ObjectEvent,
} from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { Table } from '../../lb/table.ts';
import { takeKeys, writeRows } from '../../sim/node/batches.ts';
import {
  MachineClock, Process, processClock, processJournal, processRandom,
} from '../../sim/process.ts';
import { World, type WorldNote } from '../../sim/world.ts';

export * from './leaseapi.ts';
export * from './objects.ts';

export const second = 1_000_000;

/** What a test may make announcers of: the product's, or a mutant's. */
export type AnnouncerFactory = typeof createAnnouncer;

export function kubeOf(node: TestNode, api: LeaseApi): KubePort {
  const { world } = api;
  // The process that asked, and not its successor on the node, hears the answer.
  const { process } = node;
  const later = (delay: number, run: () => void): void => {
    world.schedule(delay, { kind: 'api', entity: node.name }, run);
  };
  return {
    request(request, done) {
      const { path } = node;
      process.operation();
      let settled = false;
      const finish = (result: Parameters<KubeDone>[0]): void => process.enter(() => {
        if (settled) return;
        settled = true;
        done(result);
      });
      const read = request.verb === 'get' || request.verb === 'list';
      processClock(process).after(request.timeout ?? 30 * second, () => {
        if (settled) return;
        settled = true;
        done(refuse(read ? 'unreachable' : 'unknown-outcome'));
      });
      if (!path.reachable && path.refuses) return later(ms, () => finish(refuse('unreachable')));
      if (!path.reachable || (read && path.deaf) || path.lose('request')) return;
      later(path.delay(), () => {
        const result = api.handle(request, node.name);
        if (path.lose('answer')) return;
        later(path.delay(), () => {
          if (path.reachable) finish(result);
        });
      });
    },
    watch(request, sink): Watch {
      const watch: StoredWatch = {
        sink, node, process, ended: false, due: 0, selector: request.labelSelector !== undefined,
      };
      later(0, () => api.watch(watch, Number(request.resourceVersion)));
      return { cancel: () => { watch.ended = true; } };
    },
  };
}

/** Maps of one machine; survives processes. `fail` lets a test refuse writes. */
export class TestKernel implements KernelPort {
  readonly bootId: string;
  readonly map = new Map<string, MapEntry>();
  fail: 'ENOSPC' | 'EIO' | undefined;
  failRemove = false;
  onWrite: (key: Uint8Array, value: Uint8Array) => void = () => undefined;
  #waiting: { process: Process; held: () => void }[] = [];
  #process: () => Process;

  constructor(bootId: string, process: () => Process) {
    this.bootId = bootId;
    this.#process = process;
  }

  update(
    name: string, entry: MapEntry, flag: MapFlag,
  ): Result<void, { kind: 'ENOSPC' | 'EIO' | 'ENOENT' }> {
    this.#process().operation();
    if (name !== responderMap) return ok(undefined);
    const text = String(entry.key);
    if (flag === 'exist' && !this.map.has(text)) return err({ kind: 'ENOENT' });
    if (this.fail !== undefined && !this.map.has(text)) return err({ kind: this.fail });
    this.map.set(text, { key: entry.key.slice(), value: entry.value.slice() });
    this.onWrite(entry.key, entry.value);
    return ok(undefined);
  }

  remove(_name: string, key: Uint8Array): Result<void, { kind: 'EIO' }> {
    this.#process().operation();
    if (this.failRemove) return err({ kind: 'EIO' });
    this.map.delete(String(key));
    return ok(undefined);
  }

  updateMany(name: string, rows: MapBatch, flag: MapFlag): BatchResult {
    return writeRows(rows, (entry) => this.update(name, entry, flag));
  }

  removeMany(name: string, keys: MapKeys): BatchResult {
    return takeKeys(keys, (key) => this.remove(name, key));
  }

  lookupMany(): readonly (Uint8Array | undefined)[] {
    return [];
  }

  tally(name: string): MapTally {
    return { count: this.dump(name).length, next: undefined };
  }

  scan(name: string): MapPage {
    const entries = this.dump(name);
    const rows = {
      count: entries.length,
      keys: Buffer.concat(entries.map(({ key }) => key)),
      values: Buffer.concat(entries.map(({ value }) => value)),
    };
    return { rows, next: undefined };
  }

  lookup(name: string, key: Uint8Array): Uint8Array | undefined {
    return name === responderMap ? this.map.get(String(key))?.value.slice() : undefined;
  }

  dump(name: string): readonly MapEntry[] {
    return name === responderMap ? [...this.map.values()] : [];
  }

  hostLock(_name: string, held: () => void): void {
    const process = this.#process();
    this.#waiting.push({ process, held });
    process.onEnd(() => this.#grant());
    this.#grant();
  }

  #grant(): void {
    this.#waiting = this.#waiting.filter((one) => one.process.alive);
    const first = this.#waiting[0];
    if (first === undefined) return;
    const { held } = first;
    first.held = () => undefined;
    first.process.later(0, 'hostlock', held);
  }
}

/** One machine with its processes, path to the API and links. */
export class TestNode {
  readonly name: string;
  readonly kernel: TestKernel;
  readonly clock: MachineClock;
  readonly path: ApiWay;
  process: Process;
  announcer: Announcer | undefined;
  links: LinkFacts[];
  readonly frames: { time: number; ifindex: number; frame: Uint8Array }[] = [];
  readonly joined = new Set<string>();
  readonly events: ObjectEvent[] = [];
  sendError: 'ENETDOWN' | undefined;
  front: { is: boolean } | undefined;
  #cluster: TestCluster;
  #incarnation = 0;
  #linkListeners: (() => void)[] = [];
  #frameListeners: ((ifindex: number, frame: Uint8Array) => void)[] = [];

  constructor(cluster: TestCluster, name: string, index: number) {
    this.#cluster = cluster;
    this.name = name;
    this.clock = new MachineClock(cluster.world);
    this.process = new Process(cluster.world, `agent/${name}`, this.clock);
    this.kernel = new TestKernel(`boot-${name}`, () => this.process);
    this.links = [
      link('eth0', { ifindex: 2, mac: macOf(index), addresses: [ip(`192.0.2.${10 + index}`)] }),
    ];
    this.path = {
      delay: () => 5 * ms,
      lag: () => 5 * ms,
      lose: () => false,
      reachable: true,
      deaf: false,
      refuses: true,
    };
  }

  start(settings: Partial<L2Settings> = {}): void {
    const { world, api, factory, tables, rank, decoder } = this.#cluster;
    if (!this.process.alive) this.process = new Process(world, `agent/${this.name}`, this.clock);
    this.#incarnation += 1;
    this.#linkListeners = [];
    this.#frameListeners = [];
    const { process } = this;
    const clock: Clock = processClock(process);
    const port: LinkPort = {
      links: () => this.links,
      routes: () => [],
      onLinks: (listener) => this.#linkListeners.push(listener),
      send: (ifindex, frame) => {
        process.operation();
        if (this.sendError !== undefined) return err({ kind: this.sendError });
        this.frames.push({ time: world.now, ifindex, frame });
        return ok(undefined);
      },
      onFrame: (listener) => this.#frameListeners.push(listener),
      join: (ifindex, group) => {
        this.joined.add(`${ifindex} ${group}`);
        return ok(undefined);
      },
      leave: (ifindex, group) => this.joined.delete(`${ifindex} ${group}`),
    };
    const front: FrontPort | undefined = this.front === undefined ? undefined
      : { ready: () => true, hasFront: () => this.front?.is === true, onChange: () => undefined };
    const announcer = factory(
      {
        clock, kube: kubeOf(this, api), kernel: this.kernel, link: port, rank,
        selections: this.#cluster.selections,
        leases: createLeaseReader(leaseDecoder(decoder.lease)),
        random: processRandom(process, `random/${this.name}/${this.#incarnation}`),
        journal: processJournal(process), events: { emit: (event) => this.events.push(event) },
        datapath: front,
      },
      tables,
      {
        ...parseL2Settings({}).settings, ...this.#cluster.settings, ...settings,
        nodeName: this.name, namespace,
      },
    );
    this.announcer = announcer;
    process.enter(() => announcer.start());
  }

  crash(): void {
    this.process.crash();
  }

  stop(): void {
    this.process.enter(() => this.announcer?.stop(() => this.process.crash()));
  }

  changeLinks(change: (links: LinkFacts[]) => LinkFacts[]): void {
    this.links = change(this.links);
    for (const listener of this.#linkListeners) this.process.later(0, 'links', listener);
  }

  hear(ifindex: number, frame: Uint8Array): void {
    for (const listener of this.#frameListeners) this.process.enter(() => listener(ifindex, frame));
  }

  /** Whether an unexpired key of that address stands on one of the links: asked at every write. */
  answers(address: Ip): boolean {
    const now = BigInt(this.clock.now()) * 1000n;
    return this.links.some(({ ifindex }) => {
      const entry = this.kernel.map.get(String(encodeResponderKey({ ifindex, ip: address })));
      return entry !== undefined && decodeResponderValue(entry.value).expiryNs > now;
    });
  }

  /** Addresses with an unexpired key, with their interfaces. */
  answering(): Map<Ip, number[]> {
    const found = new Map<Ip, number[]>();
    const now = BigInt(this.clock.now()) * 1000n;
    for (const { key, value } of this.kernel.map.values()) {
      if (decodeResponderValue(value).expiryNs <= now) continue;
      const { ifindex, ip: address } = decodeResponderKey(key);
      found.set(address, [...(found.get(address) ?? []), ifindex]);
    }
    return found;
  }
}

export function macOf(index: number): string {
  return `02:00:00:00:00:${(10 + index).toString(16).padStart(2, '0')}`;
}

export function link(name: string, change: Partial<LinkFacts> = {}): LinkFacts {
  return {
    name, ifindex: 2, mac: macOf(0), adminUp: true, carrier: true, loopback: false, noArp: false,
    enslaved: false, addresses: [], defaultRoute: true, ...change,
  };
}

/** Nodes, their API and what they should announce. */
export class TestCluster {
  readonly world: World;
  readonly api: LeaseApi;
  readonly nodes: TestNode[] = [];
  readonly rank = createRank();
  readonly selections = new Selections();
  readonly decoder = createDecoder();
  readonly tables = {
    services: new Table<Service>('services'), slices: new Table<EndpointSlice>('slices'),
    nodes: new Table<Node>('nodes'), policies: new Table<L2Policy>('policies'),
  };
  readonly violations: string[] = [];
  readonly factory: AnnouncerFactory;
  settings: Partial<L2Settings> = {};
  /** When each address first had a key again, and lost its last: `ip node from` lines. */
  readonly keyLog: { time: number; node: string; ip: Ip }[] = [];

  constructor(
    names: readonly string[], options: { seed?: number; factory?: AnnouncerFactory } = {},
  ) {
    this.world = new World({ seed: BigInt(options.seed ?? 1) });
    this.api = new LeaseApi(this.world);
    this.factory = options.factory ?? createAnnouncer;
    for (const [index, name] of names.entries()) {
      const node = new TestNode(this, name, index);
      this.nodes.push(node);
      this.tables.nodes.upsert(name, nodeObject(name, {}));
      node.kernel.onWrite = (key) => this.#written(node, decodeResponderKey(key).ip);
    }
    this.tables.policies.upsert('all', policyObject('all', {}));
    for (const table of Object.values(this.tables)) table.markComplete();
  }

  node(name: string): TestNode {
    return this.nodes.find((one) => one.name === name)!;
  }

  start(settings: Partial<L2Settings> = {}): void {
    for (const node of this.nodes) node.start(settings);
  }

  service(name: string, ips: readonly string[], change: Partial<Service> = {}): void {
    const service = serviceObject(name, { ingress: ips.map(ingress), ...change });
    this.tables.services.upsert(service.key, service);
  }

  run(duration: number): void {
    this.world.run(this.world.now + duration);
    for (const node of this.nodes) if (node.process.fault !== undefined) throw node.process.fault;
  }

  /** Names of the nodes with an unexpired key of that address. */
  owners(address: string): string[] {
    return this.nodes.filter((node) => node.answers(ip(address))).map((node) => node.name);
  }

  owner(address: string): TestNode {
    return this.node(this.owners(address)[0] ?? 'nobody');
  }

  notes(code: string): WorldNote[] {
    return this.world.notes.filter((note) => note.code === code);
  }

  #written(node: TestNode, address: Ip): void {
    this.keyLog.push({ time: this.world.now, node: node.name, ip: address });
    for (const other of this.nodes) {
      if (other !== node && other.answers(address) && node.answers(address)) {
        this.violations.push(`${this.world.now}: ${address} on ${node.name} and ${other.name}`);
      }
    }
  }
}
