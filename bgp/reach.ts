import {
  refersToPeerConfig, type BgpAdvertisement, type BgpEntry, type BgpNodeConfig, type BgpPeerConfig,
  type BgpPeeringPolicy, type BgpPeerSettings,
} from '../lb/bgpmodel.ts';
import { familyOf, type Family, type Ip } from '../lb/ip.ts';
import type { EndpointSlice, Node, Service, ServiceKey } from '../lb/model.ts';
import { compileSelector, type Matcher } from '../lb/selector.ts';
import { SliceIndex } from '../lb/sliceindex.ts';
import type { Cursor, Table } from '../lb/table.ts';
import { convertPolicy } from './legacy.ts';
import { nodeGates, serviceRoutes, type NodeGates } from './serviceroutes.ts';
import type { BgpSettings } from './settings.ts';

export interface ReachTables {
  readonly nodes: Table<Node>;
  readonly slices: Table<EndpointSlice>;
  readonly nodeConfigs: Table<BgpNodeConfig>;
  readonly peerConfigs: Table<BgpPeerConfig>;
  readonly advertisements: Table<BgpAdvertisement>;
  readonly peeringPolicies: Table<BgpPeeringPolicy>;
}

type ServiceEntry = Extract<BgpEntry, { type: 'Service' }>;

interface Offer {
  readonly family: Family;
  readonly entry: ServiceEntry;
  readonly selects: Matcher;
  /** Of the entry, so that equal reach is found out. */
  readonly name: string;
}

interface NodeReach {
  readonly gates: NodeGates;
  readonly offers: readonly Offer[];
}

type Names = readonly string[];

/** By address, for one state of slices and nodes. */
interface Answers {
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly NodeReach[];
  readonly found: Map<Ip, Names>;
}

const none: readonly string[] = [];

/**
 * Which nodes announce a Service's address to a router that listens, as statuses and objects tell
 * it: what the condition `fairlead.dev/Announced` says of BGP (interface.md 6).
 */
export class BgpReach {
  #tables: ReachTables;
  #settings: BgpSettings;
  #cursors: readonly Cursor<unknown>[];
  #sliceChanges: Cursor<EndpointSlice>;
  #slices = new SliceIndex();
  #nodes: readonly NodeReach[] = [];
  #signature = '';
  /** A scrape asks about every Service. */
  #answers = new WeakMap<Service, Answers>();

  constructor(tables: ReachTables, settings: BgpSettings) {
    this.#tables = tables;
    this.#settings = settings;
    const { slices, ...others } = tables;
    this.#sliceChanges = slices.cursor();
    this.#cursors = Object.values(others).map((table: Table<unknown>) => table.cursor());
  }

  /** What may be announced otherwise since the last call: everything, or these Services. */
  changes(): { readonly all: boolean; readonly services: ReadonlySet<ServiceKey> } {
    const services = new Set<ServiceKey>();
    for (const change of this.#sliceChanges.take()) {
      this.#slices.take(change, (service) => { services.add(service); });
    }
    const moved = this.#cursors.map((cursor) => cursor.take().length > 0).includes(true);
    if (!moved) return { all: false, services };
    const nodes = this.#tables.nodeConfigs.values().flatMap((config) => this.#reachOf(config));
    const signature = JSON.stringify(nodes.map(({ gates, offers }) =>
      [gates, offers.map(({ family, name }) => `${family} ${name}`)]));
    if (signature === this.#signature) return { all: false, services };
    this.#signature = signature;
    this.#nodes = nodes;
    return { all: true, services };
  }

  /** By name. Without an established session a node announces to nobody. */
  nodesOf(service: Service, ip: Ip): readonly string[] {
    if (this.#nodes.length === 0) return none;
    const slices = this.#slices.of(service.key);
    const known = this.#answers.get(service);
    const fresh = known?.slices === slices && known.nodes === this.#nodes;
    const answers = fresh ? known : { slices, nodes: this.#nodes, found: new Map<Ip, Names>() };
    if (!fresh) this.#answers.set(service, answers);
    const found = answers.found.get(ip) ?? this.#judge(service, ip);
    answers.found.set(ip, found);
    return found;
  }

  #judge(service: Service, ip: Ip): readonly string[] {
    const slices = this.#slices.of(service.key);
    return this.#nodes.flatMap(({ gates, offers }) => {
      if (offers.length === 0) return [];
      const { labels, addresses } = serviceRoutes(
        service, slices, { gates, settings: this.#settings },
      );
      const family = familyOf(ip);
      const announced = addresses.some((one) => one.ip === ip && one.withheld === undefined
        && offers.some((offer) => offer.family === family
          && offer.entry.addresses.includes(one.kind) && offer.selects(labels)));
      return announced ? [gates.nodeName] : [];
    });
  }

  #reachOf(config: BgpNodeConfig): NodeReach[] {
    const { name } = config.meta;
    const node = this.#tables.nodes.get(name);
    const up = establishedPeers(config.statusInstances);
    if (node === undefined || up.size === 0) return [];
    const policy = config.owner?.kind === 'CiliumBGPPeeringPolicy'
      ? this.#tables.peeringPolicies.get(config.owner.name) : undefined;
    const legacy = policy === undefined ? undefined : convertPolicy(policy);
    const advertisements = legacy?.advertisements ?? this.#tables.advertisements.values();
    const offers = config.instances.flatMap(({ name: instance, peers }) => peers.flatMap((peer) => {
      const reference = peer.config;
      if (!up.has(`${instance}/${peer.name}`) || reference === undefined) return [];
      if (!refersToPeerConfig(reference)) return [];
      const settings = legacy?.peerSettings.get(reference.name)
        ?? this.#tables.peerConfigs.get(reference.name);
      return settings === undefined ? [] : offersOf(settings, advertisements);
    }));
    return [{ gates: nodeGates(name, node, this.#settings), offers }];
  }
}

function offersOf(
  settings: BgpPeerSettings, advertisements: Iterable<BgpAdvertisement>,
): Offer[] {
  return settings.families.flatMap(({ family, advertisements: selector }) => {
    const named = selector === undefined ? undefined : compileSelector(selector);
    if (family === undefined || named === undefined || !named.ok) return [];
    return [...advertisements].filter(({ meta }) => named.value(meta.labels))
      .flatMap(({ meta, entries }) => entries.flatMap((entry, index): Offer[] => {
        if (entry.type !== 'Service' || entry.only !== undefined) return [];
        const selects = entry.selector === undefined ? undefined : compileSelector(entry.selector);
        if (selects === undefined || !selects.ok) return [];
        const name = `${meta.uid} ${meta.resourceVersion} ${index}`;
        return [{ family, entry, selects: selects.value, name }];
      }));
  });
}

/** `instance/peer` of the established sessions of a status, whatever else stands in it. */
function establishedPeers(instances: unknown): ReadonlySet<string> {
  const up = new Set<string>();
  for (const instance of listOf(instances)) {
    for (const peer of listOf(instance['peers'])) {
      if (peer['peeringState'] !== 'established') continue;
      up.add(`${String(instance['name'])}/${String(peer['name'])}`);
    }
  }
  return up;
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is Readonly<Record<string, unknown>> => (
    typeof item === 'object' && item !== null
  ));
}
