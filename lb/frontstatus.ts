import { mergeConditions } from './conditions.ts';
import type { DatapathOptions } from './datapathoptions.ts';
import { FrontClaims, frontConflictCondition, frontConflictType } from './frontclaims.ts';
import type { Ip } from './ip.ts';
import type { Node, Service, ServiceKey } from './model.ts';
import { nodeAddresses } from './nodefacts.ts';
import type { Clock, Micros, Timer } from './ports.ts';
import { deriveServicePorts, DerivationMemo } from './serviceport.ts';
import type { StatusPort, WriteError } from './status.ts';
import { compareText, type Cursor, type Table } from './table.ts';
import { formatTime } from './time.ts';

export interface FrontStatusPorts {
  readonly clock: Clock;
  readonly status: StatusPort;
}

export interface FrontStatusTables {
  readonly services: Table<Service>;
  readonly nodes: Table<Node>;
}

/** Events that come within this time are judged together. */
const gatherFor: Micros = 50_000;
/** After a write that failed. */
const retryAfter: Micros = 5_000_000;

/**
 * Keeps the condition `fairlead.dev/FrontConflict` of Services that ask for a front which an older
 * one has. It writes on change only, one attempt at a time per Service, once both listings are
 * complete: until then an older Service may not have been seen.
 */
export class FrontStatus {
  #ports: FrontStatusPorts;
  #tables: FrontStatusTables;
  #externalIps: DatapathOptions['externalIps'];
  #services: Cursor<Service>;
  #nodes: Cursor<Node>;
  #owned: ReadonlySet<Ip> = new Set();
  #claims: FrontClaims;
  #memo = new DerivationMemo('one');
  #due = new Set<ServiceKey>();
  #inFlight = new Set<ServiceKey>();
  /** Asked for again while a write was under way. */
  #later = new Set<ServiceKey>();
  #timer: { readonly due: Micros; readonly timer: Timer } | undefined;
  #running = false;

  constructor(
    ports: FrontStatusPorts, tables: FrontStatusTables,
    externalIps: DatapathOptions['externalIps'],
  ) {
    this.#ports = ports;
    this.#tables = tables;
    this.#externalIps = externalIps;
    this.#services = tables.services.cursor();
    this.#nodes = tables.nodes.cursor();
    this.#claims = this.#fresh();
    for (const table of [tables.services, tables.nodes]) {
      table.onChange(() => this.#arm(gatherFor));
    }
  }

  start(): void {
    this.#running = true;
    this.#arm(0);
  }

  stop(): void {
    this.#running = false;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  pending(): readonly string[] {
    if (!this.#running) return [];
    const busy = this.#services.behind || this.#due.size > 0 || this.#inFlight.size > 0;
    return busy && this.#listed() ? ['conflicts of fronts are being told'] : [];
  }

  #listed(): boolean {
    return this.#tables.services.complete && this.#tables.nodes.complete;
  }

  #arm(delay: Micros): void {
    if (!this.#running) return;
    const due = this.#ports.clock.now() + delay;
    if (this.#timer !== undefined && this.#timer.due <= due) return;
    this.#timer?.timer.cancel();
    const timer = this.#ports.clock.after(delay, () => {
      this.#timer = undefined;
      if (this.#running) this.#turn();
    });
    this.#timer = { due, timer };
  }

  #turn(): void {
    if (!this.#listed()) return;
    this.#takeNodes();
    // The key of a Service's row is its ServiceKey.
    for (const { key, value } of this.#services.take()) this.#derive(key as ServiceKey, value);
    const keys = [...this.#due].sort(compareText);
    this.#due.clear();
    for (const key of keys) this.#judge(key);
  }

  // Addresses of Nodes count only where an ExternalIP has to be one of them.
  #takeNodes(): void {
    if (!this.#nodes.behind) return;
    this.#nodes.take();
    if (this.#externalIps !== 'nodeOwned') return;
    const owned = new Set(this.#tables.nodes.values().flatMap((node) => nodeAddresses(node)));
    if (owned.size === this.#owned.size && [...owned].every((ip) => this.#owned.has(ip))) return;
    this.#owned = owned;
    this.#claims = this.#fresh();
    for (const service of this.#tables.services.values()) this.#derive(service.key, service);
  }

  #fresh(): FrontClaims {
    const option = this.#externalIps;
    return new FrontClaims((ip) => (
      option === 'honour' || (option === 'nodeOwned' && this.#owned.has(ip))
    ));
  }

  #derive(key: ServiceKey, service: Service | undefined): void {
    const context = { place: nowhere, algorithm: 'random', memo: this.#memo } as const;
    const records = service === undefined ? [] : deriveServicePorts(service, [], context);
    for (const concerned of this.#claims.set(key, records)) this.#due.add(concerned);
  }

  #judge(key: ServiceKey): void {
    const service = this.#tables.services.get(key);
    if (service === undefined || service.meta.deleting) return;
    if (this.#inFlight.has(key)) {
      this.#later.add(key);
      return;
    }
    const wanted = frontConflictCondition(this.#claims.lostBy(key), service.meta.generation);
    const at = formatTime(this.#ports.clock.wall());
    const merged = mergeConditions(
      service.conditions, wanted === undefined ? [] : [wanted], { owned: [frontConflictType], at },
    );
    if (!merged.changed) return;
    const { uid, resourceVersion } = service.meta;
    const { conditions } = merged;
    this.#inFlight.add(key);
    this.#ports.status.writeService({ key, uid, resourceVersion, conditions }, (result) => {
      this.#inFlight.delete(key);
      this.#answered(key, result.ok ? undefined : result.error);
    });
  }

  #answered(key: ServiceKey, error: WriteError | undefined): void {
    const moved = this.#later.delete(key);
    if (error?.kind === 'gone') return;
    // The object as it was written arrives by the table, and is judged then.
    if (error === undefined && !moved) return;
    this.#due.add(key);
    this.#arm(error === undefined ? gatherFor : error.retryAfter ?? retryAfter);
  }
}

const nowhere = { nodeName: '', zone: undefined };
