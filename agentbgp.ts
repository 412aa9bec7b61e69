import type { AgentCaches } from './agent.ts';
import {
  createAdvertiser, type Advertiser, type AdvertiserPorts,
} from './bgp/advertiser.ts';
import type { BgpTables } from './bgp/catalogue.ts';
import type { Speakers, StopMode } from './bgp/port.ts';
import type { BgpSettings } from './bgp/settings.ts';
import { leaving } from './bgp/termination.ts';
import type { Reflector, ReflectorPorts } from './kube/reflector.ts';
import { ciliumResources, resources } from './kube/resource.ts';
import { feedRows } from './kube/rows.ts';
import type { EndpointSlice, Node, Service } from './lb/model.ts';
import type { Micros } from './lb/ports.ts';
import { Table } from './lb/table.ts';

export interface AgentBgpPorts extends Omit<AdvertiserPorts, 'speakers'>, ReflectorPorts {
  readonly speakers: Speakers;
  /** Of the agent's own DaemonSet. */
  readonly namespace: string;
  readonly caches: Pick<AgentCaches, 'decoder' | 'keyOf'>;
}

/** Tables that the agent feeds for others too. */
export interface SharedTables {
  readonly services: Table<Service>;
  readonly slices: Table<EndpointSlice>;
  readonly nodes: Table<Node>;
}

/** What cannot be asked in this time is taken for a restart, which touches no session. */
const daemonSetTimeout: Micros = 1_000_000;

/** Settle 2 s, deferral of a restart, drain, and five seconds for the daemon to end (bgp.md 7). */
export function bgpWithdrawalMax(settings: BgpSettings): Micros {
  return (2 + settings.deferralSeconds + settings.drainSeconds + 5 + 1) * 1_000_000;
}

/** The BGP part of an agent: watches of its own, and the advertiser while the node announces. */
export class AgentBgp {
  readonly tables: BgpTables;
  #ports: AgentBgpPorts;
  #settings: BgpSettings & { readonly nodeName: string };
  #feeds: readonly Reflector[];
  #advertiser: Advertiser | undefined;
  #stopping: (() => void)[] | undefined;
  /** A DaemonSet runs this agent, so its end may be the end of all of them. */
  #managed = false;

  constructor(
    ports: AgentBgpPorts, shared: SharedTables,
    settings: BgpSettings & { readonly nodeName: string },
  ) {
    this.#ports = ports;
    this.#settings = settings;
    this.tables = {
      services: shared.services, slices: shared.slices, nodes: shared.nodes,
      nodeConfigs: new Table('ciliumbgpnodeconfigs'),
      peerConfigs: new Table('ciliumbgppeerconfigs'),
      advertisements: new Table('ciliumbgpadvertisements'),
      peeringPolicies: new Table('ciliumbgppeeringpolicies'),
      pools: new Table('ciliumloadbalancerippools'),
      ciliumNodes: new Table('ciliumnodes'),
      podPools: new Table('ciliumpodippools'),
    };
    this.#feeds = createFeeds(ports, this.tables, settings.nodeName);
  }

  /** Undefined while the node announces nothing. */
  get advertiser(): Advertiser | undefined {
    return this.#advertiser;
  }

  open(): void {
    this.#askDaemonSet((found) => { this.#managed = found === 'present'; });
    for (const feed of this.#feeds) feed.start();
  }

  close(): void {
    for (const feed of this.#feeds) feed.stop();
  }

  relist(): void {
    for (const feed of this.#feeds) feed.relist();
  }

  pending(): readonly string[] {
    return [...this.#feeds, ...(this.#advertiser === undefined ? [] : [this.#advertiser])]
      .flatMap((part) => part.pending());
  }

  /** Announces; repeating it is harmless. */
  announce(): void {
    if (this.#advertiser !== undefined) return;
    this.#advertiser = createAdvertiser(this.#ports, this.tables, this.#settings);
    this.#advertiser.start();
  }

  /** Inputs may have changed. */
  look(): void {
    this.#advertiser?.look();
  }

  /** Withdraws every route and closes every session. */
  drain(): void {
    this.#leave('withdraw');
  }

  /** Ends with the process, by what its node looks like (bgp.md 7). */
  terminate(): void {
    const { onTerminate, nodeName } = this.#settings;
    if (this.#advertiser === undefined || this.#stopping !== undefined) return;
    if (onTerminate !== 'auto') return this.#leave(onTerminate);
    if (leaving(this.tables.nodes.get(nodeName))) return this.#leave('withdraw');
    if (!this.#managed) return this.#leave('keep');
    this.#stopping = [];
    this.#askDaemonSet((found) => this.#end(found === 'leaving' ? 'withdraw' : 'keep'));
  }

  #askDaemonSet(answer: (found: 'present' | 'leaving' | 'unknown') => void): void {
    const { kube, namespace } = this.#ports;
    const ref = { resource: resources.daemonSets, namespace, name: 'fairlead-agent' };
    kube.request({ verb: 'get', ref, timeout: daemonSetTimeout }, (result) => {
      if (!result.ok) return answer(result.error.kind === 'gone' ? 'leaving' : 'unknown');
      const { object } = result.value as Extract<typeof result.value, { kind: 'object' }>;
      answer(object.metadata?.['deletionTimestamp'] === undefined ? 'present' : 'leaving');
    });
  }

  /** Calls back once no hand-over is under way. */
  settled(done: () => void): void {
    if (this.#stopping === undefined) done();
    else this.#stopping.push(done);
  }

  #leave(mode: StopMode): void {
    if (this.#advertiser === undefined || this.#stopping !== undefined) return;
    this.#stopping = [];
    this.#end(mode);
  }

  #end(mode: StopMode): void {
    this.#advertiser?.stop(mode, () => {
      const waiting = this.#stopping ?? [];
      this.#stopping = undefined;
      this.#advertiser = undefined;
      for (const done of waiting) done();
    });
  }
}

// Every kind is optional: clusters exist that have some of these definitions, or none.
function createFeeds(
  ports: AgentBgpPorts, tables: BgpTables, nodeName: string,
): Reflector[] {
  const { decoder, keyOf } = ports.caches;
  const usual = { optional: true, keyOf } as const;
  return [
    feedRows(ports, {
      ...usual, resource: resources.bgpNodeConfigs, table: tables.nodeConfigs,
      decode: decoder.bgpNodeConfig,
      // Statuses of other nodes are most of what this watch brings, and say nothing here.
      same: (before) => before.meta.name !== nodeName,
    }),
    feedRows(ports, {
      ...usual, resource: resources.bgpPeerConfigs, table: tables.peerConfigs,
      decode: decoder.bgpPeerConfig,
    }),
    feedRows(ports, {
      ...usual, resource: resources.bgpAdvertisements, table: tables.advertisements,
      decode: decoder.bgpAdvertisement,
    }),
    feedRows(ports, {
      ...usual, resource: resources.bgpPeeringPolicies, table: tables.peeringPolicies,
      decode: decoder.bgpPeeringPolicy,
    }),
    feedRows(ports, {
      ...usual, resource: resources.pools, table: tables.pools, decode: decoder.pool,
    }),
    feedRows(ports, {
      ...usual, resource: ciliumResources.nodes, table: tables.ciliumNodes,
      decode: decoder.ciliumNode,
    }),
    feedRows(ports, {
      ...usual, resource: ciliumResources.podIpPools, table: tables.podPools,
      decode: decoder.ciliumPodIpPool,
    }),
  ];
}
