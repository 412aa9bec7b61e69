import { parsePrefix, prefixContains, type Ip, type PrefixParts } from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import type { PacketTuple } from './packet.ts';

/** Where one packet goes next. */
export interface NextHop<Interface> {
  readonly iface: Interface;
  readonly via: Ip | undefined;
}

/** Where packets for a prefix go. */
export interface Route<Interface> extends NextHop<Interface> {
  readonly prefix: PrefixParts;
  readonly iface: Interface;
  /** The next hop; undefined for a prefix that is on the segment itself. */
  readonly via: Ip | undefined;
  /** Chooses among several equal next hops; undefined: there is one. */
  readonly pick: ((flow: PacketTuple) => NextHop<Interface>) | undefined;
}

const cachedMax = 4096;

/** A routing table: the longest prefix wins, then the route that was added first. */
export class RouteTable<Interface> {
  #routes: Route<Interface>[] = [];
  /** Those that `setDynamic` gave. */
  #dynamic = new Set<Route<Interface>>();
  #cache = new Map<Ip, Route<Interface> | undefined>();

  get routes(): readonly Route<Interface>[] {
    return this.#routes;
  }

  /** `prefix` is text that the caller already validated. */
  add(prefix: string, iface: Interface, via?: Ip): void {
    const parsed = parsePrefix(prefix);
    assert(parsed.ok, `${prefix} is a prefix`);
    this.#routes.push({ prefix: parsed.value, iface, via, pick: undefined });
    this.#order();
  }

  /** Replaces all routes of a routing protocol; between equal prefixes those of `add` win. */
  setDynamic(routes: readonly Route<Interface>[]): void {
    this.#routes = [...this.#routes.filter((route) => !this.#dynamic.has(route)), ...routes];
    this.#dynamic = new Set(routes);
    this.#order();
  }

  /** Removes the routes of a prefix, those by way of `via` alone when it is given. */
  remove(prefix: string, via?: Ip): void {
    const parsed = parsePrefix(prefix);
    assert(parsed.ok, `${prefix} is a prefix`);
    this.#routes = this.#routes.filter((route) =>
      route.prefix.prefix !== parsed.value.prefix || (via !== undefined && route.via !== via));
    this.#cache.clear();
  }

  lookup(target: Ip): Route<Interface> | undefined {
    const known = this.#cache.get(target);
    if (known !== undefined) return known;
    const found = this.#routes.find((route) => prefixContains(route.prefix, target));
    if (found === undefined) return undefined;
    if (this.#cache.size >= cachedMax) this.#cache.clear();
    this.#cache.set(target, found);
    return found;
  }

  #order(): void {
    this.#routes.sort((left, right) => right.prefix.prefixBits - left.prefix.prefixBits);
    this.#cache.clear();
  }
}
