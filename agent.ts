import { AgentBgp, bgpWithdrawalMax } from './agentbgp.ts';
import type { Advertiser } from './bgp/advertiser.ts';
import type { Speakers } from './bgp/port.ts';
import type { BgpSettings } from './bgp/settings.ts';
import { createHookedDatapath, type DatapathHooks } from './bpf/datapath/hooks.ts';
import type { ServiceDatapath, ServiceDatapathTables } from './bpf/datapath/settings.ts';
import type { MapLimits } from './bpf/datapath/stores.ts';
import type { DatapathDevices } from './bpf/datapath/devices.ts';
import { DatapathMemo } from './bpf/datapath/memo.ts';
import { createEventRecorder, type EventRecorder } from './kube/events.ts';
import { createDecoder, type Decoder } from './kube/decode.ts';
import { leaseDecoder } from './kube/lease.ts';
import type { Same } from './kube/feed.ts';
import { createKeyOf, type KeyOf } from './kube/objectkey.ts';
import type { KubePort } from './kube/port.ts';
import type { Reflector } from './kube/reflector.ts';
import { resources } from './kube/resource.ts';
import { feedRows } from './kube/rows.ts';
import { createServiceComparison } from './kube/serviceversion.ts';
import { createAnnouncer, type Announcer } from './l2/announcer.ts';
import { createLeaseReader, type LeaseReader } from './l2/leasereader.ts';
import { createRank, type Rank } from './l2/rank.ts';
import { Selections } from './l2/selections.ts';
import type { L2Settings } from './l2/settings.ts';
import type { DatapathOptions } from './lb/datapathoptions.ts';
import { createHealthPorts, type HealthListenerPort, type HealthPorts } from './lb/healthports.ts';
import { Life, type LifeState } from './lb/lifecycle.ts';
import type { EndpointSlice, L2Policy, Node, Service, ServiceCidr } from './lb/model.ts';
import type { BlackholePort, Clock, Journal, KernelPort, LinkPort, Random } from './lb/ports.ts';
import type { MemoNodes } from './lb/serviceport.ts';
import { shareHostLock } from './lb/sharedlock.ts';
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
  /** Absent: nobody can connect to health check node ports. */
  readonly healthListeners?: HealthListenerPort;
  /** Absent: this node speaks no BGP. */
  readonly speakers?: Speakers;
  /** Absent: nothing ends packets to unassigned addresses of an announced aggregate. */
  readonly blackholes?: BlackholePort;
  /**
   * Pure caches. Sharing them between the processes of one world changes speed and nothing else.
   */
  readonly caches: AgentCaches;
}

export interface AgentCaches {
  readonly decoder: Decoder;
  readonly keyOf: KeyOf;
  /** Whether two versions of one Service are the same to a node. */
  readonly sameService: Same<Service>;
  readonly leases: LeaseReader;
  readonly rank: Rank;
  readonly selections: Selections;
  readonly servicePorts: DatapathMemo;
}

/** Empty caches, of one process (`one` node) or of all processes of one world. */
export function createAgentCaches(nodes: MemoNodes = 'several'): AgentCaches {
  const decoder = createDecoder();
  return {
    decoder,
    keyOf: createKeyOf(),
    sameService: createServiceComparison(),
    leases: createLeaseReader(leaseDecoder(decoder.lease)),
    rank: createRank(),
    selections: new Selections(),
    servicePorts: new DatapathMemo(nodes),
  };
}

/** Settings of announcing; `enabled` false: this node announces nothing. */
export type AgentL2Settings = L2Settings & { readonly enabled: boolean };

export interface AgentConfig {
  readonly nodeName: string;
  /** Namespace of the Leases and of the agent's own pod. */
  readonly namespace: string;
  readonly l2: AgentL2Settings;
  /** Absent, or not enabled: this node speaks no BGP. */
  readonly bgp?: BgpSettings;
  readonly datapath: DatapathOptions;
  /** False: something else serves Services on this node, and this agent only announces. */
  readonly datapathEnabled?: boolean;
  /** Entries of the maps where they are not those of the layout. */
  readonly mapLimits?: MapLimits;
}

export interface Agent {
  /** Begins to list and watch; the datapath and the announcer follow as listings complete. */
  start(): void;
  /** Hands over every address, keeps the kernel's tables, and calls back once nothing is held. */
  stop(done: () => void): void;
  /** Hands over every address and announces none; the node goes on serving. */
  drain(): void;
  undrain(): void;
  /** Announces by other settings from now on, under a new session. */
  announceBy(settings: AgentL2Settings): void;
  /** Lists everything again, whatever the watches say. */
  relist(): void;
  /** What is still to be done, one sentence each; empty when idle. */
  pending(): readonly string[];
  readonly state: LifeState;
  readonly tables: AgentTables;
  readonly datapath: ServiceDatapath;
  /** Undefined where `l2.enabled` is false, and while drained. */
  readonly announcer: Announcer | undefined;
  /** Undefined where this node speaks no BGP, and while drained. */
  readonly advertiser: Advertiser | undefined;
  /** Kubernetes Events of this process. */
  readonly events: EventRecorder;
}

/** What the watches of an agent have brought. */
export interface AgentTables {
  readonly services: Table<Service>;
  readonly slices: Table<EndpointSlice>;
  readonly nodes: Table<Node>;
  readonly policies: Table<L2Policy>;
  readonly serviceCidrs: Table<ServiceCidr>;
}

/**
 * What one node runs: watches feed tables, the datapath reconciler programs the kernel from them,
 * and the announcer claims addresses. Nothing is written before the listings are complete.
 */
export function createAgent(ports: AgentPorts, config: AgentConfig): Agent {
  return new NodeAgent(ports, config);
}

class NodeAgent implements Agent {
  readonly tables: AgentTables = {
    services: new Table('services'),
    slices: new Table('endpointslices'),
    nodes: new Table('nodes'),
    policies: new Table('ciliuml2announcementpolicies'),
    serviceCidrs: new Table('servicecidrs'),
  };
  readonly events: EventRecorder;
  readonly datapath: ServiceDatapath;
  #ports: AgentPorts;
  #config: AgentConfig;
  #l2: AgentL2Settings;
  #feeds: readonly Reflector[];
  #healthPorts: HealthPorts | undefined;
  #announcer: Announcer | undefined;
  #bgp: AgentBgp | undefined;
  #hostLock: KernelPort['hostLock'];
  #life: Life;
  #stopped: (() => void)[] = [];

  constructor(ports: AgentPorts, config: AgentConfig) {
    const { clock, kernel } = ports;
    this.#ports = ports;
    this.#config = config;
    this.#l2 = config.l2;
    this.#hostLock = shareHostLock(kernel, clock);
    this.events = createEventRecorder(ports, {
      component: 'fairlead-agent',
      instance: config.nodeName,
    });
    this.#feeds = createFeeds(ports, this.tables);
    // Before the data path listens: a withdraw is sent before its frontend goes (bgp.md 3).
    for (const table of Object.values(this.tables)) table.onChange(() => this.#bgp?.look());
    this.datapath = this.#createDatapath();
    this.#healthPorts = this.#createHealthPorts();
    this.#bgp = this.#createBgp();
    this.#life = new Life(clock, {
      open: () => this.#open(),
      announce: () => this.#announce(),
      withdraw: (done) => this.#withdraw(done),
      close: () => this.#close(),
      listed: () => Object.values(this.tables).every(({ complete }) => complete),
      serving: () => this.datapath.ready(),
    }, this.#bgp === undefined || config.bgp === undefined
      ? undefined : bgpWithdrawalMax(config.bgp));
    for (const table of Object.values(this.tables)) table.onChange(() => this.#life.look());
    this.datapath.onChange(() => this.#life.look());
  }

  get state(): LifeState {
    return this.#life.state;
  }

  get announcer(): Announcer | undefined {
    return this.#announcer;
  }

  get advertiser(): Advertiser | undefined {
    return this.#bgp?.advertiser;
  }

  start(): void {
    this.#life.send({ type: 'START' });
  }

  stop(done: () => void): void {
    if (this.#life.state === 'ended') return done();
    this.#stopped.push(done);
    this.#bgp?.terminate();
    this.#life.send({ type: 'STOP' });
  }

  drain(): void {
    this.#bgp?.drain();
    this.#life.send({ type: 'DRAIN' });
  }

  undrain(): void {
    this.#life.send({ type: 'UNDRAIN' });
  }

  announceBy(settings: AgentL2Settings): void {
    this.#l2 = settings;
    this.#life.send({ type: 'RENEW' });
  }

  relist(): void {
    for (const feed of this.#feeds) feed.relist();
    this.#bgp?.relist();
  }

  pending(): readonly string[] {
    const parts = [
      ...this.#feeds, this.datapath, this.#healthPorts, this.#announcer, this.#bgp, this.events,
    ];
    return parts.flatMap((part) => part?.pending() ?? []);
  }

  #open(): void {
    for (const feed of this.#feeds) feed.start();
    this.#bgp?.open();
    this.datapath.start();
    this.#healthPorts?.start();
  }

  #announce(): void {
    this.#bgp?.announce();
    if (!this.#l2.enabled) return;
    this.#announcer = this.#createAnnouncer(this.#l2);
    this.#announcer.start();
  }

  #withdraw(done: () => void): void {
    const announcer = this.#announcer;
    const settled = this.#bgp === undefined ? done : () => this.#bgp?.settled(done);
    if (announcer === undefined) return settled();
    announcer.stop(() => {
      if (this.#announcer === announcer) this.#announcer = undefined;
      settled();
    });
  }

  #close(): void {
    this.datapath.stop();
    this.#healthPorts?.stop();
    for (const feed of this.#feeds) feed.stop();
    this.#bgp?.close();
    this.events.stop();
    for (const done of this.#stopped.splice(0)) done();
  }

  #createDatapath(): ServiceDatapath {
    const { clock, kernel, journal, devices, hooks, caches } = this.#ports;
    const { nodeName, datapath: options, datapathEnabled = true, mapLimits } = this.#config;
    const tables = datapathEnabled ? this.tables : servingNothing(this.tables);
    return createHookedDatapath(
      { clock, kernel, journal, devices, hooks, events: this.events },
      tables,
      {
        nodeName, options, memo: caches.servicePorts,
        ...(mapLimits === undefined ? {} : { limits: mapLimits }),
      },
    );
  }

  #createBgp(): AgentBgp | undefined {
    const { speakers } = this.#ports;
    const { nodeName, bgp, datapathEnabled = true } = this.#config;
    if (speakers === undefined || bgp?.enabled !== true) return undefined;
    return new AgentBgp({
      ...this.#ports, speakers, events: this.events, namespace: this.#config.namespace,
      datapath: datapathEnabled ? this.datapath : undefined,
    }, this.tables, { ...bgp, nodeName });
  }

  #createHealthPorts(): HealthPorts | undefined {
    const { clock, healthListeners } = this.#ports;
    const { nodeName, datapathEnabled = true } = this.#config;
    if (healthListeners === undefined || !datapathEnabled) return undefined;
    const ports = { clock, events: this.events, listeners: healthListeners };
    return createHealthPorts(ports, this.tables, nodeName);
  }

  #createAnnouncer(settings: AgentL2Settings): Announcer {
    const { clock, random, kube, kernel, link, journal, caches } = this.#ports;
    const { nodeName, namespace, datapathEnabled = true } = this.#config;
    const { datapath } = this;
    return createAnnouncer(
      {
        clock,
        random,
        kube,
        kernel: { ...kernel, hostLock: this.#hostLock },
        link,
        journal,
        events: this.events,
        leases: caches.leases,
        rank: caches.rank,
        selections: caches.selections,
        datapath: datapathEnabled ? datapath : {
          ready: () => datapath.ready(),
          hasFront: () => true,
          onChange: (listener) => datapath.onChange(listener),
        },
      },
      this.tables,
      { ...settings, nodeName, namespace },
    );
  }
}

/** Tables of a node whose Services something else serves: the programs are there, and empty. */
function servingNothing(tables: AgentTables): ServiceDatapathTables {
  const services = new Table<Service>('services');
  const slices = new Table<EndpointSlice>('endpointslices');
  for (const table of [services, slices]) table.markComplete();
  return { services, slices, nodes: tables.nodes };
}

function createFeeds(ports: AgentPorts, tables: AgentTables): Reflector[] {
  const { decoder, keyOf, sameService } = ports.caches;
  return [
    feedRows(ports, {
      resource: resources.services,
      table: tables.services,
      decode: decoder.service,
      keyOf,
      same: sameService,
    }),
    feedRows(ports, {
      resource: resources.endpointSlices,
      table: tables.slices,
      decode: decoder.slice,
      keyOf,
    }),
    feedRows(ports, { resource: resources.nodes, table: tables.nodes, decode: decoder.node }),
    feedRows(ports, {
      resource: resources.l2Policies,
      table: tables.policies,
      decode: decoder.l2Policy,
    }),
    // Kubernetes 1.33 and newer have them by default; with others the options say the ranges.
    feedRows(ports, {
      resource: resources.serviceCidrs,
      table: tables.serviceCidrs,
      decode: decoder.serviceCidr,
      optional: true,
    }),
  ];
}
