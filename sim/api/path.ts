import { assert } from '../../lb/result.ts';
import type { Micros } from '../../lb/ports.ts';
import type { KubeError, KubeRequest } from '../../kube/port.ts';
import type { Resource } from '../../kube/resource.ts';
import type { World } from '../world.ts';

/** Who speaks: as a user of the API, on a machine of the cluster. */
export interface ApiClient {
  readonly user: string;
  /** Node name; absent for clients outside the cluster. */
  readonly node?: string;
}

/** What a fault is limited to; an absent part means all. */
export interface ApiScope {
  /** User names or node names. */
  readonly clients?: readonly string[];
  /** `watch`, or a verb of `KubeRequest`. */
  readonly verbs?: readonly string[];
  /** Kind names: `Lease`. */
  readonly kinds?: readonly string[];
}

/** `out`: from the client to the server. */
export type Direction = 'in' | 'out';

/** Chances are in parts per million. */
export type ApiFault =
  /**
   * No server is reachable. `refuse`: connections end at once, new ones are refused. `blackhole`:
   * nothing passes, connections stay half-open. `reset`: connections end at once, new ones are
   * reset after the request was sent, so that writers cannot know.
   */
  | { readonly kind: 'outage'; readonly form: 'refuse' | 'blackhole' | 'reset' }
  /** Nothing passes between these clients and the server; connections stay half-open. */
  | {
    readonly kind: 'block';
    readonly clients: readonly string[];
    readonly direction: Direction | 'both';
  }
  /** Adds to the way of each message: `min` and an exponential part with that mean. */
  | ({ readonly kind: 'slow'; readonly min: Micros; readonly mean: Micros } & ApiScope)
  /** Answers with an HTTP status before anything is done. */
  | ({ readonly kind: 'error'; readonly status: number; readonly ppm: number } & ApiScope)
  /** The request is served and the answer vanishes: `silence` until the time-out, or by a reset. */
  | ({
    readonly kind: 'lostReply'; readonly ppm: number; readonly form?: 'silence' | 'reset';
  } & ApiScope)
  /** The watch cache of these clients is `lag` behind: lists with version 0, and watches. */
  | { readonly kind: 'stale'; readonly clients?: readonly string[]; readonly lag: Micros }
  /** Watches stay open and bring nothing until healed. */
  | ({ readonly kind: 'watchStall' } & ApiScope)
  /** Another writer annotates the object just before a write with a version arrives. */
  | ({ readonly kind: 'conflict'; readonly ppm: number } & ApiScope);

const million = 1_000_000;

/** Stream of random numbers: `http` for requests from outside of the world. */
type Chance = 'api' | 'http';

/** Who drops watches on request (fault `api.watchDrop`); `cut` is in mid-line, `close` in order. */
export type DropListener = (scope: ApiScope, form: 'cut' | 'close') => void;

/**
 * The way between clients and the API server: delays, partitions, and every `api.*` fault that
 * strikes on the way (simulator.md 8, A20). Faults of one kind add up; each heals by itself.
 */
export class ApiPath {
  /** Of each message in either direction: fixed part and mean of the exponential part. */
  latency: { readonly min: Micros; readonly mean: Micros } = { min: 1000, mean: 1000 };
  readonly #world: World;
  #faults: ApiFault[] = [];
  #changeListeners: readonly (() => void)[] = [];
  #dropListeners: readonly DropListener[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Faults in force, oldest first. */
  get faults(): readonly ApiFault[] {
    return this.#faults;
  }

  /** Brings a fault into force; the returned function heals it, and does nothing a second time. */
  inject(fault: ApiFault): () => void {
    if ('ppm' in fault) {
      assert(fault.ppm >= 0 && fault.ppm <= million, `${fault.ppm} ppm is a ratio`);
    }
    // A copy, so that two equal faults heal one by one.
    const entry = { ...fault };
    this.#faults = [...this.#faults, entry];
    this.#changed();
    return () => {
      if (!this.#faults.includes(entry)) return;
      this.#faults = this.#faults.filter((other) => other !== entry);
      this.#changed();
    };
  }

  /** Ends every watch in the scope now; what is on the way still arrives before the end. */
  dropWatches(scope: ApiScope, form: 'cut' | 'close'): void {
    for (const listener of this.#dropListeners) listener(scope, form);
  }

  /** Called after each change of the faults in force. */
  onChange(listener: () => void): () => void {
    // Replaced on change, never modified: a listener may leave while all are called.
    this.#changeListeners = [...this.#changeListeners, listener];
    return () => {
      this.#changeListeners = this.#changeListeners.filter((other) => other !== listener);
    };
  }

  onDrop(listener: DropListener): () => void {
    this.#dropListeners = [...this.#dropListeners, listener];
    return () => {
      this.#dropListeners = this.#dropListeners.filter((other) => other !== listener);
    };
  }

  /** True while nothing of this client passes in that direction. */
  blocks(client: ApiClient, direction: Direction): boolean {
    return this.#faults.some((fault) => {
      if (fault.kind === 'outage') return fault.form === 'blackhole';
      if (fault.kind !== 'block' || !names(fault.clients, client)) return false;
      return fault.direction === 'both' || fault.direction === direction;
    });
  }

  /** How connections fail at once, if they do. */
  get failure(): 'refuse' | 'reset' | undefined {
    for (const fault of this.#faults) {
      if (fault.kind === 'outage' && fault.form !== 'blackhole') return fault.form;
    }
    return undefined;
  }

  stalls(client: ApiClient, resource: Resource): boolean {
    const about: RequestFacts = { client, verb: 'watch', resource };
    return this.#faults.some((fault) => fault.kind === 'watchStall' && covers(fault, about));
  }

  /** How far behind this client's watch cache is. */
  lagOf(client: ApiClient): Micros {
    let lag = 0;
    for (const fault of this.#faults) {
      if (fault.kind === 'stale' && names(fault.clients, client)) lag = Math.max(lag, fault.lag);
    }
    return lag;
  }

  /** A drawn delay of one message. */
  delay(about: RequestFacts): Micros {
    const { min, mean } = this.latency;
    return min + this.#world.stream('api').exponential(mean) + this.slowness(about);
  }

  /** What faults add to the way of one message. */
  slowness(about: RequestFacts, chance: Chance = 'api'): Micros {
    let delay = 0;
    for (const fault of this.#faults) {
      if (fault.kind !== 'slow' || !covers(fault, about)) continue;
      delay += fault.min + this.#world.stream(chance).exponential(fault.mean);
    }
    return delay;
  }

  /** The error that strikes this request before the server sees it. */
  drawError(about: RequestFacts): KubeError | undefined {
    const status = this.drawErrorStatus(about);
    return status === undefined ? undefined : errorOfStatus(status);
  }

  /** The same as HTTP shows it. */
  drawErrorStatus(about: RequestFacts, chance: Chance = 'api'): number | undefined {
    for (const fault of this.#faults) {
      if (fault.kind !== 'error' || !covers(fault, about)) continue;
      if (this.#world.stream(chance).ratio(fault.ppm, million)) return fault.status;
    }
    return undefined;
  }

  drawLostReply(about: RequestFacts, chance: Chance = 'api'): 'silence' | 'reset' | undefined {
    for (const fault of this.#faults) {
      if (fault.kind !== 'lostReply' || !covers(fault, about)) continue;
      if (this.#world.stream(chance).ratio(fault.ppm, million)) return fault.form ?? 'silence';
    }
    return undefined;
  }

  drawConflict(about: RequestFacts, chance: Chance = 'api'): boolean {
    return this.#faults.some((fault) => fault.kind === 'conflict' && covers(fault, about)
      && this.#world.stream(chance).ratio(fault.ppm, million));
  }

  #changed(): void {
    for (const listener of this.#changeListeners) listener();
  }
}

/** What a fault's scope is compared with. */
export interface RequestFacts {
  readonly client: ApiClient;
  readonly verb: KubeRequest['verb'] | 'watch';
  readonly resource: Resource;
}

/** True when the scope takes in this request. */
export function covers(scope: ApiScope, about: RequestFacts): boolean {
  return names(scope.clients, about.client)
    && (scope.verbs === undefined || scope.verbs.includes(about.verb))
    && (scope.kinds === undefined || scope.kinds.includes(about.resource.kind));
}

function names(clients: readonly string[] | undefined, client: ApiClient): boolean {
  if (clients === undefined || clients.includes(client.user)) return true;
  return client.node !== undefined && clients.includes(client.node);
}

function errorOfStatus(status: number): KubeError {
  const message = `the server answered ${status}`;
  switch (status) {
    case 401: case 403: return { kind: 'denied', message };
    case 404: return { kind: 'gone', message };
    case 409: return { kind: 'conflict', message };
    case 410: return { kind: 'expired', message };
    case 429: return { kind: 'throttled', message, retryAfter: million };
    default: return { kind: status < 500 ? 'invalid' : 'server', message };
  }
}
