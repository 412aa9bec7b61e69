import { ipFromNumber, parseIp, parsePrefix, type Ip } from '../../lb/ip.ts';
import type { KubeError, KubeObject, WatchEvent } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { applyWrites, type ActorContext } from './actor.ts';
import { keyOf } from './catalog.ts';
import { fields, items, text } from './fields.ts';
import { WorkQueue } from './workqueue.ts';

export interface ForeignBalancerOptions {
  /** The only class that it serves. */
  readonly loadBalancerClass: string;
  /** Its addresses, all of them usable. */
  readonly cidr: string;
}

/**
 * Somebody else's load-balancer controller, for coexistence: it gives one address of its own range
 * to each Service of its class and touches no other (simulator.md 5.7).
 */
export class ForeignBalancer {
  #context: ActorContext;
  #options: ForeignBalancerOptions;
  #queue: WorkQueue;
  #held = new Map<string, Ip>();

  constructor(context: ActorContext, options: ForeignBalancerOptions) {
    this.#context = context;
    this.#options = options;
    const { reaction } = context.timings;
    this.#queue = new WorkQueue(context, { name: 'foreign', reaction }, (key) => this.#sync(key));
  }

  /** Adopts the addresses that its Services show already. */
  start(): void {
    const { api } = this.#context;
    api.subscribe(resources.services, (event) => this.#event(event));
    for (const object of api.list(resources.services)) {
      const shown = parseIp(shownIp(object));
      if (this.#serves(object) && shown.ok) this.#held.set(keyOf(object), shown.value);
      this.#event({ type: 'ADDED', object });
    }
  }

  pending(): string[] {
    return this.#queue.pending().map((key) => `foreign load balancer looks at ${key}`);
  }

  #event(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const key = keyOf(event.object);
    if (event.type === 'DELETED') {
      this.#held.delete(key);
      this.#queue.forget(key);
    } else if (this.#serves(event.object) !== this.#held.has(key)
      || (this.#held.has(key) && shownIp(event.object) !== this.#held.get(key))) {
      this.#queue.add(key);
    }
  }

  #serves(object: KubeObject): boolean {
    const spec = fields(object['spec']);
    const going = object.metadata?.['deletionTimestamp'] !== undefined;
    return !going && spec['type'] === 'LoadBalancer'
      && spec['loadBalancerClass'] === this.#options.loadBalancerClass;
  }

  #sync(key: string): KubeError | undefined {
    const slash = key.indexOf('/');
    const { api } = this.#context;
    const object = api.get(resources.services, key.slice(0, slash), key.slice(slash + 1));
    if (object === undefined) return undefined;
    if (!this.#serves(object)) {
      // The API server empties the status of a Service that is no LoadBalancer any more.
      this.#held.delete(key);
      return undefined;
    }
    const address = this.#held.get(key) ?? this.#lowestFree();
    if (address === undefined) return undefined;
    this.#held.set(key, address);
    if (shownIp(object) === address) return undefined;
    const status = { ...fields(object['status']), loadBalancer: { ingress: [{ ip: address }] } };
    return applyWrites(api, `foreign:${this.#options.loadBalancerClass}`, [{
      verb: 'replace', resource: resources.services, subresource: 'status',
      body: { ...object, status },
    }]);
  }

  #lowestFree(): Ip | undefined {
    const range = parsePrefix(this.#options.cidr);
    if (!range.ok) return undefined;
    const taken = new Set(this.#held.values());
    for (let number = range.value.first; number <= range.value.last; number += 1n) {
      const address = ipFromNumber(number, range.value.family);
      if (!taken.has(address)) return address;
    }
    return undefined;
  }
}

function shownIp(object: KubeObject): string {
  const balancer = fields(fields(object['status'])['loadBalancer']);
  return text(items(balancer['ingress'])[0]?.['ip']);
}
