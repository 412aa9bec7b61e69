import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import type { Prefix } from '../../lb/ip.ts';
import type { EndpointSlice, Node, Service } from '../../lb/model.ts';
import type { Clock, EventSink, Journal, KernelError, KernelPort } from '../../lb/ports.ts';
import type { FamilySync } from '../../lb/proxyhealth.ts';
import type { Table } from '../../lb/table.ts';
import type { FrontConflict } from '../../lb/view.ts';
import type { Datapath } from '../datapath.ts';
import type { DatapathDevices } from './devices.ts';
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
  /** Prefixes of each ServiceCIDR object, beside those of the options; absent: no such kind. */
  readonly serviceCidrs?: Table<readonly Prefix[]>;
}

export interface ServiceDatapathSettings {
  readonly nodeName: string;
  readonly options: DatapathOptions;
  /** Derivations that other datapaths of the same world may share. */
  readonly memo: DatapathMemo;
  readonly limits?: MapLimits;
  readonly runtime?: RuntimeSettings;
}

/** A service port, front or address whose rows the kernel refuses at present. */
export interface ServiceDatapathFault {
  readonly servicePort: string;
  readonly map: MapName;
  readonly error: KernelError;
}

/** `Datapath` over the maps that the programs read. */
export interface ServiceDatapath extends Datapath {
  readonly faults: readonly ServiceDatapathFault[];
  /** Services that lost a front to another one. */
  conflicts(): readonly FrontConflict[];
  /** How far programming is, for `/healthz`: both families are programmed together. */
  sync(): FamilySync;
}
