import {
  bitsOf,
  familyOf,
  ipFromNumber,
  ipNumber,
  parseIpUnmapped,
  parsePrefix,
  prefixContains,
} from '../../lb/ip.ts';
import type { Ip, PrefixParts } from '../../lb/ip.ts';
import type { Node, Pool } from '../../lb/model.ts';
import { assert } from '../../lb/result.ts';
import type { NeighbourSettings } from '../net/neighbour-rules.ts';
import type { SwitchOptions } from '../net/switch.ts';
import type { RouterBgpSpec } from '../scenario/parse-bgp.ts';
import type { HostSpec, NetworkSpec } from '../scenario/spec.ts';
import { expectedRouters, type ExpectedPeer } from './bgpnetwork.ts';

/** One interface of a machine: its segment and its addresses there. */
export interface NicPlan {
  readonly segment: string;
  readonly addresses: readonly { readonly ip: Ip; readonly prefixBits: number }[];
  /** Prefixes that a router reaches on this segment besides its own subnets. */
  readonly onLink: readonly PrefixParts[];
}

export interface MachinePlan {
  readonly name: string;
  readonly kind: 'node' | 'client' | 'host' | 'router';
  readonly nics: readonly NicPlan[];
  readonly neighbour: Partial<NeighbourSettings>;
  /** The router that foreign traffic is sent to; undefined for routers. */
  readonly gateway: string | undefined;
  /** A router that speaks BGP. */
  readonly bgp?: RouterBgpSpec;
}

export interface SegmentPlan {
  readonly name: string;
  readonly subnets: readonly PrefixParts[];
  readonly switch: SwitchOptions;
}

/** Who is on which wire with which address: the network before it is built. */
export interface Topology {
  readonly segments: readonly SegmentPlan[];
  readonly machines: readonly MachinePlan[];
}

export interface TopologyInputs {
  readonly nodes: readonly Node[];
  readonly pools: readonly Pool[];
  readonly network: NetworkSpec | undefined;
  /** Neighbours that BGP objects expect; asked for only where nobody wrote a network. */
  readonly peers?: readonly ExpectedPeer[];
  /** False: no pool is announced on the segment, so routers have none there. */
  readonly announcesL2?: boolean;
}

/** Inclusive range of addresses of one family. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly bits: 32 | 128;
}

/**
 * The network of a scenario, or without one: one segment with the subnets of the Nodes' addresses,
 * one router that also has the pools' blocks on it, a client on the segment and one behind the
 * router (simulator.md 7.1).
 */
export function planTopology(inputs: TopologyInputs): Topology {
  const network = inputs.network ?? defaultNetwork(inputs.nodes, inputs.peers);
  const onLink = inputs.announcesL2 !== false || (inputs.peers ?? []).length === 0;
  const pools = inputs.pools.flatMap(poolRanges);
  const segments = network.segments.map((segment) => ({
    name: segment.name,
    subnets: segment.subnets.flatMap(readPrefix),
    switch: segment.switch,
  }));
  const taken = [...inputs.nodes.flatMap(internalIps),
    ...network.hosts.flatMap(({ addresses = [] }) => addresses)];
  const allocator = new AddressChoice(segments, pools, taken);
  const nodes = inputs.nodes.map((node) => planNode({ node, network, allocator }));
  // Routers choose before clients, so that a router has the first address of its subnet.
  const hosts = [...network.hosts].sort(
    (left, right) => Number(right.kind === 'router') - Number(left.kind === 'router'),
  );
  const planned = hosts.map((host) => planHost({
    host, network, allocator, pools: onLink ? pools : [],
  }));
  const router = planned.find((machine) => machine.kind === 'router')?.name;
  const machines = [...nodes, ...planned].map((machine) =>
    machine.kind === 'router' || machine.gateway !== undefined || router === undefined
      ? machine
      : { ...machine, gateway: router },
  );
  return { segments, machines };
}

/** The network that is meant where nobody wrote one. */
export function defaultNetwork(
  nodes: readonly Node[], peers: readonly ExpectedPeer[] = [],
): NetworkSpec {
  const subnets = new Set<string>();
  for (const address of nodes.flatMap(internalIps)) {
    const parts = parsePrefix(`${address}/${familyOf(address) === 'IPv4' ? 24 : 64}`);
    if (parts.ok) subnets.add(parts.value.prefix);
  }
  if (subnets.size === 0) subnets.add('192.168.10.0/24');
  const used = [...subnets].flatMap(readPrefix);
  const free = (pattern: (index: number) => string): string => {
    for (let index = 20; index < 250; index += 1) {
      const [candidate] = readPrefix(pattern(index));
      if (candidate !== undefined && !used.some((subnet) => overlaps(subnet, candidate)))
        return candidate.prefix;
    }
    return pattern(250);
  };
  const wifi = [free((index) => `192.168.${index}.0/24`)];
  if (used.some((subnet) => subnet.family === 'IPv6'))
    wifi.push(free((index) => `fd00:${index}::/64`));
  const host = { neighbour: {}, gateway: 'router', onLink: [] } as const;
  const { router, others } = expectedRouters(peers, used.map(({ prefix }) => prefix));
  return {
    segments: [
      {
        name: 'lan',
        subnets: [...subnets],
        switch: {},
        attach: [
          ...nodes.map((node) => node.meta.name), 'router', 'laptop',
          ...others.map(({ name }) => name),
        ],
      },
      { name: 'wifi', subnets: wifi, switch: {}, attach: ['router', 'phone'] },
    ],
    hosts: [
      { ...host, ...router, name: 'router', kind: 'router', gateway: undefined },
      ...others,
      { ...host, name: 'laptop', kind: 'client' },
      { ...host, name: 'phone', kind: 'client' },
    ],
    links: [],
  };
}

function planNode(parts: {
  node: Node;
  network: NetworkSpec;
  allocator: AddressChoice;
}): MachinePlan {
  const { node, network, allocator } = parts;
  const name = node.meta.name;
  const nics = network.segments
    .filter((segment) => segment.attach.includes(name))
    .map((segment) => ({
      segment: segment.name,
      addresses: allocator.of(segment.name, internalIps(node)),
      onLink: [],
    }));
  return { name, kind: 'node', nics, neighbour: {}, gateway: undefined };
}

interface HostParts {
  readonly host: HostSpec;
  readonly network: NetworkSpec;
  readonly allocator: AddressChoice;
  readonly pools: readonly Range[];
}

function planHost({ host, network, allocator, pools }: HostParts): MachinePlan {
  const attached = network.segments.filter((segment) => segment.attach.includes(host.name));
  const nodeSegments = new Set(attached.map((segment) => segment.name).slice(0, 1));
  const nics = attached.map((segment) => ({
    segment: segment.name,
    addresses: allocator.of(segment.name, host.addresses ?? [], host.kind === 'router'),
    onLink:
      host.kind === 'router' && nodeSegments.has(segment.name)
        ? [...pools.flatMap(rangePrefixes), ...explicit(host, segment.name)]
        : explicit(host, segment.name),
  }));
  return {
    name: host.name,
    kind: host.kind,
    nics,
    neighbour: host.neighbour,
    gateway: host.gateway,
    ...(host.bgp === undefined ? {} : { bgp: host.bgp }),
  };
}

function explicit(host: HostSpec, segment: string): PrefixParts[] {
  return host.onLink
    .filter((entry) => entry.segment === segment)
    .flatMap((entry) => readPrefix(entry.prefix));
}

/** Gives addresses inside a segment's subnets, away from pools and from each other. */
class AddressChoice {
  #segments: readonly SegmentPlan[];
  #pools: readonly Range[];
  #taken = new Set<string>();

  constructor(segments: readonly SegmentPlan[], pools: readonly Range[], taken: readonly Ip[]) {
    this.#segments = segments;
    this.#pools = pools;
    for (const address of taken) this.#taken.add(address);
  }

  /** One address per subnet of the segment: an own one that lies in it, else a free one. */
  of(segment: string, own: readonly Ip[], lowest = false): { ip: Ip; prefixBits: number }[] {
    const subnets = this.#segments.find((plan) => plan.name === segment)?.subnets ?? [];
    return subnets.flatMap((subnet) => {
      const mine = own.filter((address) => prefixContains(subnet, address));
      const chosen =
        mine.length > 0 || (own.length > 0 && !lowest) ? mine : [this.#free(subnet, lowest)];
      return chosen.map((address) => ({ ip: address, prefixBits: subnet.prefixBits }));
    });
  }

  #free(subnet: PrefixParts, lowest: boolean): Ip {
    const bits = bitsOf(subnet.family);
    const size = subnet.last - subnet.first;
    const span = size < 250n ? size : 250n;
    for (const strict of [true, false]) {
      for (let step = 1n; step < span; step += 1n) {
        const number = subnet.first + (lowest ? step : span + 1n - step);
        const address = ipFromNumber(number, subnet.family);
        if (this.#taken.has(address)) continue;
        if (strict && this.#pools.some((range) => range.bits === bits && within(range, number)))
          continue;
        this.#taken.add(address);
        return address;
      }
    }
    assert(false, `subnet ${subnet.prefix} has a free address`);
  }
}

function within(range: Range, number: bigint): boolean {
  return number >= range.first && number <= range.last;
}

export function internalIps(node: Node): Ip[] {
  return node.addresses
    .filter((address) => address.type === 'InternalIP')
    .flatMap((address) => {
      const parsed = parseIpUnmapped(address.address);
      return parsed.ok ? [parsed.value] : [];
    });
}

function poolRanges(pool: Pool): Range[] {
  return pool.blocks.flatMap((block): Range[] => {
    if (block.cidr !== undefined) {
      return readPrefix(block.cidr).map(({ first, last, family }) => ({
        first,
        last,
        bits: bitsOf(family),
      }));
    }
    const start = parseIpUnmapped(block.start ?? '');
    const stop = parseIpUnmapped(block.stop ?? block.start ?? '');
    if (!start.ok || !stop.ok || familyOf(start.value) !== familyOf(stop.value)) return [];
    return [
      {
        first: ipNumber(start.value),
        last: ipNumber(stop.value),
        bits: bitsOf(familyOf(start.value)),
      },
    ];
  });
}

/** The fewest prefixes that cover exactly one range. */
function rangePrefixes(range: Range): PrefixParts[] {
  const prefixes: PrefixParts[] = [];
  const family = range.bits === 32 ? 'IPv4' : 'IPv6';
  let first = range.first;
  while (first <= range.last) {
    let hostBits = 0;
    while (hostBits < range.bits) {
      const size = 1n << BigInt(hostBits + 1);
      if (first % size !== 0n || first + size - 1n > range.last) break;
      hostBits += 1;
    }
    prefixes.push(...readPrefix(`${ipFromNumber(first, family)}/${range.bits - hostBits}`));
    first += 1n << BigInt(hostBits);
  }
  return prefixes;
}

function readPrefix(text: string): PrefixParts[] {
  const parsed = parsePrefix(text);
  return parsed.ok ? [parsed.value] : [];
}

function overlaps(left: PrefixParts, right: PrefixParts): boolean {
  return left.family === right.family && left.first <= right.last && right.first <= left.last;
}
