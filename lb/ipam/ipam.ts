import type { EndpointSlice, Node, Pool, Service, ServiceKey } from '../model.ts';
import type { Clock, EventSink, Journal, Timer } from '../ports.ts';
import type { StatusPort, WriteError } from '../status.ts';
import type { Change, Cursor, Table } from '../table.ts';
import { TokenBucket } from './attempts.ts';
import type { ServiceEntry } from './entry.ts';
import { explainService, type AllocationExplanation } from './explain.ts';
import { IpamCounters, type IpamMetrics } from './metrics.ts';
import { Planner, type AddressHolders, type Batch, type PlanResult } from './planner.ts';
import { PoolWriter } from './poolwriter.ts';
import { ServiceWriter } from './servicewriter.ts';
import type { IpamSettings } from './settings.ts';
import { PoolTeller, tellServices, warningsFirst } from './tell.ts';

export interface IpamPorts {
  readonly clock: Clock;
  readonly status: StatusPort;
  readonly events: EventSink;
  readonly journal: Journal;
}

export interface IpamTables {
  readonly pools: Table<Pool>;
  readonly services: Table<Service>;
  readonly nodes: Table<Node>;
  readonly slices: Table<EndpointSlice>;
}

/** LB IPAM and node IPAM of one cluster, active between `start` and `stop`. */
export interface Ipam {
  /** Becomes active: nothing is written until every list is complete; then a restart's adoption. */
  start(): void;
  /** Stops writing at once and drops everything in memory. */
  stop(): void;
  /** Sentences about work and retries outstanding; empty when idle. */
  pending(): readonly string[];
  metrics(): IpamMetrics;
  explain(key: ServiceKey): AllocationExplanation;
  /** Every held address with its holders in age order. */
  holders(): readonly AddressHolders[];
  /** Writes by these limits from now on. */
  limitWrites(limits: WriteLimits): void;
}

/** Status writes a second, and how many may go at once. */
export type WriteLimits = Pick<IpamSettings, 'writeQps' | 'writeBurst'>;

/**
 * The host of the planner: collects changes into batches, plans, tells and writes. All decisions
 * are the planner's, all waiting is on the clock (lb-ipam.md 3).
 */
export function createIpam(ports: IpamPorts, tables: IpamTables, settings: IpamSettings): Ipam {
  return new IpamHost(ports, tables, settings);
}

interface Cursors {
  readonly pools: Cursor<Pool>;
  readonly services: Cursor<Service>;
  readonly nodes: Cursor<Node>;
  readonly slices: Cursor<EndpointSlice>;
}

/** What lives from one start to the next stop. */
interface Term {
  readonly planner: Planner;
  readonly services: ServiceWriter;
  readonly pools: PoolWriter;
  readonly teller: PoolTeller;
  readonly bucket: TokenBucket;
  readonly gone: Set<ServiceEntry>;
  planned: boolean;
  batchTimer: Timer | undefined;
  writeTimer: Timer | undefined;
}

class IpamHost implements Ipam {
  #ports: IpamPorts;
  #tables: IpamTables;
  #settings: IpamSettings;
  #cursors: Cursors;
  #counters = new IpamCounters();
  #term: Term | undefined;

  constructor(ports: IpamPorts, tables: IpamTables, settings: IpamSettings) {
    this.#ports = ports;
    this.#tables = tables;
    this.#settings = settings;
    this.#cursors = {
      pools: tables.pools.cursor(),
      services: tables.services.cursor(),
      nodes: tables.nodes.cursor(),
      slices: tables.slices.cursor(),
    };
    const { nodeIpam } = settings;
    this.#follow(tables.pools, this.#cursors.pools, true);
    this.#follow(tables.services, this.#cursors.services, true);
    this.#follow(tables.nodes, this.#cursors.nodes, nodeIpam);
    this.#follow(tables.slices, this.#cursors.slices, nodeIpam);
  }

  // A cursor that nobody reads would make its table remember every deletion for ever.
  #follow<V>(table: Table<V>, cursor: Cursor<V>, watched: boolean): void {
    table.onChange(() => {
      if (watched && this.#term !== undefined) this.#arm();
      else cursor.take();
    });
  }

  start(): void {
    if (this.#term !== undefined) return;
    this.#term = this.#newTerm();
    this.#arm();
  }

  stop(): void {
    const term = this.#term;
    if (term === undefined) return;
    this.#term = undefined;
    term.batchTimer?.cancel();
    term.writeTimer?.cancel();
    term.services.stop();
    term.pools.stop();
  }

  pending(): readonly string[] {
    const term = this.#term;
    if (term === undefined) return [];
    if (!term.planned) {
      const missing = this.#watched().filter((table) => !table.complete).map((table) => table.name);
      if (missing.length === 0) return ['the first plan is due'];
      return [`the lists of ${missing.join(', ')} are not complete`];
    }
    const behind = term.gone.size > 0 || this.#behind();
    const batch = behind ? ['a batch is being collected'] : [];
    return [...batch, ...term.services.pending(), ...term.pools.pending()];
  }

  metrics(): IpamMetrics {
    return this.#counters.read(this.#planned());
  }

  explain(key: ServiceKey): AllocationExplanation {
    return explainService(key, this.#planned());
  }

  holders(): readonly AddressHolders[] {
    return this.#planned()?.holders() ?? [];
  }

  limitWrites({ writeQps, writeBurst }: WriteLimits): void {
    this.#settings = { ...this.#settings, writeQps, writeBurst };
    const term = this.#term;
    if (term === undefined) return;
    term.bucket.limit({ qps: writeQps, burst: writeBurst }, this.#ports.clock.now());
    // What waits has waited by the old limits.
    term.writeTimer?.cancel();
    term.writeTimer = undefined;
    this.#armWrites();
  }

  #planned(): Planner | undefined {
    return this.#term?.planned === true ? this.#term.planner : undefined;
  }

  // Nodes and endpoints matter to node IPAM alone.
  #watched(): readonly Table<unknown>[] {
    const { pools, services, nodes, slices } = this.#tables;
    return this.#settings.nodeIpam ? [pools, services, nodes, slices] : [pools, services];
  }

  #behind(): boolean {
    const { pools, services, nodes, slices } = this.#cursors;
    return pools.behind || services.behind || nodes.behind || slices.behind;
  }

  #newTerm(): Term {
    const { clock, status, journal } = this.#ports;
    const { writeQps: qps, writeBurst: burst } = this.#settings;
    const planner = new Planner(this.#settings);
    const ready = (): void => this.#armWrites();
    const common = { clock, status, ready };
    const noteError = (object: string, error: WriteError | undefined): void => {
      if (error === undefined || error.kind === 'conflict' || error.kind === 'gone') return;
      const level = error.kind === 'invalid' ? 'error' : 'warn';
      const text = error.message;
      journal.note({ level, component: 'ipam', code: 'ipam.write-failed', object, text });
    };
    return {
      planner,
      services: new ServiceWriter({
        ...common,
        gone: (entry) => this.#forget(entry),
        answered: (entry, error) => {
          this.#counters.wrote('services', error?.kind ?? 'ok');
          noteError(`service ${entry.key}`, error);
        },
      }, planner, this.#settings),
      pools: new PoolWriter({
        ...common,
        answered: (pool, error) => {
          this.#counters.wrote('ciliumloadbalancerippools', error?.kind ?? 'ok');
          noteError(`pool ${pool.name}`, error);
        },
      }, planner.space, planner.ledger),
      teller: new PoolTeller(),
      bucket: new TokenBucket({ qps, burst }, clock.now()),
      gone: new Set(),
      planned: false,
      batchTimer: undefined,
      writeTimer: undefined,
    };
  }

  #arm(): void {
    const term = this.#term;
    if (term === undefined || term.batchTimer !== undefined) return;
    term.batchTimer = this.#ports.clock.after(this.#settings.batchWindow, () => {
      term.batchTimer = undefined;
      if (this.#term === term) this.#run(term);
    });
  }

  // The next change of a table arms again, so an incomplete list needs no polling.
  #run(term: Term): void {
    if (!term.planned && this.#watched().some((table) => !table.complete)) return;
    const began = this.#ports.clock.now();
    const batch = this.#takeBatch(term, began);
    const { pools, services, nodes, slices, initial } = batch;
    const events = pools.length + services.length + nodes.length + slices.length;
    if (events === 0 && !initial) return;
    term.planned = true;
    const result = term.planner.plan(batch);
    this.#tell(term, result, initial);
    this.#write(term, result);
    this.#counters.planned({ took: this.#ports.clock.now() - began, events, initial });
  }

  #takeBatch(term: Term, now: number): Batch {
    const { pools, services, nodes, slices } = this.#cursors;
    const taken = {
      pools: pools.take(), services: services.take(), nodes: nodes.take(), slices: slices.take(),
    };
    if (!term.planned) {
      return {
        pools: rows(this.#tables.pools), services: rows(this.#tables.services),
        nodes: rows(this.#tables.nodes), slices: rows(this.#tables.slices), initial: true, now,
      };
    }
    const changed = new Set(taken.services.map((change) => change.key));
    const gone = [...term.gone].filter((entry) => !changed.has(entry.key))
      .map((entry) => ({ key: entry.key, value: undefined }));
    term.gone.clear();
    return { ...taken, services: [...taken.services, ...gone], initial: false, now };
  }

  #tell(term: Term, result: PlanResult, initial: boolean): void {
    const services = tellServices(result, term.planner, initial);
    const pools = this.#settings.lbIpam
      ? term.teller.tell(term.planner, initial)
      : { events: [], notes: [] };
    for (const reason of services.failures) this.#counters.failed(reason);
    for (const event of warningsFirst([...services.events, ...pools.events])) {
      this.#ports.events.emit(event);
    }
    for (const note of [...services.notes, ...pools.notes]) this.#ports.journal.note(note);
  }

  #write(term: Term, result: PlanResult): void {
    for (const entry of result.removed) term.services.forget(entry);
    for (const entry of result.touched) {
      if (term.planner.entries.get(entry.key) === entry) term.services.consider(entry);
    }
    if (!this.#settings.lbIpam) return;
    for (const name of result.pools) term.pools.consider(name);
  }

  #forget(entry: ServiceEntry): void {
    this.#term?.services.forget(entry);
    this.#term?.gone.add(entry);
    this.#arm();
  }

  // Writes leave in a turn of their own, so that all of a batch is queued before the first goes.
  #armWrites(): void {
    const term = this.#term;
    if (term === undefined || term.writeTimer !== undefined) return;
    const { clock } = this.#ports;
    term.writeTimer = clock.after(term.bucket.wait(clock.now()), () => {
      term.writeTimer = undefined;
      if (this.#term === term) this.#flush(term);
    });
  }

  #flush(term: Term): void {
    const { clock } = this.#ports;
    while (term.services.queued + term.pools.queued > 0) {
      if (!term.bucket.available(clock.now())) {
        this.#armWrites();
        return;
      }
      const poolFirst = term.pools.overdue() && term.pools.send();
      if (poolFirst || term.services.send() || term.pools.send()) term.bucket.spend();
    }
  }
}

function rows<V>(table: Table<V>): readonly Change<V>[] {
  return table.keys().map((key) => ({ key, value: table.get(key) }));
}
