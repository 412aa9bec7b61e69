import type { KubeError, KubeObject, KubePort, Watch } from '../kube/port.ts';
import { resources } from '../kube/resource.ts';
import type { Clock, Micros, Timer } from '../lb/ports.ts';

/** Who listens to the ordered stream of Leases. */
export interface StreamSink {
  /** A complete, consistent list: everything that is not in it does not exist. */
  list(items: readonly KubeObject[]): void;
  /** One change, in the server's order. */
  changed(object: KubeObject): void;
  gone(object: KubeObject): void;
}

export interface StreamOptions {
  readonly namespace: string;
  readonly labelSelector?: string;
  /** Passes each wake-up on, so that an owner can look at its fence first. */
  readonly wake: (callback: () => void) => void;
}

const listTimeout: Micros = 1_000_000;
const retryDelay: Micros = 100_000;
const retryDelayMax: Micros = 1_000_000;

/**
 * Rule S3: one list, then one watch, over the Leases of the protocol. Between losing the watch and
 * the next complete list nothing is delivered.
 */
export class LeaseStream {
  #ports: { readonly clock: Clock; readonly kube: KubePort };
  #options: StreamOptions;
  #sink: StreamSink;
  #watch: Watch | undefined;
  #retry: Timer | undefined;
  /** Answers and events of an earlier attempt carry an older number and are dropped. */
  #attempt = 0;
  #failures = 0;
  #complete = false;
  #running = false;

  constructor(
    ports: { readonly clock: Clock; readonly kube: KubePort },
    options: StreamOptions,
    sink: StreamSink,
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#sink = sink;
  }

  /** True while the last list is complete and its watch is believed to be open. */
  get complete(): boolean {
    return this.#complete;
  }

  start(): void {
    this.#running = true;
    this.#list();
  }

  stop(): void {
    this.#running = false;
    this.#end();
  }

  /** Rule S6: gives the watch up and reads consistently. Harmless while a list is under way. */
  relist(): void {
    if (!this.#running || this.#watch === undefined) return;
    this.#list();
  }

  #end(): void {
    this.#attempt += 1;
    this.#complete = false;
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  #list(): void {
    this.#end();
    const attempt = this.#attempt;
    const { namespace, labelSelector } = this.#options;
    const options = labelSelector === undefined ? {} : { labelSelector };
    const request = {
      verb: 'list', resource: resources.leases, namespace, options, timeout: listTimeout,
    } as const;
    this.#ports.kube.request(request, (result) => this.#options.wake(() => {
      if (attempt !== this.#attempt) return;
      if (!result.ok || result.value.kind !== 'list') {
        return this.#again(result.ok ? undefined : result.error);
      }
      this.#failures = 0;
      this.#complete = true;
      this.#sink.list(result.value.items);
      if (attempt === this.#attempt) this.#follow(result.value.resourceVersion);
    }));
  }

  #follow(resourceVersion: string): void {
    const attempt = this.#attempt;
    const { namespace, labelSelector } = this.#options;
    const request = {
      resource: resources.leases, namespace, resourceVersion,
      ...(labelSelector === undefined ? {} : { labelSelector }),
    };
    this.#watch = this.#ports.kube.watch(request, {
      event: (event) => {
        if (attempt !== this.#attempt || event.type === 'BOOKMARK') return;
        this.#options.wake(() => {
          if (attempt !== this.#attempt) return;
          if (event.type === 'DELETED') this.#sink.gone(event.object);
          else this.#sink.changed(event.object);
        });
      },
      end: (error) => {
        if (attempt !== this.#attempt) return;
        this.#options.wake(() => {
          if (attempt === this.#attempt) this.#again(error);
        });
      },
    });
  }

  #again(error: KubeError | undefined): void {
    this.#end();
    const attempt = this.#attempt;
    // A list that was compacted away, or a watch closed in order, is no sign of trouble.
    const trouble = error !== undefined && error.kind !== 'expired';
    this.#failures = trouble ? this.#failures + 1 : 0;
    const asked = error?.retryAfter ?? 0;
    const delay = trouble ? Math.max(
      asked, Math.min(retryDelay * this.#failures, retryDelayMax),
    ) : 0;
    this.#retry = this.#ports.clock.after(delay, () => this.#options.wake(() => {
      if (attempt === this.#attempt && this.#running) this.#list();
    }));
  }
}
