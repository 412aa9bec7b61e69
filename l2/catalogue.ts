import { familyOf, parseIpUnmapped, type Family, type Ip } from '../lb/ip.ts';
import type { EndpointSlice, L2Policy, Node, Service, ServiceKey } from '../lb/model.ts';
import { SliceIndex } from '../lb/sliceindex.ts';
import { compareText, type Cursor, type Table } from '../lb/table.ts';
import { localityOf, nodeFacts, nowhere, type Locality, type NodeFacts } from './candidacy.ts';
import { PolicyBook, type CompiledPolicy } from './policy.ts';
import { contributionsOf, refusalOf, type Contribution } from './selection.ts';

/** The tables that decide what is wanted where. */
export interface L2Tables {
  readonly services: Table<Service>;
  readonly slices: Table<EndpointSlice>;
  readonly nodes: Table<Node>;
  readonly policies: Table<L2Policy>;
}

/** What a look at the tables found changed. */
export interface CatalogueChange {
  /** Addresses whose contributions or localities changed. */
  readonly ips: ReadonlySet<Ip>;
  /** A Node or a policy changed, so any candidacy may have. */
  readonly all: boolean;
}

export interface Refusal {
  readonly ip: Ip;
  readonly service: Service;
  readonly reason: string;
}

const none: readonly Contribution[] = [];

/**
 * Which addresses are wanted and by whom, derived per changed object: an address knows the Services
 * that contribute it, a Service the addresses it contributes.
 */
export class Catalogue {
  readonly book = new PolicyBook();
  #tables: L2Tables;
  #cursors: {
    services: Cursor<Service>; slices: Cursor<EndpointSlice>; nodes: Cursor<Node>;
    policies: Cursor<L2Policy>;
  };
  #byService = new Map<string, Map<Ip, Contribution>>();
  #byIp = new Map<Ip, Map<string, Contribution>>();
  /** The lists of `byIp` in order, made when first asked for. */
  #ordered = new Map<Ip, readonly Contribution[]>();
  #slices = new SliceIndex();
  #localities = new Map<string, Map<Family, Locality>>();
  #nodes = new Map<string, NodeFacts>();
  #nodeList: readonly NodeFacts[] | undefined;
  #nodeAddresses = new Map<Ip, Set<string>>();
  #changed = new Set<Ip>();
  #all = false;
  /** Raised with every change of a Node or a policy: no candidacy computed before holds. */
  version = 0;

  constructor(tables: L2Tables) {
    this.#tables = tables;
    this.#cursors = {
      services: tables.services.cursor(), slices: tables.slices.cursor(),
      nodes: tables.nodes.cursor(), policies: tables.policies.cursor(),
    };
  }

  /** True once all four listings are in: before that absence means nothing. */
  get complete(): boolean {
    const { services, slices, nodes, policies } = this.#tables;
    return services.complete && slices.complete && nodes.complete && policies.complete;
  }

  /** Takes in what changed since the last call. */
  refresh(): CatalogueChange {
    this.#refreshPolicies();
    for (const change of this.#cursors.nodes.take()) this.#setNode(change.key, change.value);
    this.#refreshSlices();
    for (const change of this.#cursors.services.take()) this.#setService(change.key, change.value);
    const change = { ips: this.#changed, all: this.#all };
    if (change.all) this.version += 1;
    this.#changed = new Set();
    this.#all = false;
    return change;
  }

  /**
   * Contributions by Service key; empty: the address is not wanted. Includes refused addresses. The
   * identical list until one of them, or the endpoints of a Local one, changes.
   */
  contributions(address: Ip): readonly Contribution[] {
    const known = this.#ordered.get(address);
    if (known !== undefined) return known;
    const found = this.#byIp.get(address);
    if (found === undefined) return none;
    const list = [...found.values()].sort((a, b) => compareText(a.service.key, b.service.key));
    this.#ordered.set(address, list);
    return list;
  }

  /** P1 to P6. */
  wanted(address: Ip): boolean {
    return this.#byIp.has(address) && this.refusal(address) === undefined;
  }

  refusal(address: Ip): string | undefined {
    return refusalOf(address, (one) => this.#nodeAddresses.has(one));
  }

  /** Every contributed address, in no order that may be relied on. */
  ips(): Iterable<Ip> {
    return this.#byIp.keys();
  }

  get nodes(): readonly NodeFacts[] {
    this.#nodeList ??= [...this.#nodes.values()].sort((a, b) => compareText(a.name, b.name));
    return this.#nodeList;
  }

  node(name: string): NodeFacts | undefined {
    return this.#nodes.get(name);
  }

  locality(contribution: Contribution, address: Ip): Locality {
    const { key } = contribution.service;
    const family = familyOf(address);
    let families = this.#localities.get(key);
    if (families === undefined) this.#localities.set(key, families = new Map());
    let found = families.get(family);
    if (found === undefined) {
      const slices = this.#slices.of(key);
      found = slices.length === 0 ? nowhere : localityOf(slices, family);
      families.set(family, found);
    }
    return found;
  }

  #refreshPolicies(): void {
    let changed = false;
    for (const change of this.#cursors.policies.take()) {
      if (this.book.set(change.key, change.value)) changed = true;
    }
    if (!changed) return;
    this.#all = true;
    const policies = this.book.all();
    for (const service of this.#tables.services.unordered()) {
      this.#contribute(service.key, service, policies);
    }
  }

  #setNode(name: string, node: Node | undefined): void {
    this.#nodeList = undefined;
    const before = this.#nodes.get(name);
    const after = node === undefined ? undefined : nodeFacts(node);
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    this.#all = true;
    for (const text of before?.addresses ?? []) {
      const parsed = parseIpUnmapped(text);
      if (!parsed.ok) continue;
      const names = this.#nodeAddresses.get(parsed.value);
      names?.delete(name);
      if (names?.size === 0) this.#nodeAddresses.delete(parsed.value);
    }
    for (const text of after?.addresses ?? []) {
      const parsed = parseIpUnmapped(text);
      if (!parsed.ok) continue;
      const names = this.#nodeAddresses.get(parsed.value) ?? new Set();
      this.#nodeAddresses.set(parsed.value, names.add(name));
    }
    if (after === undefined) this.#nodes.delete(name);
    else this.#nodes.set(name, after);
  }

  #refreshSlices(): void {
    const concerns = (service: ServiceKey): void => {
      this.#localities.delete(service);
      // Under policy Cluster endpoints do not decide who announces (C5).
      for (const [address, one] of this.#byService.get(service) ?? []) {
        if (one.service.externalTrafficPolicy !== 'Local') continue;
        this.#changed.add(address);
        this.#ordered.delete(address);
      }
    };
    for (const change of this.#cursors.slices.take()) this.#slices.take(change, concerns);
  }

  #setService(key: string, service: Service | undefined): void {
    if (service === undefined) this.#localities.delete(key);
    this.#contribute(key, service, this.book.all());
  }

  #contribute(
    key: string, service: Service | undefined, policies: readonly CompiledPolicy[],
  ): void {
    const before = this.#byService.get(key);
    const wanted = service === undefined ? undefined : contributionsOf(service, policies);
    if (before === undefined && (wanted === undefined || wanted.size === 0)) return;
    const after = new Map<Ip, Contribution>();
    if (service !== undefined) {
      for (const [address, list] of wanted ?? []) after.set(address, { service, policies: list });
    }
    for (const address of before?.keys() ?? []) if (!after.has(address)) this.#drop(address, key);
    for (const [address, one] of after) {
      if (!sameContribution(before?.get(address), one)) this.#changed.add(address);
      const services = this.#byIp.get(address) ?? new Map<string, Contribution>();
      this.#byIp.set(address, services.set(key, one));
      this.#ordered.delete(address);
    }
    if (after.size === 0) this.#byService.delete(key);
    else this.#byService.set(key, after);
  }

  #drop(address: Ip, key: string): void {
    const services = this.#byIp.get(address);
    services?.delete(key);
    if (services?.size === 0) this.#byIp.delete(address);
    this.#ordered.delete(address);
    this.#changed.add(address);
  }
}

// A Service changes for many reasons; only these reach an announcement.
function sameContribution(left: Contribution | undefined, right: Contribution): boolean {
  return left !== undefined && left.policies.length === right.policies.length
    && left.policies.every((policy, index) => policy === right.policies[index])
    && left.service.externalTrafficPolicy === right.service.externalTrafficPolicy
    && left.service.meta.uid === right.service.meta.uid;
}
