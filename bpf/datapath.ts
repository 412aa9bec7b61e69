import type { DatapathOptions } from '../lb/datapathoptions.ts';
import type { Ip } from '../lb/ip.ts';
import type { EndpointSlice, Node, Service, ServiceKey } from '../lb/model.ts';
import { nodeFacts, placeOf } from '../lb/nodefacts.ts';
import type { Clock, Journal, KernelError, KernelPort, Micros, Timer } from '../lb/ports.ts';
import { Reconciler, retryDelaysDefault, type ReconcileTarget } from '../lb/reconciler.ts';
import { deriveServicePorts, type DatapathRecord } from '../lb/serviceport.ts';
import { SliceIndex } from '../lb/sliceindex.ts';
import { compareText, type Cursor, type Table } from '../lb/table.ts';
import { asciiBytes, asciiText, encodeRow, nodeKey, nodeMap, viewMap } from './codec.ts';
import type { Datapath, DatapathFault, FrontChange } from './datapath/settings.ts';
import { sameBytes, storedRow, type Row, type ServicePortMemo } from './row.ts';

export type { Datapath, DatapathFault, FrontChange } from './datapath/settings.ts';

export { ServicePortMemo } from './row.ts';

export type { DatapathOptions } from '../lb/datapathoptions.ts';

export interface DatapathPorts {
  readonly clock: Clock;
  readonly kernel: KernelPort;
  readonly journal: Journal;
}

export interface DatapathTables {
  readonly services: Table<Service>;
  readonly slices: Table<EndpointSlice>;
  readonly nodes: Table<Node>;
}

export interface DatapathSettings {
  readonly nodeName: string;
  readonly options: DatapathOptions;
  /** Derivations that other datapaths of the same world may share. */
  readonly memo: ServicePortMemo;
}

const roundRowsMax = 1_000;
/** How often the map is compared with what should be in it (datapath.md 10). */
const auditEvery: Micros = 300_000_000;

/**
 * One row per service port in `fl_view`, its write being the commit; the node's own facts in
 * `fl_node`. Nothing is written before all listings are complete; rows of an earlier process are
 * adopted, and rewritten only where their bytes differ (datapath.md 10, 11).
 */
export function createDatapath(
  ports: DatapathPorts, tables: DatapathTables, settings: DatapathSettings,
): Datapath {
  return new RowDatapath(ports, tables, settings);
}

class RowDatapath implements Datapath {
  #ports: DatapathPorts;
  #tables: DatapathTables;
  #settings: DatapathSettings;
  #services: Cursor<Service>;
  #slices: Cursor<EndpointSlice>;
  #nodes: Cursor<Node>;
  #rows: Reconciler<Row, KernelError>;
  #facts: Reconciler<Row, KernelError>;
  #sliceIndex = new SliceIndex();
  #programmed = new Map<ServiceKey, readonly DatapathRecord[]>();
  #frontCounts = new Map<Ip, number>();
  #listeners: ((change: FrontChange) => void)[] = [];
  #phase: 'idle' | 'listing' | 'programming' | 'ready' | 'stopped' = 'idle';
  #armed = false;
  #changed = new Set<Ip>();
  #auditTimer: Timer | undefined;
  #auditRepairs = 0;

  constructor(ports: DatapathPorts, tables: DatapathTables, settings: DatapathSettings) {
    this.#ports = ports;
    this.#tables = tables;
    this.#settings = settings;
    this.#services = tables.services.cursor();
    this.#slices = tables.slices.cursor();
    this.#nodes = tables.nodes.cursor();
    const shared = { equal: sameBytes, roundRowsMax, retryDelays: retryDelaysDefault };
    this.#facts = new Reconciler<Row, KernelError>(ports.clock, this.#target(nodeMap), shared);
    this.#rows = new Reconciler<Row, KernelError>(ports.clock, this.#target(viewMap), {
      ...shared,
      round: () => this.#afterRound(),
      failed: (key, error) => this.#noteRefusal(key, error),
      recovered: (key, error) => this.#noteRecovery(key, error),
    });
    for (const table of [tables.services, tables.slices, tables.nodes]) {
      table.onChange(() => this.#arm());
    }
  }

  start(): void {
    if (this.#phase !== 'idle') return;
    this.#phase = 'listing';
    this.#arm();
  }

  stop(): void {
    this.#phase = 'stopped';
    this.#auditTimer?.cancel();
    this.#rows.stop();
    this.#facts.stop();
  }

  ready(): boolean {
    return this.#phase === 'ready';
  }

  hasFront(address: Ip): boolean {
    return this.#frontCounts.has(address);
  }

  onChange(listener: (change: FrontChange) => void): void {
    this.#listeners.push(listener);
  }

  pending(): readonly string[] {
    if (this.#phase === 'listing') {
      const missing = Object.values(this.#tables).filter((table) => !table.complete);
      return missing.map((table) => `datapath waits for the listing of ${table.name}`);
    }
    const rows = [...this.#facts.pending(), ...this.#rows.pending()];
    const behind = this.#armed ? ['datapath has changes to derive'] : [];
    return [...behind, ...rows.map((key) => `datapath row ${key} is not written`)];
  }

  get auditRepairs(): number {
    return this.#auditRepairs;
  }

  get faults(): readonly DatapathFault[] {
    const faults: DatapathFault[] = [];
    for (const key of this.#rows.pending()) {
      const status = this.#rows.status(key);
      if (status.kind === 'failed') faults.push({ servicePort: key, error: status.error });
    }
    return faults;
  }

  // All changes of one instant are one derivation, whatever order they came in.
  #arm(): void {
    if (this.#armed || this.#phase === 'idle' || this.#phase === 'stopped') return;
    this.#armed = true;
    this.#ports.clock.after(0, () => {
      this.#armed = false;
      if (this.#phase !== 'stopped') this.#derive();
    });
  }

  #derive(): void {
    const { services, slices, nodes } = this.#tables;
    if (this.#phase === 'listing') {
      if (!services.complete || !slices.complete || !nodes.complete) return;
      this.#adopt();
    }
    const moved = this.#deriveNode();
    const dirty = new Set<ServiceKey>(moved ? [...this.#programmed.keys()] : []);
    const concerns = (service: ServiceKey): void => { dirty.add(service); };
    for (const change of this.#slices.take()) this.#sliceIndex.take(change, concerns);
    // The keys of the table are the Services' own (ServiceKey).
    for (const { key } of this.#services.take()) dirty.add(key as ServiceKey);
    this.#deriveServices([...dirty].sort(compareText));
    if (this.#phase === 'listing') this.#prune();
    if (!this.#facts.idle) this.#facts.round();
    if (this.#phase === 'programming' || this.#rows.unattempted) this.#rows.round();
  }

  #adopt(): void {
    const { kernel } = this.#ports;
    for (const { key, value } of kernel.dump(nodeMap)) {
      this.#facts.adopt(asciiText(key), { key, bytes: value, fronts: [] });
    }
    for (const { key, value } of kernel.dump(viewMap)) {
      const row = storedRow(key, value);
      this.#rows.adopt(asciiText(key), row);
      this.#countFronts(row, 1);
    }
  }

  #prune(): void {
    this.#phase = 'programming';
    const pruned = this.#rows.prune() + this.#facts.prune();
    if (pruned === 0) return;
    const text = `${pruned} rows of an earlier process name nothing that is wanted now and go`;
    this.#ports.journal.note(
      { level: 'info', component: 'datapath', code: 'kernel.restorePruned', text },
    );
  }

  /** Writes the node's facts; true when the node moved, so that every Service looks different. */
  #deriveNode(): boolean {
    const changes = this.#nodes.take();
    const { nodeName, options } = this.#settings;
    const everyNode = options.externalIps === 'nodeOwned';
    const first = this.#phase === 'listing';
    const own = changes.some((change) => change.key === nodeName);
    if (!first && !own && (!everyNode || changes.length === 0)) return false;
    const nodes = everyNode ? this.#tables.nodes.values() : [this.#tables.nodes.get(nodeName)];
    const facts = nodeFacts(nodeName, nodes.filter((node) => node !== undefined), options);
    this.#facts.set(nodeKey, { key: asciiBytes(nodeKey), bytes: encodeRow(facts), fronts: [] });
    return own && !first;
  }

  #deriveServices(keys: readonly ServiceKey[]): void {
    const { nodeName, options, memo } = this.#settings;
    const place = placeOf(nodeName, this.#tables.nodes.get(nodeName));
    const context = { place, algorithm: options.algorithm, memo };
    for (const key of keys) {
      const service = this.#tables.services.get(key);
      const slices = this.#sliceIndex.of(key);
      const records = service === undefined ? [] : deriveServicePorts(service, slices, context);
      this.#want(key, records);
    }
  }

  #want(key: ServiceKey, records: readonly DatapathRecord[]): void {
    const before = this.#programmed.get(key) ?? [];
    if (records === before) return;
    for (const { id } of before) {
      if (!records.some((record) => record.id === id)) this.#rows.remove(id);
    }
    for (const record of records) this.#rows.set(record.id, this.#settings.memo.row(record));
    if (records.length === 0) this.#programmed.delete(key);
    else this.#programmed.set(key, records);
  }

  #target(map: string): ReconcileTarget<Row, KernelError> {
    const { kernel } = this.#ports;
    return {
      update: (key, row) => {
        const result = kernel.update(map, { key: row.key, value: row.bytes }, 'any');
        if (result.ok && map === viewMap) this.#replaceFronts(key, row);
        return result;
      },
      delete: (key) => {
        const result = kernel.remove(map, asciiBytes(key));
        if (result.ok && map === viewMap) this.#replaceFronts(key, undefined);
        return result;
      },
    };
  }

  #replaceFronts(key: string, row: Row | undefined): void {
    const before = this.#rows.actual(key);
    if (row !== undefined) this.#countFronts(row, 1);
    if (before !== undefined) this.#countFronts(before, -1);
  }

  #countFronts(row: Row, by: 1 | -1): void {
    for (const address of row.fronts) {
      const before = this.#frontCounts.get(address) ?? 0;
      if (before + by === 0) this.#frontCounts.delete(address);
      else this.#frontCounts.set(address, before + by);
      if ((before === 0) !== (before + by === 0)) this.#changed.add(address);
    }
  }

  #afterRound(): void {
    const all = this.#phase === 'programming' && !this.#rows.unattempted;
    if (all) {
      this.#phase = 'ready';
      this.#armAudit();
    }
    if (!all && this.#changed.size === 0) return;
    const change = { all, ips: this.#changed };
    this.#changed = new Set();
    for (const listener of this.#listeners) listener(change);
  }

  #armAudit(): void {
    this.#auditTimer = this.#ports.clock.after(auditEvery, () => {
      if (this.#rows.idle) this.#audit();
      this.#armAudit();
    });
  }

  #audit(): void {
    const seen = new Set<string>();
    let repairs = 0;
    const correct = (key: string, present: Row | undefined): void => {
      const before = this.#rows.actual(key);
      if (present !== undefined) this.#countFronts(present, 1);
      if (before !== undefined) this.#countFronts(before, -1);
      this.#rows.observe(key, present);
      repairs += 1;
    };
    for (const { key, value } of this.#ports.kernel.dump(viewMap)) {
      const text = asciiText(key);
      seen.add(text);
      const known = this.#rows.actual(text);
      if (known === undefined || !sameBytes(known, { bytes: value })) {
        correct(text, storedRow(key, value));
      }
    }
    for (const key of this.#rows.held()) if (!seen.has(key)) correct(key, undefined);
    if (repairs === 0) return;
    this.#auditRepairs += repairs;
    const text = `${repairs} rows of map ${viewMap} were not as written and are repaired`;
    this.#ports.journal.note(
      { level: 'warn', component: 'datapath', code: 'datapath.auditRepaired', text },
    );
    this.#rows.round();
  }

  #noteRefusal(key: string, error: KernelError): void {
    const status = this.#rows.status(key);
    if (status.kind !== 'failed' || status.failures > 1) return;
    const full = error.kind === 'ENOSPC' || error.kind === 'E2BIG';
    this.#ports.journal.note({
      level: 'warn', component: 'datapath', object: `service port ${key}`,
      code: full ? 'kernel.mapFull' : 'kernel.mapError',
      text: full
        ? `map ${viewMap} is full; the service port keeps its old row`
        : `map ${viewMap} refused the row: ${error.kind}`,
    });
  }

  #noteRecovery(key: string, error: KernelError): void {
    const full = error.kind === 'ENOSPC' || error.kind === 'E2BIG';
    this.#ports.journal.note({
      level: 'info', component: 'datapath',
      code: full ? 'kernel.mapFullRecovered' : 'kernel.mapErrorRecovered',
      object: `service port ${key}`, text: `map ${viewMap} accepts the row after ${error.kind}`,
    });
  }
}
