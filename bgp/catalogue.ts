import {
  refersToPeerConfig, type BgpAdvertisement, type BgpNodeConfig, type BgpPeerConfig,
  type BgpPeeringPolicy, type BgpPeerSettings, type CiliumNode, type CiliumPodIpPool,
} from '../lb/bgpmodel.ts';
import type { Ip } from '../lb/ip.ts';
import { judgePool } from '../lb/ipam/pool.ts';
import type { EndpointSlice, Node, Pool, Service, ServiceKey } from '../lb/model.ts';
import type { LinkFacts, RouteFacts } from '../lb/ports.ts';
import { SliceIndex } from '../lb/sliceindex.ts';
import type { Cursor, Table } from '../lb/table.ts';
import type { LabelledPool } from './contributions.ts';
import type { DesiredInputs } from './desired.ts';
import { convertPolicy, type ConvertedPolicy } from './legacy.ts';
import type { PeerPassword } from './port.ts';
import {
  nodeGates, serviceRoutes, type NodeGates, type ServiceRoutes,
} from './serviceroutes.ts';
import type { BgpSettings } from './settings.ts';

/** What the BGP part of an agent reads of the API. */
export interface BgpTables {
  readonly services: Table<Service>;
  readonly slices: Table<EndpointSlice>;
  readonly nodes: Table<Node>;
  readonly nodeConfigs: Table<BgpNodeConfig>;
  readonly peerConfigs: Table<BgpPeerConfig>;
  readonly advertisements: Table<BgpAdvertisement>;
  readonly peeringPolicies: Table<BgpPeeringPolicy>;
  readonly pools: Table<Pool>;
  readonly ciliumNodes: Table<CiliumNode>;
  readonly podPools: Table<CiliumPodIpPool>;
}

/** What of the machine decides. */
export interface NodeSurroundings {
  links(): readonly LinkFacts[];
  routes(): readonly RouteFacts[];
  programmed(ip: Ip): boolean;
  password(secret: string): PeerPassword | undefined;
}

/** What changed since the last look. */
export interface CatalogueChange {
  readonly any: boolean;
  /** True: nothing that was announced can have lost its reason, so nothing is urgent. */
  readonly additive: boolean;
}

/**
 * The inputs of one node, kept so that a look costs what changed: each Service is judged once until
 * it, its slices or the node's gates change.
 */
export class Catalogue {
  #tables: BgpTables;
  #nodeName: string;
  #settings: BgpSettings;
  #cursors: {
    readonly services: Cursor<Service>; readonly slices: Cursor<EndpointSlice>;
    /** Of kinds that have an object for each node, of which one matters here. */
    readonly own: readonly Cursor<unknown>[];
    readonly others: readonly Cursor<unknown>[];
  };
  #slices = new SliceIndex();
  #services = new Map<ServiceKey, ServiceRoutes>();
  #gates: NodeGates | undefined;
  #pools: { readonly rows: readonly Pool[]; readonly judged: readonly LabelledPool[] } = {
    rows: [], judged: [],
  };
  #converted: { readonly policy: BgpPeeringPolicy; readonly value: ConvertedPolicy } | undefined;

  constructor(tables: BgpTables, nodeName: string, settings: BgpSettings) {
    this.#tables = tables;
    this.#nodeName = nodeName;
    this.#settings = settings;
    const { services, slices, nodes, nodeConfigs, ciliumNodes, ...others } = tables;
    this.#cursors = {
      services: services.cursor(), slices: slices.cursor(),
      own: [nodes.cursor(), nodeConfigs.cursor(), ciliumNodes.cursor()],
      others: Object.values(others).map((table: Table<unknown>) => table.cursor()),
    };
  }

  get complete(): boolean {
    return Object.values(this.#tables).every(({ complete }) => complete);
  }

  /** The configuration of this node. */
  get nodeConfig(): BgpNodeConfig | undefined {
    return this.#tables.nodeConfigs.get(this.#nodeName);
  }

  get node(): Node | undefined {
    return this.#tables.nodes.get(this.#nodeName);
  }

  /** Takes in what the watches brought. */
  take(): CatalogueChange {
    const own = this.#cursors.own.map((cursor) =>
      cursor.take().some(({ key }) => key === this.#nodeName));
    const changed = this.#cursors.others.map((cursor) => cursor.take().length > 0);
    const others = [...own, ...changed].includes(true);
    const dirty = new Set<ServiceKey>();
    const note = (key: ServiceKey): void => { dirty.add(key); };
    for (const change of this.#cursors.slices.take()) this.#slices.take(change, note);
    for (const { key } of this.#cursors.services.take()) note(key as ServiceKey);
    const gates = nodeGates(this.#nodeName, this.node, this.#settings);
    const moved = JSON.stringify(gates) !== JSON.stringify(this.#gates);
    this.#gates = gates;
    if (moved) for (const service of this.#tables.services.values()) note(service.key);
    let additive = !others;
    for (const key of dirty) {
      if (!this.#judge(key, gates)) additive = false;
    }
    return { any: others || dirty.size > 0, additive };
  }

  /** Judges a Service anew; false if something that was announced may have to go. */
  #judge(key: ServiceKey, gates: NodeGates): boolean {
    const before = this.#services.get(key);
    const service = this.#tables.services.get(key);
    if (service === undefined) {
      this.#services.delete(key);
      return before === undefined;
    }
    const place = { gates, settings: this.#settings };
    const after = serviceRoutes(service, this.#slices.of(key), place);
    this.#services.set(key, after);
    return before === undefined || keeps(before, after);
  }

  /** All inputs as they are now. */
  inputs(around: NodeSurroundings): DesiredInputs {
    const { nodeConfig, node } = this;
    const { advertisements, ciliumNodes, podPools } = this.#tables;
    const legacy = this.#legacy(nodeConfig);
    const links = around.links();
    return {
      instances: nodeConfig?.instances ?? [],
      advertisements: legacy?.advertisements ?? advertisements.values(),
      peers: {
        node, links, routes: around.routes(), settings: this.#settings,
        peerSettings: (name) => this.#peerSettings(name, legacy),
        password: (secret) => around.password(secret),
      },
      routes: {
        nodeName: this.#nodeName, node, links, services: [...this.#services.values()],
        ciliumNode: ciliumNodes.get(this.#nodeName), podPools: [...podPools.values()],
        loadBalancerPools: legacy === undefined ? [] : this.#judgedPools(),
        programmed: (ip) => around.programmed(ip),
        legacyOrigin: this.#settings.legacyOriginAttribute,
      },
    };
  }

  /** Names of the Secrets that the peers of this node need, sorted. */
  secrets(): readonly string[] {
    const legacy = this.#legacy(this.nodeConfig);
    const names = new Set((this.nodeConfig?.instances ?? []).flatMap(({ peers }) =>
      peers.flatMap(({ config }) => {
        const settings = config === undefined || !refersToPeerConfig(config)
          ? undefined : this.#peerSettings(config.name, legacy);
        return settings?.authSecret ?? [];
      })));
    return [...names].sort((left, right) => (left < right ? -1 : 1));
  }

  #peerSettings(name: string, legacy: ConvertedPolicy | undefined): BgpPeerSettings | undefined {
    return legacy === undefined
      ? this.#tables.peerConfigs.get(name) : legacy.peerSettings.get(name);
  }

  /** The policy that owns the configuration, where one does. */
  #legacy(config: BgpNodeConfig | undefined): ConvertedPolicy | undefined {
    if (config?.owner?.kind !== 'CiliumBGPPeeringPolicy') return undefined;
    const policy = this.#tables.peeringPolicies.get(config.owner.name);
    if (policy === undefined) return undefined;
    if (this.#converted?.policy !== policy) {
      this.#converted = { policy, value: convertPolicy(policy) };
    }
    return this.#converted.value;
  }

  #judgedPools(): readonly LabelledPool[] {
    const rows = [...this.#tables.pools.values()];
    const { rows: before } = this.#pools;
    if (rows.length !== before.length || rows.some((row, index) => row !== before[index])) {
      const judged = rows.flatMap((pool) => {
        const judgement = judgePool(pool);
        if (judgement.kind === 'invalid') return [];
        return [{ labels: pool.meta.labels, config: judgement.config }];
      });
      this.#pools = { rows, judged };
    }
    return this.#pools.judged;
  }
}

/** Whether everything that was announced may still be, under the same labels. */
function keeps(before: ServiceRoutes, after: ServiceRoutes): boolean {
  if (JSON.stringify(before.labels) !== JSON.stringify(after.labels)) return false;
  return before.addresses.every(({ kind, ip, exact, withheld }) => (
    withheld !== undefined || after.addresses.some((one) => one.kind === kind && one.ip === ip
      && one.exact === exact && one.withheld === undefined)
  ));
}
