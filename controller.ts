import { createBgpController, type BgpController } from './bgp/controller.ts';
import { BgpReach, type ReachTables } from './bgp/reach.ts';
import type { BgpControllerTables } from './bgp/nodeconfigs.ts';
import type { BgpSettings } from './bgp/settings.ts';
import { createLeaseReader } from './l2/leasereader.ts';
import { createEventRecorder, type EventRecorder } from './kube/events.ts';
import { createLeader, type LeaderTiming } from './kube/leader.ts';
import { createStatusPort } from './kube/status.ts';
import type { Decoder } from './kube/decode.ts';
import { leaseDecoder } from './kube/lease.ts';
import type { KubePort } from './kube/port.ts';
import type { Reflector } from './kube/reflector.ts';
import { resources } from './kube/resource.ts';
import { feedRows } from './kube/rows.ts';
import { createL2Controller, type L2Controller } from './l2/controller.ts';
import type { DatapathOptions } from './lb/datapathoptions.ts';
import { FrontStatus } from './lb/frontstatus.ts';
import { createIpam, type Ipam, type WriteLimits } from './lb/ipam/ipam.ts';
import type { IpamSettings } from './lb/ipam/settings.ts';
import type { EndpointSlice, L2Policy, Node, Pool, Service } from './lb/model.ts';
import type { Clock, Journal, Random } from './lb/ports.ts';
import { Table } from './lb/table.ts';

export interface ControllerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
  readonly kube: KubePort;
  /** A pure cache; see `AgentCaches`. */
  readonly decoder: Decoder;
}

export interface ControllerConfig {
  /** Unique per replica: the holder of the leadership Lease. */
  readonly identity: string;
  readonly namespace: string;
  readonly leader: LeaderTiming;
  readonly ipam: IpamSettings;
  readonly l2Enabled: boolean;
  /** Absent, or not enabled: nothing of BGP is read or written. */
  readonly bgp?: BgpSettings;
  /** Rule C7 of l2.md, which policy conditions must judge as the agents do. */
  readonly ignoreExcludeLabel: boolean;
  /** Which ExternalIPs the nodes serve, as their agents have it. */
  readonly externalIps: DatapathOptions['externalIps'];
}

export interface Controller {
  start(): void;
  /** Gives up leadership at once, so that another replica need not wait. */
  stop(): void;
  pending(): readonly string[];
  /** The allocator while this replica leads. */
  readonly ipam: Ipam | undefined;
  /** The cluster-wide part of L2 while this replica leads and L2 is on. */
  readonly l2: L2Controller | undefined;
  /** Status writes by these limits from now on, in later terms too. */
  limitWrites(limits: WriteLimits): void;
}

/** What one leadership owns: it ends with the Lease, and the next one starts from the API alone. */
interface Term {
  readonly feeds: readonly Reflector[];
  readonly ipam: Ipam;
  readonly l2: L2Controller | undefined;
  readonly bgp: BgpController | undefined;
  readonly fronts: FrontStatus;
  readonly events: EventRecorder;
}

/**
 * What the cluster runs once: address allocation, policy conditions and Lease clean-up, under
 * leader election. Losing the Lease stops all writes at once and drops every memory of the term.
 */
export function createController(ports: ControllerPorts, config: ControllerConfig): Controller {
  let term: Term | undefined;
  let { ipam } = config;
  const end = (): void => {
    term?.ipam.stop();
    term?.l2?.stop();
    term?.bgp?.stop();
    term?.fronts.stop();
    for (const feed of term?.feeds ?? []) feed.stop();
    term?.events.stop();
    term = undefined;
  };
  const leader = createLeader(
    ports,
    {
      namespace: config.namespace,
      name: 'fairlead-controller',
      identity: config.identity,
      timing: config.leader,
    },
    {
      onStart: () => {
        term = beginTerm(ports, { ...config, ipam });
      },
      onStop: end,
    },
  );
  return {
    start: () => leader.start(),
    stop() {
      end();
      leader.stop();
    },
    pending() {
      if (term === undefined) return leader.pending();
      const parts = [
        ...term.feeds,
        term.ipam,
        ...(term.l2 === undefined ? [] : [term.l2]),
        ...(term.bgp === undefined ? [] : [term.bgp]),
        term.fronts,
        term.events,
      ];
      return parts.flatMap((part) => part.pending());
    },
    get ipam() {
      return term?.ipam;
    },
    get l2() {
      return term?.l2;
    },
    limitWrites({ writeQps, writeBurst }) {
      ipam = { ...ipam, writeQps, writeBurst };
      term?.ipam.limitWrites(ipam);
    },
  };
}

interface ControllerTables {
  readonly pools: Table<Pool>;
  readonly services: Table<Service>;
  readonly nodes: Table<Node>;
  readonly slices: Table<EndpointSlice>;
  readonly policies: Table<L2Policy>;
}

function beginTerm(ports: ControllerPorts, config: ControllerConfig): Term {
  const { clock, kube, journal } = ports;
  const tables: ControllerTables = {
    pools: new Table('ciliumloadbalancerippools'),
    services: new Table('services'),
    nodes: new Table('nodes'),
    slices: new Table('endpointslices'),
    policies: new Table('ciliuml2announcementpolicies'),
  };
  const source = { component: 'fairlead-controller', instance: config.identity };
  const events = createEventRecorder(ports, source);
  const bgpTables = config.bgp?.enabled === true ? createBgpTables(tables.nodes) : undefined;
  const feeds = [
    ...createFeeds(ports, tables, events),
    ...(bgpTables === undefined ? [] : createBgpFeeds(ports, bgpTables, events)),
  ];
  const status = createStatusPort({ kube });
  const ipam = createIpam({ clock, status, events, journal }, tables, config.ipam);
  const leases = createLeaseReader(leaseDecoder(ports.decoder.lease));
  const others = config.bgp === undefined || bgpTables === undefined
    ? undefined : new BgpReach({ ...bgpTables, slices: tables.slices }, config.bgp);
  const l2 = config.l2Enabled
    ? createL2Controller({
      clock, kube, status, events, journal, leases, ...(others !== undefined && { others }),
    }, tables, config)
    : undefined;
  const bgp = config.bgp === undefined || bgpTables === undefined ? undefined
    : createBgpController({ clock, kube, status, events, journal }, bgpTables, config.bgp);
  const fronts = new FrontStatus({ clock, status }, tables, config.externalIps);
  ipam.start();
  l2?.start();
  bgp?.start();
  fronts.start();
  for (const feed of feeds) feed.start();
  return { feeds, ipam, l2, bgp, fronts, events };
}

type BgpTables = BgpControllerTables & Pick<ReachTables, 'advertisements'>;

function createBgpTables(nodes: Table<Node>): BgpTables {
  return {
    nodes,
    clusterConfigs: new Table('ciliumbgpclusterconfigs'),
    peerConfigs: new Table('ciliumbgppeerconfigs'),
    advertisements: new Table('ciliumbgpadvertisements'),
    overrides: new Table('ciliumbgpnodeconfigoverrides'),
    nodeConfigs: new Table('ciliumbgpnodeconfigs'),
    peeringPolicies: new Table('ciliumbgppeeringpolicies'),
  };
}

function createBgpFeeds(
  ports: ControllerPorts, tables: BgpTables, events: EventRecorder,
): Reflector[] {
  const { decoder } = ports;
  const usual = { whole: true, optional: true, events } as const;
  return [
    feedRows(ports, {
      ...usual, resource: resources.bgpClusterConfigs, table: tables.clusterConfigs,
      decode: decoder.bgpClusterConfig,
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
      ...usual, resource: resources.bgpNodeConfigOverrides, table: tables.overrides,
      decode: decoder.bgpNodeConfigOverride,
    }),
    feedRows(ports, {
      ...usual, resource: resources.bgpNodeConfigs, table: tables.nodeConfigs,
      decode: decoder.bgpNodeConfig,
    }),
    feedRows(ports, {
      ...usual, resource: resources.bgpPeeringPolicies, table: tables.peeringPolicies,
      decode: decoder.bgpPeeringPolicy,
    }),
  ];
}

// Pools and policies work as a unit: while a field of one is bad, its last good version does.
function createFeeds(
  ports: ControllerPorts,
  tables: ControllerTables,
  events: EventRecorder,
): Reflector[] {
  const { pool, service, node, slice, l2Policy } = ports.decoder;
  const { pools, services, nodes, endpointSlices, l2Policies } = resources;
  const { policies } = tables;
  return [
    feedRows(ports, { resource: pools, table: tables.pools, decode: pool, whole: true, events }),
    feedRows(ports, { resource: services, table: tables.services, decode: service, events }),
    feedRows(ports, { resource: nodes, table: tables.nodes, decode: node, events }),
    feedRows(ports, { resource: endpointSlices, table: tables.slices, decode: slice, events }),
    feedRows(ports, {
      resource: l2Policies,
      table: policies,
      decode: l2Policy,
      whole: true,
      events,
    }),
  ];
}
