import type { EndpointSlice, Node, Service, ServiceKey } from '../model.ts';
import { compareText, type Change } from '../table.ts';
import { addressOf, type Address } from './address.ts';
import { allAddresses, readyNodesOf, sameNode, type NodeFacts } from './node.ts';

/** Whose node addresses may have changed. */
export interface NodeEffect {
  /** Every Service of node IPAM. */
  readonly every: boolean;
  /** Services whose ready nodes changed. */
  readonly services: ReadonlySet<ServiceKey>;
}

/** Nodes and ready endpoints as node IPAM needs them, kept from changes. */
export class NodeView {
  #nodes = new Map<string, Node>();
  #addresses = new Set<Address>();
  #slices = new Map<string, EndpointSlice>();
  #byService = new Map<ServiceKey, Map<string, EndpointSlice>>();
  #sorted: readonly Node[] = [];

  hasAddress(address: Address): boolean {
    return this.#addresses.has(address);
  }

  /** What the addresses of one Service follow from. */
  factsFor(service: Service): NodeFacts {
    const slices = this.#byService.get(service.key)?.values() ?? [];
    return { nodes: this.#sorted, readyNodes: readyNodesOf(slices) };
  }

  apply(
    nodes: readonly Change<Node>[],
    slices: readonly Change<EndpointSlice>[],
  ): NodeEffect {
    let every = false;
    for (const { key, value } of nodes) {
      if (this.#applyNode(key, value)) every = true;
    }
    if (every) {
      this.#sorted = [...this.#nodes.values()]
        .sort((left, right) => compareText(left.meta.name, right.meta.name));
      this.#addresses = new Set(this.#sorted.flatMap((node) => allAddresses(node).map(addressOf)));
    }
    const services = new Set<ServiceKey>();
    for (const { key, value } of slices) {
      for (const service of this.#applySlice(key, value)) services.add(service);
    }
    return { every, services };
  }

  #applyNode(key: string, node: Node | undefined): boolean {
    const before = this.#nodes.get(key);
    if (node === undefined) return this.#nodes.delete(key);
    this.#nodes.set(key, node);
    return before === undefined || !sameNode(before, node);
  }

  // The Services that it belonged and belongs to.
  #applySlice(key: string, slice: EndpointSlice | undefined): readonly ServiceKey[] {
    const affected: ServiceKey[] = [];
    const before = this.#slices.get(key);
    if (before?.service !== undefined) {
      affected.push(before.service);
      const group = this.#byService.get(before.service);
      group?.delete(key);
      if (group?.size === 0) this.#byService.delete(before.service);
    }
    if (slice === undefined) {
      this.#slices.delete(key);
      return affected;
    }
    this.#slices.set(key, slice);
    if (slice.service === undefined) return affected;
    const group = this.#byService.get(slice.service) ?? new Map<string, EndpointSlice>();
    group.set(key, slice);
    this.#byService.set(slice.service, group);
    return [...affected, slice.service];
  }
}
