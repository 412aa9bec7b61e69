import type { NodeFacts } from '../../lb/datapathoptions.ts';
import type { Ip } from '../../lb/ip.ts';
import type {
  EndpointSlice, Node, Service, ServiceCidr, ServiceKey,
} from '../../lb/model.ts';
import { nodeFacts, placeOf } from '../../lb/nodefacts.ts';
import type { Micros, Timer } from '../../lb/ports.ts';
import {
  changeQueued, neverSynced, syncCompleted, type FamilySync,
} from '../../lb/proxyhealth.ts';
import { deriveServicePorts } from '../../lb/serviceport.ts';
import { SliceIndex } from '../../lb/sliceindex.ts';
import { compareText, type Cursor, type Table } from '../../lb/table.ts';
import type { Place } from '../../lb/topology.ts';
import type { FrontConflict } from '../../lb/view.ts';
import { auditSteps } from './audit.ts';
import type { DatapathDeviceFacts } from './devices.ts';
import { Failures, type Failure } from './failures.ts';
import { addressKey, type RecordImage } from './image.ts';
import { FlowGarbage, type FlowMap } from './gc.ts';
import { NodeTables, runtimeDefaults } from './nodetables.ts';
import { Programmer } from './programmer.ts';
import { Reporter } from './reporter.ts';
import type {
  FrontChange, ServiceDatapath, ServiceDatapathFault, ServiceDatapathPorts, ServiceDatapathSettings,
  ServiceDatapathTables,
} from './settings.ts';

/** Services derived in one go. */
const roundServicesMax = 1_000;
/** Events that come sooner after a round than this are taken together (datapath.md 10). */
const coalesceFor: Micros = 50_000;
/** How often the maps are compared with what should be in them (datapath.md 10). */
const auditEvery: Micros = 300_000_000;

/**
 * The reconciler of one node's maps (datapath.md 7, 10, 11). Nothing is written before all listings
 * are complete; rows of an earlier process are adopted, and rewritten only where they differ.
 */
export function createServiceDatapath(
  ports: ServiceDatapathPorts, tables: ServiceDatapathTables, settings: ServiceDatapathSettings,
): ServiceDatapath {
  return new MapDatapath(ports, tables, settings);
}

type Phase = 'idle' | 'listing' | 'deriving' | 'programming' | 'ready' | 'stopped';

class MapDatapath implements ServiceDatapath {
  #ports: ServiceDatapathPorts;
  #tables: ServiceDatapathTables;
  #settings: ServiceDatapathSettings;
  #cursors: {
    readonly services: Cursor<Service>; readonly slices: Cursor<EndpointSlice>;
    readonly nodes: Cursor<Node>; readonly serviceCidrs: Cursor<ServiceCidr> | undefined;
  };
  #sliceIndex = new SliceIndex();
  #images = new Map<ServiceKey, readonly RecordImage[]>();
  #dirty = new Set<ServiceKey>();
  /** Services of one look, last first, that are being derived. */
  #deriving: ServiceKey[] = [];
  #programmer: Programmer;
  #nodeTables: NodeTables;
  #failures = new Failures();
  #reporter: Reporter;
  #garbage: FlowGarbage;
  #listeners: ((change: FrontChange) => void)[] = [];
  #phase: Phase = 'idle';
  #timer: { readonly due: Micros; readonly timer: Timer } | undefined;
  #auditTimer: Timer | undefined;
  #lastRound: Micros = -coalesceFor;
  #changed = new Set<Ip>();
  #facts: NodeFacts | undefined;
  #place: Place;
  #devices: DatapathDeviceFacts | undefined;
  #ifindexes: ReadonlyMap<string, number> = new Map();
  #nodesMoved = true;
  #devicesMoved = true;
  #auditRepairs = 0;
  #sync = neverSynced;

  constructor(
    ports: ServiceDatapathPorts, tables: ServiceDatapathTables, settings: ServiceDatapathSettings,
  ) {
    this.#ports = ports;
    this.#tables = tables;
    this.#settings = settings;
    const { services, slices, nodes, serviceCidrs } = tables;
    this.#cursors = {
      services: services.cursor(), slices: slices.cursor(), nodes: nodes.cursor(),
      serviceCidrs: serviceCidrs?.cursor(),
    };
    const { clock, kernel } = ports;
    const { options, memo, limits = {}, runtime = runtimeDefaults } = settings;
    this.#place = placeOf(settings.nodeName, undefined);
    this.#nodeTables = new NodeTables(clock, kernel, runtime);
    this.#reporter = new Reporter(ports, tables.services);
    this.#garbage = new FlowGarbage(clock, kernel);
    this.#programmer = new Programmer(kernel, {
      options, memo, limits,
      ifindexOf: ({ key, flags }) => (
        flags === 0 || this.#ifindexes.size === 0 ? 0 : this.#ifindexes.get(key.slice(0, 16)) ?? 0
      ),
    }, {
      refused: (subject, refusal) => {
        const first = this.#failures.note(subject, refusal, clock.now());
        if (first) this.#reporter.refused(subject, refusal);
      },
      failing: () => this.#failures.size > 0,
      accepted: ({ name }) => {
        const failure = this.#failures.clear(name);
        if (failure !== undefined) this.#reporter.accepted(failure);
      },
    });
    for (const table of [services, slices, nodes]) table.onChange(() => this.#changedNow());
    serviceCidrs?.onChange(() => this.#changedNow());
    ports.devices?.onChange(() => {
      this.#devicesMoved = true;
      this.#changedNow();
    });
  }

  start(): void {
    if (this.#phase !== 'idle') return;
    this.#phase = 'listing';
    this.#arm(0);
  }

  stop(): void {
    this.#phase = 'stopped';
    this.#timer?.timer.cancel();
    this.#auditTimer?.cancel();
    this.#nodeTables.stop();
    this.#garbage.stop();
  }

  ready(): boolean {
    return this.#phase === 'ready';
  }

  hasFront(address: Ip): boolean {
    return (this.#programmer.stores.addresses.get(address)?.fronts ?? 0) > 0;
  }

  onChange(listener: (change: FrontChange) => void): void {
    this.#listeners.push(listener);
  }

  get auditRepairs(): number {
    return this.#auditRepairs + this.#programmer.tableRepairs;
  }

  get faults(): readonly ServiceDatapathFault[] {
    return this.#failures.list().map(({ name, port, refusal }) => ({
      servicePort: port?.id ?? name, map: refusal.map, error: refusal.error,
    }));
  }

  conflicts(): readonly FrontConflict[] {
    return this.#programmer.stores.fronts.conflicts();
  }

  sync(): FamilySync {
    return this.#sync;
  }

  get flowRows(): ReadonlyMap<FlowMap, number> {
    return this.#garbage.rows;
  }

  pending(): readonly string[] {
    if (this.#phase === 'listing') {
      const missing = this.#listings().filter((table) => !table.complete);
      return missing.map((table) => `datapath waits for the listing of ${table.name}`);
    }
    const names = new Set([
      ...this.#programmer.queuedNames(), ...this.#failures.list().map(({ name }) => name),
      ...this.#nodeTables.pending(),
    ]);
    const behind = this.#behind() ? ['datapath has changes to derive'] : [];
    return [...behind, ...[...names].map((name) => `datapath row ${name} is not written`)];
  }

  #listings(): readonly Table<unknown>[] {
    const { services, slices, nodes, serviceCidrs } = this.#tables;
    return [services, slices, nodes, ...(serviceCidrs === undefined ? [] : [serviceCidrs])];
  }

  #behind(): boolean {
    const { services, slices, nodes, serviceCidrs } = this.#cursors;
    return this.#deriving.length > 0 || this.#dirty.size > 0 || services.behind || slices.behind
      || nodes.behind || serviceCidrs?.behind === true
      || (this.#phase !== 'ready' && this.#phase !== 'stopped');
  }

  // At once when idle; under load what comes within one span is one derivation, whatever its order.
  #changedNow(): void {
    if (this.#phase === 'idle' || this.#phase === 'stopped') return;
    this.#sync = changeQueued(this.#sync, this.#ports.clock.wall());
    this.#arm(Math.max(0, this.#lastRound + coalesceFor - this.#ports.clock.now()));
  }

  #arm(delay: Micros): void {
    if (this.#phase === 'stopped') return;
    const due = this.#ports.clock.now() + delay;
    if (this.#timer !== undefined && this.#timer.due <= due) return;
    this.#timer?.timer.cancel();
    const timer = this.#ports.clock.after(delay, () => {
      this.#timer = undefined;
      if (this.#phase !== 'stopped') this.#turn();
    });
    this.#timer = { due, timer };
  }

  #turn(): void {
    if (this.#phase === 'listing') {
      if (this.#listings().some((table) => !table.complete)) return;
      this.#phase = 'deriving';
      this.#programmer.restore();
      this.#nodeTables.restore();
    }
    this.#lastRound = this.#ports.clock.now();
    this.#takeChanges();
    this.#derive();
    if (this.#deriving.length > 0 || this.#dirty.size > 0) {
      this.#arm(0);
      return;
    }
    if (this.#phase === 'deriving') {
      this.#programmer.match();
      this.#phase = 'programming';
    }
    this.#program();
  }

  #program(): void {
    const { clock } = this.#ports;
    const now = clock.now();
    const due = this.#failures.due(now);
    for (const { port } of due) if (port !== undefined) this.#programmer.look(port);
    for (const ip of this.#programmer.round(now)) this.#changed.add(ip);
    this.#forgive(due);
    this.#nodeTables.round();
    const done = this.#programmer.queued === 0;
    if (done) {
      const { queuedAt } = this.#sync;
      this.#sync = syncCompleted(clock.wall());
      const waited = queuedAt === undefined ? undefined : clock.wall() - queuedAt;
      this.#reporter.round(clock.now() - this.#lastRound, waited);
    }
    const became = done && this.#phase === 'programming';
    if (became) this.#finishRestart(now);
    this.#notify(became);
    if (!done || became) this.#arm(0);
    const dues = [this.#failures.nextDue, this.#programmer.stores.nextDue];
    for (const due of dues) if (due !== undefined) this.#arm(Math.max(0, due - now));
  }

  // What was due and was not refused again has come about, or nobody wants it any more.
  #forgive(due: readonly Failure[]): void {
    for (const failure of due) {
      const { name, port } = failure;
      if (this.#failures.get(name) !== failure || this.#programmer.isQueued(port)) continue;
      this.#failures.clear(name);
      this.#reporter.accepted(failure);
    }
  }

  #finishRestart(now: Micros): void {
    this.#phase = 'ready';
    this.#reporter.pruned(this.#programmer.prune(now));
    this.#armAudit();
    this.#garbage.start();
  }

  #notify(all: boolean): void {
    if (!all && this.#changed.size === 0) return;
    const change = { all, ips: this.#changed };
    this.#changed = new Set();
    // Before it is ready, nobody may rely on what it says of an address.
    if (this.#phase !== 'ready') return;
    for (const listener of this.#listeners) listener(change);
  }

  #takeChanges(): void {
    const { services, slices, nodes, serviceCidrs } = this.#cursors;
    const concerns = (service: ServiceKey): void => { this.#dirty.add(service); };
    for (const change of slices.take()) this.#sliceIndex.take(change, concerns);
    // The keys of the table are the Services' own (ServiceKey).
    for (const { key } of services.take()) concerns(key as ServiceKey);
    const changes = nodes.take();
    const everyNode = this.#settings.options.externalIps === 'nodeOwned';
    const own = changes.some(({ key }) => key === this.#settings.nodeName);
    this.#nodesMoved ||= own || (everyNode && changes.length > 0);
    if ((serviceCidrs?.take().length ?? 0) > 0) this.#nodesMoved = true;
    if (this.#nodesMoved) this.#deriveNode();
    if (this.#devicesMoved) this.#takeDevices();
  }

  #deriveNode(): void {
    this.#nodesMoved = false;
    const { nodeName, options } = this.#settings;
    const node = this.#tables.nodes.get(nodeName);
    const everyNode = options.externalIps === 'nodeOwned';
    const nodes = everyNode ? this.#tables.nodes.values() : node === undefined ? [] : [node];
    const ranges = this.#tables.serviceCidrs?.values().flatMap(({ cidrs }) => cidrs) ?? [];
    const serviceRanges = [...new Set([...options.serviceRanges, ...ranges])].sort(compareText);
    this.#facts = nodeFacts(nodeName, nodes, { ...options, serviceRanges });
    const place = placeOf(nodeName, node);
    const moved = place.zone !== this.#place.zone;
    this.#place = place;
    const again = this.#programmer.setFacts(this.#facts);
    if (moved) for (const key of this.#images.keys()) this.#dirty.add(key);
    else if (again) this.#programmer.lookAll();
    this.#wantNodeTables();
  }

  #takeDevices(): void {
    this.#devicesMoved = false;
    this.#devices = this.#ports.devices === undefined ? noDevices : this.#ports.devices.facts();
    const ifindexes = new Map<string, number>();
    for (const { addresses, ifindex } of this.#devices?.pods ?? []) {
      for (const ip of addresses) ifindexes.set(addressKey(ip), ifindex);
    }
    this.#ifindexes = ifindexes;
    if (this.#devices !== undefined) this.#programmer.refreshInterfaces(this.#ports.clock.now());
    this.#wantNodeTables();
  }

  #wantNodeTables(): void {
    if (this.#facts !== undefined) this.#nodeTables.want(this.#facts, this.#devices);
  }

  #derive(): void {
    const { options, memo } = this.#settings;
    const context = { place: this.#place, algorithm: options.algorithm, memo };
    // In key order, so that the order of events decides as little as possible. What comes while
    // some of them wait is taken after those.
    if (this.#deriving.length === 0) {
      this.#deriving = [...this.#dirty].sort(compareText).reverse();
      this.#dirty = new Set();
    }
    for (let count = 0; count < roundServicesMax; count += 1) {
      const key = this.#deriving.pop();
      if (key === undefined) break;
      const service = this.#tables.services.get(key);
      const slices = this.#sliceIndex.of(key);
      const records = service === undefined ? [] : deriveServicePorts(service, slices, context);
      this.#want(key, records.map((record) => memo.image(record)));
    }
  }

  #want(key: ServiceKey, images: readonly RecordImage[]): void {
    const before = this.#images.get(key) ?? none;
    for (const { id } of before) {
      if (!images.some((image) => image.id === id)) this.#programmer.want(id, undefined);
    }
    for (const image of images) {
      if (!before.includes(image)) this.#programmer.want(image.id, image);
    }
    if (images.length === 0) this.#images.delete(key);
    else this.#images.set(key, images);
  }

  #armAudit(): void {
    this.#auditTimer = this.#ports.clock.after(auditEvery, () => {
      this.#audit([
        ...auditSteps(this.#ports.kernel, this.#programmer), () => this.#nodeTables.audit(),
      ]);
    });
  }

  // One step a turn, so that timers are never late. A step waits for nothing: what a round has left
  // to do is known, and is no repair.
  #audit(steps: readonly (() => number)[]): void {
    const [step, ...rest] = steps;
    if (step === undefined) {
      this.#armAudit();
      return;
    }
    const repairs = step();
    this.#auditRepairs += repairs;
    if (repairs > 0) this.#reporter.repaired(repairs);
    if (repairs > 0 || this.#programmer.queued > 0) this.#arm(0);
    this.#auditTimer = this.#ports.clock.after(0, () => this.#audit(rest));
  }
}

const none: readonly RecordImage[] = [];
const noDevices: DatapathDeviceFacts = { devices: [], pods: [], nodeCookie: 0n };
