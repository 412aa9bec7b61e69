import { healthcheckRefused } from './healthevent.ts';
import { healthPortOf, type HealthPort } from './healthport.ts';
import type { EndpointSlice, Service, ServiceKey } from './model.ts';
import type { Clock, EventSink, Timer } from './ports.ts';
import { SliceIndex } from './sliceindex.ts';
import { compareText, type Table } from './table.ts';

/** The listeners of a node's health check node ports: their sockets and nothing else. */
export interface HealthListenerPort {
  /** Brings the listeners to `wanted`, in any order; one that is wanted again stays as it is. */
  follow(wanted: readonly HealthPort[]): void;
  /**
   * `listener` is called when a port is not ours, once until it is or is wanted no more, and maybe
   * within `follow`. `why` names the address and the errno, or the Service that has the number.
   */
  onRefused(listener: (port: HealthPort, why: string) => void): void;
}

export interface HealthPortsPorts {
  readonly clock: Clock;
  readonly events: EventSink;
  readonly listeners: HealthListenerPort;
}

export interface HealthPortsTables {
  readonly services: Table<Service>;
  readonly slices: Table<EndpointSlice>;
}

/** Keeps the health check node ports of one node (datapath.md 14.3). */
export interface HealthPorts {
  /** Begins to follow the tables. Nothing is opened before both listings are complete. */
  start(): void;
  /** Closes every port, so that load balancers look elsewhere. */
  stop(): void;
  /** What is still to be done, one sentence each. */
  pending(): readonly string[];
}

/** Follows Services and their endpoints, and tells people of a port that cannot be had. */
export function createHealthPorts(
  ports: HealthPortsPorts, tables: HealthPortsTables, nodeName: string,
): HealthPorts {
  return new FollowedPorts(ports, tables, nodeName);
}

class FollowedPorts implements HealthPorts {
  readonly #ports: HealthPortsPorts;
  readonly #tables: HealthPortsTables;
  readonly #nodeName: string;
  readonly #cursors;
  readonly #index = new SliceIndex();
  readonly #wanted = new Map<ServiceKey, HealthPort>();
  #running = false;
  #timer: Timer | undefined;

  constructor(ports: HealthPortsPorts, tables: HealthPortsTables, nodeName: string) {
    this.#ports = ports;
    this.#tables = tables;
    this.#nodeName = nodeName;
    this.#cursors = { services: tables.services.cursor(), slices: tables.slices.cursor() };
    for (const table of [tables.services, tables.slices]) table.onChange(() => this.#arm());
    ports.listeners.onRefused((port, why) => this.#tell(port, why));
  }

  start(): void {
    this.#running = true;
    this.#arm();
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ports.listeners.follow([]);
  }

  pending(): readonly string[] {
    return this.#timer === undefined ? [] : ['health check node ports have changes to follow'];
  }

  // What changes in one go is one plan.
  #arm(): void {
    if (!this.#running || this.#timer !== undefined) return;
    if (!this.#tables.services.complete || !this.#tables.slices.complete) return;
    this.#timer = this.#ports.clock.after(0, () => {
      this.#timer = undefined;
      this.#turn();
    });
  }

  #turn(): void {
    const concerned = new Set<ServiceKey>();
    const concern = (service: ServiceKey): void => void concerned.add(service);
    for (const change of this.#cursors.slices.take()) this.#index.take(change, concern);
    // The keys of the table are the Services' own (ServiceKey).
    for (const { key } of this.#cursors.services.take()) concern(key as ServiceKey);
    let moved = false;
    for (const key of concerned) moved = this.#derive(key) || moved;
    if (!moved) return;
    const wanted = [...this.#wanted.values()];
    this.#ports.listeners.follow(
      wanted.sort((left, right) => compareText(left.service, right.service)),
    );
  }

  /** True when the port of a Service, or what is said there, became another. */
  #derive(key: ServiceKey): boolean {
    const service = this.#tables.services.get(key);
    const place = { nodeName: this.#nodeName, zone: undefined };
    const before = this.#wanted.get(key);
    const after = service === undefined
      ? undefined
      : healthPortOf(service, this.#index.of(key), place);
    if (after === undefined) return this.#wanted.delete(key);
    this.#wanted.set(key, after);
    return before?.port !== after.port || before.localEndpoints !== after.localEndpoints;
  }

  #tell({ service, port }: HealthPort, why: string): void {
    const of = this.#tables.services.get(service);
    if (of === undefined) return;
    this.#ports.events.emit(healthcheckRefused(of, { nodeName: this.#nodeName, port, why }));
  }
}
