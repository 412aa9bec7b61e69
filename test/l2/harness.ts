import { createDecoder } from '../../kube/decode.ts';
import type {
  KubeAnswer, KubeDone, KubeError, KubeObject, KubePort, KubeRequest, Watch, WatchEvent, WatchSink,
} from '../../kube/port.ts';
import { createRank } from '../../l2/rank.ts';
import { createAnnouncer, type Announcer, type FrontPort } from '../../l2/announcer.ts';
import { decodeResponderKey, decodeResponderValue, responderMap } from '../../l2/responder-map.ts';
import { parseL2Settings, type L2Settings } from '../../l2/settings.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import {
  serviceKey, type EndpointSlice, type IngressEntry, type L2Policy, type Meta, type Node, type Service,
} from '../../lb/model.ts';
import type {
  Clock, KernelPort, LinkFacts, LinkPort, MapEntry, ObjectEvent,
} from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { Table } from '../../lb/table.ts';
import { MachineClock, Process, processClock, processJournal, processRandom } from '../../sim/process.ts';
import { World, type WorldNote } from '../../sim/world.ts';

export const namespace = 'fairlead';
export const ms = 1000;
export const second = 1_000_000;

/** What a test may make announcers of: the product's, or a mutant's. */
export type AnnouncerFactory = typeof createAnnouncer;

interface StoredWatch { sink: WatchSink; node: TestNode; process: Process; ended: boolean; due: number; selector: boolean }

interface Commit { object: KubeObject; before: boolean; after: boolean; was: boolean; is: boolean }

/** One write as the server saw it. */
export interface ApiWrite { time: number; node: string; verb: string; name: string; result: string }

/** Leases only, linearizable; every message takes as long as the node's path says. */
export class LeaseApi {
  readonly world: World;
  readonly objects = new Map<string, KubeObject>();
  readonly writes: ApiWrite[] = [];
  reads = 0;
  #version = 100;
  #uid = 0;
  #watches: StoredWatch[] = [];

  constructor(world: World) {
    this.world = world;
  }

  get(name: string): KubeObject | undefined {
    return this.objects.get(name);
  }

  locks(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const [name, object] of this.objects) {
      if (name.startsWith('fairlead-l2-')) found[name.slice(12)] = specOf(object).holderIdentity.split('_')[0] ?? '';
    }
    return found;
  }

  sessions(): string[] {
    return [...this.objects.keys()].filter((name) => name.startsWith('fairlead-session-')).sort();
  }

  /** A change by hand, or undefined to delete. */
  edit(name: string, change: (object: any) => any): void {
    const object = this.objects.get(name);
    if (object === undefined) return;
    const next = change(JSON.parse(JSON.stringify(object)));
    this.#commit(name, next);
  }

  handle(request: KubeRequest, node: string): Result<KubeAnswer, KubeError> {
    const result = this.#handle(request);
    if (request.verb === 'get' || request.verb === 'list') this.reads += 1;
    else {
      const name = 'ref' in request ? request.ref.name : (('body' in request ? (request.body as KubeObject) : {}).metadata?.name ?? '');
      this.writes.push({ time: this.world.now, node, verb: request.verb, name, result: result.ok ? 'ok' : result.error.kind });
    }
    return result;
  }

  watch(watch: StoredWatch, since: number): void {
    this.#watches.push(watch);
    // Nothing is lost between the list and the watch: the history since then is replayed.
    for (const [version, event] of this.#history) if (version > since) this.#deliver(watch, event);
  }

  drop(node: TestNode): void {
    for (const watch of this.#watches) {
      if (watch.node !== node || watch.ended) continue;
      watch.ended = true;
      this.world.schedule(0, { kind: 'watch.end', entity: node.name }, () => watch.process.enter(() => watch.sink.end(undefined)));
    }
    this.#watches = this.#watches.filter((watch) => !watch.ended);
  }

  #history: [number, Commit][] = [];

  #handle(request: KubeRequest): Result<KubeAnswer, KubeError> {
    switch (request.verb) {
      case 'list': {
        const labelled = request.options.labelSelector !== undefined;
        const items = [...this.objects.keys()].sort().map((name) => this.objects.get(name)!)
          .filter((object) => !labelled || hasLabel(object));
        return ok({ kind: 'list', items, resourceVersion: String(this.#version) });
      }
      case 'get': {
        const object = this.objects.get(request.ref.name);
        return object === undefined ? refuse('gone') : ok({ kind: 'object', object });
      }
      case 'create': {
        const name = request.body.metadata?.name ?? '';
        if (this.objects.has(name)) return refuse('exists');
        this.#uid += 1;
        const metadata = { ...request.body.metadata, uid: `uid-${this.#uid}`, namespace };
        return ok({ kind: 'object', object: this.#commit(name, { ...request.body, metadata })! });
      }
      case 'update': {
        const { name } = request.ref;
        const object = this.objects.get(name);
        if (object === undefined) return refuse('gone');
        const { resourceVersion, uid } = request.body.metadata ?? {};
        if (resourceVersion !== object.metadata?.resourceVersion || uid !== object.metadata?.uid) return refuse('conflict');
        return ok({ kind: 'object', object: this.#commit(name, request.body)! });
      }
      case 'delete': {
        const object = this.objects.get(request.ref.name);
        if (object === undefined) return refuse('gone');
        const { resourceVersion, uid } = request.preconditions ?? {};
        if (resourceVersion !== undefined && resourceVersion !== object.metadata?.resourceVersion) return refuse('conflict');
        if (uid !== undefined && uid !== object.metadata?.uid) return refuse('conflict');
        this.#commit(request.ref.name, undefined);
        return ok({ kind: 'object', object });
      }
      default: return refuse('invalid');
    }
  }

  #commit(name: string, body: KubeObject | undefined): KubeObject | undefined {
    const before = this.objects.get(name);
    this.#version += 1;
    const resourceVersion = String(this.#version);
    const source = body ?? before!;
    const object = { ...source, metadata: { ...source.metadata, resourceVersion } } as KubeObject;
    if (body === undefined) this.objects.delete(name);
    else this.objects.set(name, object);
    const event = { object, before: before !== undefined && hasLabel(before), after: body !== undefined && hasLabel(object), was: before !== undefined, is: body !== undefined };
    this.#history.push([this.#version, event]);
    if (this.#history.length > 3000) this.#history.splice(0, 1500);
    for (const watch of this.#watches) this.#deliver(watch, event);
    return object;
  }

  #deliver(watch: StoredWatch, commit: Commit): void {
    // To a watch with a selector a lost label is a deletion.
    const [was, is] = watch.selector ? [commit.before, commit.after] : [commit.was, commit.is];
    if (!was && !is) return;
    const event: WatchEvent = { type: !is ? 'DELETED' : was ? 'MODIFIED' : 'ADDED', object: commit.object };
    const { node } = watch;
    watch.due = Math.max(watch.due, this.world.now + node.path.lag());
    const fire = (): void => {
      if ((!node.path.reachable || node.path.deaf) && !watch.ended) {
        // The stream stalls while the path is cut, and goes on in order.
        this.world.schedule(50 * ms, { kind: 'watch.stall', entity: node.name }, fire);
        return;
      }
      watch.process.enter(() => {
        if (!watch.ended) watch.sink.event(event);
      });
    };
    this.world.schedule(watch.due - this.world.now, { kind: 'watch', entity: node.name }, fire);
  }
}

function refuse(kind: KubeError['kind']): { ok: false; error: KubeError } {
  return err({ kind, message: kind });
}

function hasLabel(object: KubeObject): boolean {
  const labels = object.metadata?.['labels'];
  return typeof labels === 'object' && labels !== null && 'fairlead.dev/l2' in labels;
}

export function specOf(object: KubeObject | undefined): { holderIdentity: string; leaseTransitions: number } {
  return object?.['spec'] as { holderIdentity: string; leaseTransitions: number };
}

/** How messages between one node and the API fare; a test changes the fields. */
export interface ApiWay {
  /** One way, per message. */
  delay(): number;
  lag(): number;
  /** Requests or answers that vanish. */
  lose(what: 'request' | 'answer'): boolean;
  reachable: boolean;
  /** Writes pass, but neither lists nor events come: a stuck watch cache. */
  deaf: boolean;
  /** Requests are refused at once instead of vanishing while the path is cut. */
  refuses: boolean;
}

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
      const watch: StoredWatch = { sink, node, process, ended: false, due: 0, selector: request.labelSelector !== undefined };
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

  update(name: string, entry: MapEntry, flag: 'any' | 'noexist' | 'exist'): Result<void, { kind: 'ENOSPC' | 'EIO' | 'ENOENT' }> {
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
    this.links = [link('eth0', { ifindex: 2, mac: macOf(index), addresses: [ip(`192.0.2.${10 + index}`)] })];
    this.path = { delay: () => 5 * ms, lag: () => 5 * ms, lose: () => false, reachable: true, deaf: false, refuses: true };
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
        clock, kube: kubeOf(this, api), kernel: this.kernel, link: port, rank, decode: (object) => {
          const decoded = decoder.lease(object);
          if (!decoded.ok) throw new Error('a lease of the tests is readable');
          return decoded.value;
        },
        random: processRandom(process, `random/${this.name}/${this.#incarnation}`),
        journal: processJournal(process), events: { emit: (event) => this.events.push(event) },
      },
      tables,
      { ...parseL2Settings({}).settings, ...this.#cluster.settings, ...settings, nodeName: this.name, namespace },
      front,
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

  constructor(names: readonly string[], options: { seed?: number; factory?: AnnouncerFactory } = {}) {
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
    return this.nodes.filter((node) => node.answering().has(ip(address))).map((node) => node.name);
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
      if (other !== node && other.answering().has(address) && node.answering().has(address)) {
        this.violations.push(`${this.world.now}: ${address} on ${node.name} and ${other.name}`);
      }
    }
  }
}

export function ingress(text: string): IngressEntry {
  return { ip: text, hostname: undefined, ipMode: 'VIP', ports: undefined };
}

export function meta(name: string, change: Partial<Meta> = {}): Meta {
  return {
    namespace: '', name, uid: `uid-${name}`, resourceVersion: '1', generation: 1, createdAtMs: 0,
    deleting: false, labels: {}, annotations: {}, ...change,
  };
}

export function serviceObject(name: string, change: Partial<Service> = {}): Service {
  return {
    kind: 'Service', meta: meta(name, { namespace: 'prod' }), key: serviceKey('prod', name), type: 'LoadBalancer',
    clusterIps: [], ports: [], selector: {}, externalIps: [], loadBalancerIp: undefined, loadBalancerClass: undefined,
    ipFamilies: ['IPv4'], ipFamilyPolicy: undefined, externalTrafficPolicy: 'Cluster', internalTrafficPolicy: 'Cluster',
    affinitySeconds: undefined, sourceRanges: [], healthCheckNodePort: 0, ingress: [], conditions: [], faults: [],
    ...change,
  };
}

export function nodeObject(name: string, change: Partial<Node> & { labels?: Record<string, string> } = {}): Node {
  const { labels, ...rest } = change;
  return {
    kind: 'Node', meta: meta(name, { labels: labels ?? {} }), podCidrs: [], unschedulable: false, taints: [],
    addresses: [], conditions: [], faults: [], ...rest,
  };
}

export function policyObject(name: string, change: Partial<L2Policy> = {}): L2Policy {
  return {
    kind: 'CiliumL2AnnouncementPolicy', meta: meta(name), nodeSelector: undefined, serviceSelector: undefined,
    interfaces: [], externalIps: true, loadBalancerIps: true, conditions: [], faults: [], ...change,
  };
}

export function sliceObject(service: string, endpoints: readonly (string | undefined)[], change: Partial<EndpointSlice['endpoints'][0]> = {}): EndpointSlice {
  return {
    kind: 'EndpointSlice', meta: meta(`${service}-1`, { namespace: 'prod' }), service: serviceKey('prod', service),
    addressType: 'IPv4', ports: [], faults: [],
    endpoints: endpoints.map((nodeName) => ({
      addresses: ['10.244.0.1'], ready: true, serving: undefined, terminating: undefined, nodeName,
      zone: undefined, hintZones: [], hintNodes: [], ...change,
    })),
  };
}
