import { createHookedDatapath, type DatapathHooks } from './bpf/datapath/hooks.ts';
import type { ServiceDatapath } from './bpf/datapath/settings.ts';
import type { MapLimits } from './bpf/datapath/stores.ts';
import type { DatapathDevices } from './bpf/datapath/devices.ts';
import { DatapathMemo } from './bpf/datapath/memo.ts';
import { createEventRecorder, type EventRecorder } from './kube/events.ts';
import { createDecoder, type Decoder } from './kube/decode.ts';
import { leaseDecoder } from './kube/lease.ts';
import type { Same } from './kube/feed.ts';
import type { KubePort } from './kube/port.ts';
import type { Reflector } from './kube/reflector.ts';
import { resources } from './kube/resource.ts';
import { feedRows } from './kube/rows.ts';
import { createServiceComparison } from './kube/serviceversion.ts';
import { createAnnouncer, type Announcer } from './l2/announcer.ts';
import { createLeaseReader, type LeaseReader } from './l2/leasereader.ts';
import { createRank, type Rank } from './l2/rank.ts';
import type { L2Settings } from './l2/settings.ts';
import type { DatapathOptions } from './lb/datapathoptions.ts';
import type { EndpointSlice, L2Policy, Node, Service } from './lb/model.ts';
import type { Clock, Journal, KernelPort, LinkPort, Random } from './lb/ports.ts';
import type { MemoNodes } from './lb/serviceport.ts';
import { Table } from './lb/table.ts';

/**
 * Everything outside the agent that it may touch: the same list for real and simulated adapters.
 */
export interface AgentPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
  readonly kube: KubePort;
  readonly kernel: KernelPort;
  readonly link: LinkPort;
  readonly devices: DatapathDevices;
  readonly hooks: DatapathHooks;
  /**
   * Pure caches. Sharing them between the processes of one world changes speed and nothing else.
   */
  readonly caches: AgentCaches;
}

export interface AgentCaches {
  readonly decoder: Decoder;
  /** Whether two versions of one Service are the same to a node. */
  readonly sameService: Same<Service>;
  readonly leases: LeaseReader;
  readonly rank: Rank;
  readonly servicePorts: DatapathMemo;
}

/** Empty caches, of one process (`one` node) or of all processes of one world. */
export function createAgentCaches(nodes: MemoNodes = 'several'): AgentCaches {
  const decoder = createDecoder();
  return {
    decoder,
    sameService: createServiceComparison(),
    leases: createLeaseReader(leaseDecoder(decoder.lease)),
    rank: createRank(),
    servicePorts: new DatapathMemo(nodes),
  };
}

export interface AgentConfig {
  readonly nodeName: string;
  /** Namespace of the Leases and of the agent's own pod. */
  readonly namespace: string;
  readonly l2: L2Settings & { readonly enabled: boolean };
  readonly datapath: DatapathOptions;
  /** Entries of the maps where they are not those of the layout. */
  readonly mapLimits?: MapLimits;
}

export interface Agent {
  /** Begins to list and watch; the datapath and the announcer follow as listings complete. */
  start(): void;
  /** Hands over every address, keeps the kernel's tables, and calls back once nothing is held. */
  stop(done: () => void): void;
  /** What is still to be done, one sentence each; empty when idle. */
  pending(): readonly string[];
  readonly tables: AgentTables;
  readonly datapath: ServiceDatapath;
  /** Undefined where `l2.enabled` is false. */
  readonly announcer: Announcer | undefined;
}

/** What the watches of an agent have brought. */
export interface AgentTables {
  readonly services: Table<Service>;
  readonly slices: Table<EndpointSlice>;
  readonly nodes: Table<Node>;
  readonly policies: Table<L2Policy>;
}

/**
 * What one node runs: watches feed tables, the datapath reconciler programs the kernel from them,
 * and the announcer claims addresses. Nothing is written before the listings are complete.
 */
export function createAgent(ports: AgentPorts, config: AgentConfig): Agent {
  const tables: AgentTables = {
    services: new Table('services'),
    slices: new Table('endpointslices'),
    nodes: new Table('nodes'),
    policies: new Table('ciliuml2announcementpolicies'),
  };
  const events = createEventRecorder(ports, {
    component: 'fairlead-agent',
    instance: config.nodeName,
  });
  const feeds = createFeeds(ports, tables);
  const { clock, kernel, journal, devices, hooks } = ports;
  const datapath = createHookedDatapath(
    { clock, kernel, journal, devices, hooks, events },
    tables,
    {
      nodeName: config.nodeName, options: config.datapath, memo: ports.caches.servicePorts,
      ...(config.mapLimits === undefined ? {} : { limits: config.mapLimits }),
    },
  );
  const announcer = config.l2.enabled
    ? announce({ ports, config, tables, events, datapath })
    : undefined;
  return {
    tables,
    datapath,
    announcer,
    start() {
      for (const feed of feeds) feed.start();
      datapath.start();
      announcer?.start();
    },
    stop(done) {
      const close = (): void => {
        datapath.stop();
        for (const feed of feeds) feed.stop();
        events.stop();
        done();
      };
      if (announcer === undefined) close();
      else announcer.stop(close);
    },
    pending() {
      const parts = [...feeds, datapath, ...(announcer === undefined ? [] : [announcer]), events];
      return parts.flatMap((part) => part.pending());
    },
  };
}

function createFeeds(ports: AgentPorts, tables: AgentTables): Reflector[] {
  const { decoder, sameService } = ports.caches;
  return [
    feedRows(ports, {
      resource: resources.services,
      table: tables.services,
      decode: decoder.service,
      same: sameService,
    }),
    feedRows(ports, {
      resource: resources.endpointSlices,
      table: tables.slices,
      decode: decoder.slice,
    }),
    feedRows(ports, { resource: resources.nodes, table: tables.nodes, decode: decoder.node }),
    feedRows(ports, {
      resource: resources.l2Policies,
      table: tables.policies,
      decode: decoder.l2Policy,
    }),
  ];
}

interface AnnounceParts {
  readonly ports: AgentPorts;
  readonly config: AgentConfig;
  readonly tables: AgentTables;
  readonly events: EventRecorder;
  readonly datapath: ServiceDatapath;
}

function announce({ ports, config, tables, events, datapath }: AnnounceParts): Announcer {
  const { clock, random, kube, kernel, link, journal, caches } = ports;
  return createAnnouncer(
    {
      clock,
      random,
      kube,
      kernel,
      link,
      journal,
      events,
      leases: caches.leases,
      rank: caches.rank,
      datapath,
    },
    tables,
    { ...config.l2, nodeName: config.nodeName, namespace: config.namespace },
  );
}
