import { healthAnswer, listenerChange, type HealthPort } from '../lb/healthport.ts';
import type { HealthListenerPort } from '../lb/healthports.ts';
import type { Ip } from '../lb/ip.ts';
import type { ServiceKey } from '../lb/model.ts';
import { HttpListener } from './httplistener.real.ts';

/** What the listeners of health check node ports ask and tell. */
export interface HealthServerPorts {
  /** Whether the proxy is healthy at this moment (datapath.md 14.4). */
  readonly proxyHealthy: () => boolean;
  readonly opened?: (port: HealthPort) => void;
  readonly retryDelayMs?: number;
}

interface Opened {
  readonly service: ServiceKey;
  readonly listeners: readonly HttpListener[];
}

/**
 * The health check node ports of one node (datapath.md 14.3; C25). A port that is refused is asked
 * for again; the answers of other Services are not touched.
 */
export class HealthServer implements HealthListenerPort {
  readonly #ports: HealthServerPorts;
  readonly #hosts: readonly (Ip | undefined)[];
  readonly #open = new Map<number, Opened>();
  /** What each number answers now. */
  #wanted: ReadonlyMap<number, HealthPort> = new Map();
  /** Services that were told of another one with the same number. */
  #doubled = new Set<ServiceKey>();
  readonly #listeners: ((port: HealthPort, why: string) => void)[] = [];

  /** `addresses`: those that NodePorts are limited to; undefined: every one. */
  constructor(ports: HealthServerPorts, addresses: readonly Ip[] | undefined) {
    this.#ports = ports;
    this.#hosts = addresses ?? [undefined];
  }

  onRefused(listener: (port: HealthPort, why: string) => void): void {
    this.#listeners.push(listener);
  }

  follow(wanted: readonly HealthPort[]): void {
    const services = new Map([...this.#open].map(([number, { service }]) => [number, service]));
    const { close, open, refused } = listenerChange(services, wanted);
    for (const number of close) this.#close(number);
    const beaten = new Set(refused);
    this.#wanted = new Map(
      wanted.filter((port) => !beaten.has(port)).map((port) => [port.port, port]),
    );
    for (const port of open) this.#listen(port);
    for (const port of refused) {
      const { service } = this.#wanted.get(port.port) ?? port;
      if (!this.#doubled.has(port.service)) this.#refused(port, `${service} has it`);
    }
    this.#doubled = new Set(refused.map(({ service }) => service));
  }

  /** Frees every port. */
  close(): void {
    for (const number of [...this.#open.keys()]) this.#close(number);
    this.#wanted = new Map();
  }

  #listen(port: HealthPort): void {
    const { proxyHealthy, opened, retryDelayMs } = this.#ports;
    const listeners = this.#hosts.map((host) => new HttpListener({
      host,
      port: port.port,
      answer: () => healthAnswer(this.#wanted.get(port.port) ?? port, proxyHealthy()),
      opened: () => opened?.(port),
      refused: (errno) => this.#refused(port, `${host ?? 'any address'}: ${errno}`),
      ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
    }));
    this.#open.set(port.port, { service: port.service, listeners });
  }

  #refused(port: HealthPort, why: string): void {
    for (const listener of this.#listeners) listener(port, why);
  }

  #close(number: number): void {
    for (const listener of this.#open.get(number)?.listeners ?? []) listener.close();
    this.#open.delete(number);
  }
}
