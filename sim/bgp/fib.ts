import { parsePrefix, prefixContains, type Ip, type Prefix } from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import type { PacketTuple } from '../net/packet.ts';
import type { NextHop } from '../net/route.ts';
import type { IpStack, StackInterface } from '../net/stack.ts';
import { flowHash, type HashFields } from './flowhash.ts';
import { memberOf, remap, sharePpmMoved, type MapperKind, type Mapping } from './mapper.ts';

export interface EcmpOptions {
  readonly mapper: MapperKind;
  readonly fields: HashFields;
  /** Chooses among hash functions; routers of one vendor agree when theirs do. */
  readonly seed: number;
}

/** What became of one prefix in a router's forwarding table, as `ip monitor route` would say it. */
export interface FibChange {
  readonly prefix: Prefix;
  readonly kind: 'add' | 'replace' | 'delete';
  readonly nextHops: readonly Ip[];
  /** Parts per million of all flows that go another way; 0 for additions and deletions. */
  readonly movedPpm: number;
}

interface Installed {
  readonly nextHops: readonly Ip[];
  readonly mapping: Mapping;
  readonly hops: ReadonlyMap<Ip, NextHop<StackInterface>>;
}

/** Routes that BGP put into a router's forwarding table. */
export class Fib {
  #stack: IpStack;
  #options: EcmpOptions;
  #installed = new Map<Prefix, Installed>();

  constructor(stack: IpStack, options: EcmpOptions) {
    this.#stack = stack;
    this.#options = options;
  }

  /** Next hops of a prefix, sorted; empty: it is not there. */
  nextHops(prefix: Prefix): readonly Ip[] {
    return this.#installed.get(prefix)?.nextHops ?? [];
  }

  prefixes(): Prefix[] {
    return [...this.#installed.keys()].sort(compareText);
  }

  get options(): EcmpOptions {
    return this.#options;
  }

  /** Sets the next hops of prefixes; none removes it. Those that are on no segment are left out. */
  apply(wanted: ReadonlyMap<Prefix, readonly Ip[]>): FibChange[] {
    const changes: FibChange[] = [];
    for (const prefix of [...wanted.keys()].sort(compareText)) {
      const change = this.#change(prefix, wanted.get(prefix) ?? []);
      if (change !== undefined) changes.push(change);
    }
    if (changes.length > 0) this.#publish();
    return changes;
  }

  /** `router.rehash`: other functions from now on. */
  rehash(options: EcmpOptions): FibChange[] {
    const { mapper } = options;
    this.#options = options;
    const changes = [...this.#installed].map(([prefix, old]): FibChange => {
      const mapping = remap(mapper, old.mapping.members, undefined);
      this.#installed.set(prefix, { ...old, mapping });
      return { prefix, kind: 'replace', nextHops: old.nextHops, movedPpm: 0 };
    });
    this.#publish();
    return changes;
  }

  #change(prefix: Prefix, wanted: readonly Ip[]): FibChange | undefined {
    const before = this.#installed.get(prefix);
    const hops = new Map(wanted.flatMap((via): [Ip, NextHop<StackInterface>][] => {
      const iface = this.#onLink(via);
      return iface === undefined ? [] : [[via, { iface, via }]];
    }));
    if (hops.size === 0) {
      if (before === undefined) return undefined;
      this.#installed.delete(prefix);
      return { prefix, kind: 'delete', nextHops: [], movedPpm: 0 };
    }
    const { mapper } = this.#options;
    const nextHops: readonly Ip[] = [...hops.keys()].sort(compareText);
    if (before?.nextHops.join() === nextHops.join()) return undefined;
    const mapping = remap(mapper, nextHops, before?.mapping);
    this.#installed.set(prefix, { nextHops, mapping, hops });
    if (before === undefined) return { prefix, kind: 'add', nextHops, movedPpm: 0 };
    const movedPpm = sharePpmMoved(mapper, before.mapping, mapping);
    return { prefix, kind: 'replace', nextHops, movedPpm };
  }

  /** The interface whose subnet a next hop lies in; routes over routes are not followed. */
  #onLink(via: Ip): StackInterface | undefined {
    return this.#stack.interfaces.find((iface) =>
      iface.subnets.some((subnet) => prefixContains(subnet, via)));
  }

  #publish(): void {
    this.#stack.routes.setDynamic([...this.#installed].flatMap(([prefix, installed]) => {
      const parsed = parsePrefix(prefix);
      const [best] = installed.nextHops;
      const first = best === undefined ? undefined : installed.hops.get(best);
      if (!parsed.ok || first === undefined) return [];
      const pick = (flow: PacketTuple): NextHop<StackInterface> => this.#pick(installed, flow);
      return [{
        prefix: parsed.value, iface: first.iface, via: first.via,
        pick: installed.nextHops.length > 1 ? pick : undefined,
      }];
    }));
  }

  #pick({ mapping, hops }: Installed, flow: PacketTuple): NextHop<StackInterface> {
    const { mapper, fields, seed } = this.#options;
    const member = memberOf(mapper, mapping, flowHash(fields, flow, seed));
    const hop = hops.get(member as Ip);
    assert(hop !== undefined, `next hop ${member} of a mapping is a member`);
    return hop;
  }
}
