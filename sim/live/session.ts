import type { Json } from '../../kube/port.ts';
import { parsedBody, mediaType } from '../api/http/body.ts';
import { ApiFront } from '../api/http/front.ts';
import { userOf } from '../api/http/user.ts';
import type { Exchange, Hold, HttpRequest, RequestEnd } from '../api/http/message.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { applyFault, FaultSet } from '../fault/fault.ts';
import type { ApiCall, FaultUse } from '../scenario/spec.ts';
import { FaultyWay } from './faultyway.ts';
import type { LiveWorld } from './live.ts';
import { Recording } from './recording.ts';

/**
 * A live cluster and what is done to it from outside: requests over HTTP, faults and heals, all of
 * them recorded. Everything here is called inside events of the world.
 */
export class LiveSession implements RequestEnd {
  readonly cluster: Cluster;
  readonly recording = new Recording();
  readonly #front: ApiFront;
  readonly #way: FaultyWay;
  readonly #faults: FaultSet;
  /** Watches, and requests that wait. */
  readonly #open = new Map<Exchange, Hold>();

  constructor(cluster: Cluster, live: LiveWorld, kubernetes: string) {
    this.cluster = cluster;
    this.#front = new ApiFront(cluster.world, cluster.api, {
      kubernetes, frozen: () => live.frozen,
    });
    this.#way = new FaultyWay({
      world: cluster.world, path: cluster.path, front: this.#front, frozen: () => live.frozen,
      end: { serve: (request, exchange) => this.#arrived(request, exchange) },
    });
    this.#faults = new FaultSet(cluster);
    cluster.path.onChange(() => { if (cluster.path.failure !== undefined) this.#cutAll(); });
  }

  /**
   * As the front does, after what faults on the way did; a write that was served is recorded,
   * whether its answer arrives or not.
   */
  serve(request: HttpRequest, exchange: Exchange): Hold | undefined {
    if (this.cluster.path.failure !== undefined) {
      exchange.reset();
      return undefined;
    }
    const hold = this.#way.serve(request, exchange);
    if (hold === undefined) return undefined;
    this.#open.set(exchange, hold);
    return {
      cancel: () => {
        this.#open.delete(exchange);
        hold.cancel();
      },
    };
  }

  // Streams that ended by themselves are still here until their client closes; to cut them again
  // does nothing.
  #cutAll(): void {
    for (const [exchange, hold] of this.#open) {
      hold.cancel();
      exchange.reset();
    }
    this.#open.clear();
  }

  #arrived(request: HttpRequest, exchange: Exchange): Hold | undefined {
    if (request.method === 'GET') return this.#front.serve(request, exchange);
    return this.#write(request, exchange);
  }

  #write(request: HttpRequest, exchange: Exchange): Hold | undefined {
    return this.#front.serve(request, {
      ...exchange,
      answer: (answer) => {
        if (answer.code < 300 && changes(request)) this.#record(request);
        return exchange.answer(answer);
      },
    });
  }

  /** Strikes now, as a step of a scenario would. */
  strike(use: FaultUse): void {
    this.#faults.start(use, applyFault(this.cluster, use));
    this.recording.add(this.cluster.world.now, { fault: use });
  }

  /** Ends the faults of that name, narrowed to those with equal parameters where some are given. */
  heal(name: string, parameters: Readonly<Record<string, unknown>> | undefined): number {
    const ended = this.#faults.heal(name, parameters);
    this.recording.add(this.cluster.world.now, { heal: name, with: parameters });
    return ended;
  }

  /** The faults in force, oldest first. */
  get faults(): readonly FaultUse[] {
    return this.#faults.inForce;
  }

  #record(request: HttpRequest): void {
    const parsed = request.body.length === 0 ? undefined : parsedBody(request);
    const type = mediaType(request);
    const call: ApiCall = {
      method: request.method,
      path: targetOf(request),
      user: userOf(request),
      // What was protobuf or YAML stands here as JSON.
      ...(type.startsWith('application/') && type.includes('patch') && { type }),
      ...(parsed?.ok === true && { body: parsed.value as Json }),
    };
    this.recording.add(this.cluster.world.now, { request: call });
  }
}

// A dry run and a review of access change nothing.
function changes({ path, query }: HttpRequest): boolean {
  return !query.has('dryRun') && !/^\/apis\/auth(?:orization|entication)\.k8s\.io\//u.test(path);
}

function targetOf({ path, query }: HttpRequest): string {
  const pairs = [...query].map(([name, value]) =>
    `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return pairs.length === 0 ? encoded : `${encoded}?${pairs.join('&')}`;
}
