import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import type { Ip } from '../../lb/ip.ts';
import type { EndpointSlice, Node, Service, ServiceCidr } from '../../lb/model.ts';
import type { Clock, EventSink, Journal, KernelError, KernelPort } from '../../lb/ports.ts';
import type { FamilySync } from '../../lb/proxyhealth.ts';
import type { Table } from '../../lb/table.ts';
import type { FrontConflict } from '../../lb/view.ts';
import type { DatapathDevices } from './devices.ts';
import type { FlowMap } from './gc.ts';
import type { DatapathMemo } from './memo.ts';
import type { RuntimeSettings } from './nodetables.ts';
import type { MapLimits } from './stores.ts';
import type { MapName } from './writer.ts';

export interface ServiceDatapathPorts {
  readonly clock: Clock;
  readonly kernel: KernelPort;
  readonly journal: Journal;
  /** Kubernetes Events about Services whose tables are full; absent: none are sent. */
  readonly events?: EventSink;
  /** Devices and pods of the node; absent: it has none. */
  readonly devices?: DatapathDevices;
}

export interface ServiceDatapathTables {
  readonly services: Table<Service>;
  readonly slices: Table<EndpointSlice>;
  readonly nodes: Table<Node>;
  /** Their prefixes count beside those of the options; absent: nobody reads them. */
  readonly serviceCidrs?: Table<ServiceCidr>;
}

export interface ServiceDatapathSettings {
  readonly nodeName: string;
  readonly options: DatapathOptions;
  /** Derivations that other datapaths of the same world may share. */
  readonly memo: DatapathMemo;
  readonly limits?: MapLimits;
  readonly runtime?: RuntimeSettings;
}

/** A row that the kernel refuses at present. */
export interface DatapathFault {
  readonly servicePort: string;
  readonly error: KernelError;
}

/** The reconciler that keeps one node's kernel tables equal to what the cluster wants there. */
export interface Datapath {
  start(): void;
  /** Stops writing; the kernel keeps forwarding by the rows it has. */
  stop(): void;
  /** True once every listing was complete and each row was written or tried. */
  ready(): boolean;
  /** Whether the kernel's rows serve the address, so that announcing it makes sense. */
  hasFront(address: Ip): boolean;
  /** Called after rounds that changed `ready` or the answer of `hasFront` for any address. */
  onChange(listener: (change: FrontChange) => void): void;
  pending(): readonly string[];
  readonly faults: readonly DatapathFault[];
  /** Rows that an audit had to correct; any is a bug or a hand in the maps. */
  readonly auditRepairs: number;
}

/** What one round changed for those who ask `ready` and `hasFront`. */
export interface FrontChange {
  /** `ready` changed, and with it the answer for every address. */
  readonly all: boolean;
  /** Addresses for which `hasFront` may answer otherwise than before. */
  readonly ips: ReadonlySet<Ip>;
}

/** A service port, front or address whose rows the kernel refuses at present. */
export interface ServiceDatapathFault extends DatapathFault {
  readonly map: MapName;
}

/** `Datapath` over the maps that the programs read. */
export interface ServiceDatapath extends Datapath {
  readonly faults: readonly ServiceDatapathFault[];
  /** Services that lost a front to another one. */
  conflicts(): readonly FrontConflict[];
  /** How far programming is, for `/healthz`: both families are programmed together. */
  sync(): FamilySync;
  /** Rows of the maps of flows, counted in each half a minute; none before the first count. */
  readonly flowRows: ReadonlyMap<FlowMap, number>;
}
