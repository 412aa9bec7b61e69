import type { BgpAttributes, BgpEntry, CiliumNode, CiliumPodIpPool } from '../lb/bgpmodel.ts';
import { bitsOf, familyOf, parsePrefix, type Family, type Ip, type Prefix } from '../lb/ip.ts';
import { addressOf, findSpan } from '../lb/ipam/address.ts';
import type { PoolConfig } from '../lb/ipam/pool.ts';
import type { Labels, Node } from '../lb/model.ts';
import type { LinkFacts } from '../lb/ports.ts';
import { compileSelector, type LabelSelector, type Matcher } from '../lb/selector.ts';
import type { ServiceAddress, ServiceRoutes, Withheld } from './serviceroutes.ts';

/** A pool of LoadBalancer addresses that legacy path attributes may name. */
export interface LabelledPool {
  readonly labels: Labels;
  readonly config: PoolConfig;
}

/** Everything that entries draw routes from, as one node has it now. */
export interface RouteSources {
  readonly nodeName: string;
  readonly node: Node | undefined;
  readonly services: readonly ServiceRoutes[];
  /** Undefined where the cluster has no CiliumNodes. */
  readonly ciliumNode: CiliumNode | undefined;
  readonly podPools: readonly CiliumPodIpPool[];
  readonly loadBalancerPools: readonly LabelledPool[];
  readonly links: readonly LinkFacts[];
  /** Whether the data path serves the address here. */
  programmed(ip: Ip): boolean;
  /** ORIGIN INCOMPLETE for LoadBalancerIP (setting `bgp.legacyOriginAttribute`). */
  readonly legacyOrigin: boolean;
}

/** One entry of one advertisement. */
export interface EntrySource {
  readonly advertisement: string;
  readonly index: number;
  readonly entry: BgpEntry;
}

/** Why a contribution makes no route. */
export type Refusal = Withheld | 'NotProgrammed';

/** What one entry and one object give to one prefix. */
export interface Contribution {
  readonly prefix: Prefix;
  readonly family: Family;
  readonly origin: 'igp' | 'incomplete';
  readonly attributes: BgpAttributes;
  /** `service media/web`, `node n1`, `pool blue`, `interface eth0`. */
  readonly object: string;
  readonly source: EntrySource;
  /** True: it adds attributes to a prefix that others announce. */
  readonly adds: boolean;
  /** Undefined: it counts. */
  readonly refused: Refusal | undefined;
}

/** Contributions of one entry, and what it could not use, as sentences. */
export interface EntryYield {
  readonly contributions: readonly Contribution[];
  readonly reports: readonly string[];
}

const selectsNothing: Matcher = () => false;
const selectsAll: Matcher = () => true;

/** All that an entry gives, whatever the peer: both families, and what is withheld too. Pure. */
export function entryYield(source: EntrySource, from: RouteSources): EntryYield {
  const { entry } = source;
  const reports: string[] = [];
  const compile = (selector: LabelSelector | undefined, otherwise: Matcher): Matcher => {
    if (selector === undefined) return otherwise;
    const compiled = compileSelector(selector);
    if (compiled.ok) return compiled.value;
    reports.push(`InvalidSelector ${source.advertisement}[${source.index}]: ${
      compiled.error.path} ${compiled.error.message}`);
    return selectsNothing;
  };
  const scope = compile(entry.only?.selector, selectsAll);
  if (entry.only?.of === 'node' && !scope(from.node?.meta.labels ?? {})) {
    return { contributions: [], reports };
  }
  const yielded = { source, from, scope, reports };
  switch (entry.type) {
    case 'Service': {
      const selects = compile(entry.selector, selectsNothing);
      return { contributions: serviceContributions({ ...yielded, entry, selects }), reports };
    }
    case 'PodCIDR':
      return { contributions: prefixContributions(yielded, podCidrs(from)), reports };
    case 'CiliumPodIPPool': {
      const selects = compile(entry.selector, selectsNothing);
      return { contributions: prefixContributions(yielded, poolCidrs(yielded, selects)), reports };
    }
    case 'Interface':
      return {
        contributions: prefixContributions(yielded, interfaceTexts(from, entry.interface)), reports,
      };
  }
}

interface Yielding {
  readonly source: EntrySource;
  readonly from: RouteSources;
  readonly scope: Matcher;
  readonly reports: string[];
}

type ServiceEntry = Extract<BgpEntry, { type: 'Service' }>;

function serviceContributions(
  of: Yielding & { readonly entry: ServiceEntry; readonly selects: Matcher },
): Contribution[] {
  const { source, from, entry, selects } = of;
  const contributions: Contribution[] = [];
  const scoped = entry.only?.of === 'loadBalancerPool' ? poolsOf(of) : undefined;
  for (const { labels, addresses, service, unreadable } of from.services) {
    if (!selects(labels)) continue;
    const object = `service ${service.key}`;
    for (const { path, text } of unreadable) {
      of.reports.push(`InvalidAddress ${object} ${path}: '${text}'`);
    }
    for (const address of addresses) {
      const { kind, ip, family, withheld } = address;
      if (!entry.addresses.includes(kind)) continue;
      if (scoped !== undefined && !lies(ip, scoped)) continue;
      const programmed = withheld !== undefined || from.programmed(ip);
      contributions.push({
        prefix: prefixOf(address, entry), family, object, source,
        origin: from.legacyOrigin && kind === 'LoadBalancerIP' ? 'incomplete' : 'igp',
        attributes: entry.attributes, adds: entry.only !== undefined,
        refused: withheld ?? (programmed ? undefined : 'NotProgrammed'),
      });
    }
  }
  return contributions;
}

function poolsOf({ from, scope }: Yielding): readonly LabelledPool[] {
  return from.loadBalancerPools.filter(({ labels }) => scope(labels));
}

function lies(ip: Ip, pools: readonly LabelledPool[]): boolean {
  const address = addressOf(ip);
  return pools.some(({ config }) => findSpan(config.covered, address) >= 0);
}

/** Exact unless an aggregation length applies (bgp.md 4, Prefix). */
function prefixOf({ ip, family, exact }: ServiceAddress, entry: ServiceEntry): Prefix {
  const length = exact ? undefined : entry.aggregation[family];
  // Canonical already: an address is its own network.
  if (length === undefined) return `${ip}/${bitsOf(family)}` as Prefix;
  const parsed = parsePrefix(`${ip}/${length}`);
  return parsed.ok ? parsed.value.prefix : `${ip}/${bitsOf(family)}` as Prefix;
}

interface PrefixText {
  readonly object: string;
  readonly text: string;
}

function prefixContributions(
  { source, reports }: Yielding, texts: readonly PrefixText[],
): Contribution[] {
  return texts.flatMap(({ object, text }) => {
    const parsed = parsePrefix(text);
    if (!parsed.ok) {
      reports.push(`InvalidPrefix ${object}: '${text}'`);
      return [];
    }
    const { prefix, family, hostBits } = parsed.value;
    if (hostBits) reports.push(`InvalidPrefix ${object}: '${text}' is announced as ${prefix}`);
    return [{
      prefix, family, object, source, origin: 'igp' as const,
      attributes: source.entry.attributes, adds: source.entry.only !== undefined,
      refused: undefined,
    }];
  });
}

function podCidrs({ ciliumNode, node, nodeName }: RouteSources): PrefixText[] {
  const named = ciliumNode?.podCidrs ?? [];
  const texts = named.length > 0 ? named : node?.podCidrs ?? [];
  return texts.map((text) => ({ object: `node ${nodeName}`, text }));
}

function poolCidrs({ from, scope, source }: Yielding, selects: Matcher): PrefixText[] {
  const scoped = source.entry.only?.of === 'podPool' ? scope : selectsAll;
  return from.podPools.flatMap(({ meta }) => {
    const labels = {
      ...meta.labels,
      'io.cilium.podippool.name': meta.name, 'io.cilium.podippool.namespace': meta.namespace,
    };
    if (!selects(labels) || !scoped(labels)) return [];
    const allocated = (from.ciliumNode?.poolCidrs ?? []).filter(({ pool }) => pool === meta.name);
    return allocated.flatMap(({ cidrs }) =>
      cidrs.map((text) => ({ object: `pool ${meta.name}`, text })));
  });
}

function interfaceTexts({ links }: RouteSources, name: string): PrefixText[] {
  const link = links.find((one) => one.name === name);
  if (link === undefined || !link.adminUp || !link.carrier) return [];
  return link.addresses.filter(isReachable).map((ip) => (
    { object: `interface ${name}`, text: `${ip}/${bitsOf(familyOf(ip))}` }
  ));
}

/** Neither loopback nor multicast nor IPv6 link-local: somebody else can send to it. */
export function isReachable(ip: Ip): boolean {
  if (familyOf(ip) === 'IPv4') return !/^(?:127|22[4-9]|23[0-9]|0)\./u.test(ip);
  return ip !== '::1' && ip !== '::' && !/^(?:ff|fe[89ab])/u.test(ip);
}
