import { familyOf, parseIpUnmapped, type Family, type Ip } from '../lb/ip.ts';
import type { EndpointSlice, L2Policy, Node, Service, ServiceKey } from '../lb/model.ts';
import { SliceIndex } from '../lb/sliceindex.ts';
import { compareText, type Cursor, type Table } from '../lb/table.ts';
import { localityOf, nodeFacts, nowhere, type Locality, type NodeFacts } from './candidacy.ts';
import { PolicyBook, type CompiledPolicy } from './policy.ts';
import { refusalOf, type Contribution } from './selection.ts';
import type { Contributed, Selections } from './selections.ts';

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

const noChange: CatalogueChange = { ips: new Set(), all: false };
const none: readonly Contribution[] = [];

/**
 * Which addresses are wanted and by whom, derived per changed object: an address knows the Services
 * that contribute it, a Service the addresses it contributes.
 */
export class Catalogue {
  readonly book: PolicyBook;
  #tables: L2Tables;
  #selections: Selections;
  /** The policies in force, by name. */
  #policies: readonly CompiledPolicy[];
  #cursors: {
    services: Cursor<Service>; slices: Cursor<EndpointSlice>; nodes: Cursor<Node>;
    policies: Cursor<L2Policy>;
  };
  #byService = new Map<string, Contributed>();
  /** By Service key. */
  #byIp = new Map<Ip, readonly Contribution[]>();
  #slices = new SliceIndex();
  #localities = new Map<string, Map<Family, Locality>>();
  #nodes = new Map<string, NodeFacts>();
  #nodeList: readonly NodeFacts[] | undefined;
  #nodeAddresses = new Map<Ip, Set<string>>();
  /** The last answer of `selectsNode`: one node asks about itself, again and again. */
  #selected: {
    readonly facts: NodeFacts; readonly policies: readonly CompiledPolicy[]; readonly is: boolean;
  } | undefined;
  #changed = new Set<Ip>();
  #all = false;
  /** Raised with every change of a Node or a policy: no candidacy computed before holds. */
  version = 0;

  constructor(tables: L2Tables, selections: Selections) {
    this.#tables = tables;
    this.#selections = selections;
    this.book = new PolicyBook((policy) => selections.compile(policy));
    this.#policies = selections.list([]);
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

  /** Takes in what changed since the last call; nothing before the listings are complete. */
  refresh(): CatalogueChange {
    const { services, slices, nodes, policies } = this.#cursors;
    const behind = services.behind || slices.behind || nodes.behind || policies.behind;
    if (!behind || !this.complete) return noChange;
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
    return this.#byIp.get(address) ?? none;
  }

  /** P1 to P6. */
  wanted(address: Ip): boolean {
    // Asked at each look at an address, so the texts are read once, where the contribution is made.
    const [one] = this.#byIp.get(address) ?? none;
    return one !== undefined && one.refused === undefined && !this.#nodeAddresses.has(address);
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

  /** Whether a policy in force selects that node. */
  selectsNode(name: string): boolean {
    const facts = this.#nodes.get(name);
    if (facts === undefined) return false;
    const policies = this.#policies;
    if (this.#selected?.facts !== facts || this.#selected.policies !== policies) {
      const is = policies.some((policy) => policy.matchesNode(facts.labels));
      this.#selected = { facts, policies, is };
    }
    return this.#selected.is;
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
    this.#policies = this.#selections.list(this.book.all());
    for (const service of this.#tables.services.unordered()) {
      this.#contribute(service.key, service);
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
        if (one[0].service.externalTrafficPolicy !== 'Local') continue;
        this.#changed.add(address);
        const list = this.#byIp.get(address);
        // Another list of the same, for those who remember what followed from it.
        if (list !== undefined) this.#byIp.set(address, [...list]);
      }
    };
    for (const change of this.#cursors.slices.take()) this.#slices.take(change, concerns);
  }

  #setService(key: string, service: Service | undefined): void {
    if (service === undefined) this.#localities.delete(key);
    this.#contribute(key, service);
  }

  #contribute(key: string, service: Service | undefined): void {
    const selections = this.#selections;
    const before = this.#byService.get(key) ?? selections.none;
    const after = service === undefined
      ? selections.none : selections.of(service, this.#policies);
    if (before === after) return;
    for (const [address, [one]] of before) if (!after.has(address)) this.#drop(address, one);
    for (const [address, alone] of after) {
      const old = before.get(address)?.[0];
      if (!sameContribution(old, alone[0])) this.#changed.add(address);
      const others = this.#byIp.get(address)?.filter((other) => other !== old) ?? none;
      this.#byIp.set(address, others.length === 0 ? alone : inOrder([...others, ...alone]));
    }
    if (after.size === 0) this.#byService.delete(key);
    else this.#byService.set(key, after);
  }

  #drop(address: Ip, one: Contribution): void {
    const others = this.#byIp.get(address)?.filter((other) => other !== one) ?? none;
    if (others.length === 0) this.#byIp.delete(address);
    else this.#byIp.set(address, others);
    this.#changed.add(address);
  }
}

function inOrder(contributions: Contribution[]): readonly Contribution[] {
  return contributions.sort((a, b) => compareText(a.service.key, b.service.key));
}

// A Service changes for many reasons; only these reach an announcement.
function sameContribution(left: Contribution | undefined, right: Contribution): boolean {
  return left !== undefined && left.policies.length === right.policies.length
    && left.policies.every((policy, index) => policy === right.policies[index])
    && left.service.externalTrafficPolicy === right.service.externalTrafficPolicy
    && left.service.meta.uid === right.service.meta.uid;
}
