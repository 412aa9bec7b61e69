import { createServiceDatapath } from '../../bpf/datapath/datapath.ts';
import { DatapathMemo } from '../../bpf/datapath/memo.ts';
import type { ServiceDatapath, ServiceDatapathPorts } from '../../bpf/datapath/settings.ts';
import type { MapLimits } from '../../bpf/datapath/stores.ts';
import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import { decide, type FlowPacket, type Ingress } from '../../lb/decide.ts';
import { ip } from '../../lb/ip.ts';
import type { EndpointSlice, Node, Protocol, Service } from '../../lb/model.ts';
import type { KernelPort } from '../../lb/ports.ts';
import { Table } from '../../lb/table.ts';
import { SimKernel } from '../../sim/node/kernel.ts';
import { takeKeys, writeRows } from '../../sim/node/batches.ts';
import { MachineClock, Process, processClock, processJournal } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import {
  clusterIp, everyEndpoint, fixtureOptions, names, nodes, service, slice, viewOf, vip,
} from './fixture.ts';
import { readerOf, walkMaps, type MapReader } from './mapwalk.ts';

export interface MapRigSettings {
  readonly nodeName?: string;
  readonly options?: Partial<DatapathOptions>;
  readonly limits?: MapLimits;
  readonly more?: Partial<ServiceDatapathPorts>;
}

/** One write as the kernel saw it. */
export interface Written {
  readonly map: string;
  readonly kind: 'update' | 'remove';
}

/** One node's maps, and a datapath that programs them; the process may be replaced. */
export class MapRig {
  readonly world = new World({ seed: 1n });
  readonly kernel = new SimKernel(this.world, 'n-a');
  readonly reader: MapReader = readerOf(this.kernel);
  readonly memo = new DatapathMemo();
  readonly clock = new MachineClock(this.world);
  readonly settings: MapRigSettings;
  readonly options: DatapathOptions;
  readonly nodeName: string;
  readonly writes: Written[] = [];
  /** Port calls that write, of any size. */
  calls = 0;
  afterWrite: (() => void) | undefined;
  tables = newTables();
  process = new Process(this.world, 'agent', this.clock);
  datapath: ServiceDatapath;

  constructor(settings: MapRigSettings = {}) {
    this.settings = settings;
    this.options = { ...fixtureOptions, ...settings.options };
    this.nodeName = settings.nodeName ?? 'n-a';
    this.datapath = this.#create();
  }

  /** Fills the tables and completes them. */
  load(
    services: readonly Service[] = [service()],
    slices: readonly EndpointSlice[] = [slice(everyEndpoint)],
  ): this {
    for (const of of services) this.tables.services.upsert(of.key, of);
    for (const of of slices) this.tables.slices.upsert(`default/${of.meta.name}`, of);
    for (const of of nodes) this.tables.nodes.upsert(of.meta.name, of);
    for (const table of Object.values(this.tables)) table.markComplete();
    return this;
  }

  start(): this {
    this.process.enter(() => this.datapath.start());
    return this;
  }

  /** Another process with the same maps and fresh tables. */
  restart(): this {
    this.process.crash();
    this.tables = newTables();
    this.process = new Process(this.world, 'agent', this.clock);
    this.datapath = this.#create();
    return this;
  }

  run(seconds = 1): this {
    const until = this.world.now + seconds * 1_000_000;
    this.world.schedule(until - this.world.now, { kind: 'wait', entity: 'test' }, () => undefined);
    this.world.run(until);
    return this;
  }

  /** `P → CIP:80`, answered by the maps. */
  ask(question: string): string {
    return walkMaps(this.reader, packetOf(question), this.options);
  }

  setServices(services: readonly Service[]): void {
    const keys = new Set<string>(services.map(({ key }) => key));
    for (const key of this.tables.services.keys()) {
      if (!keys.has(key)) this.tables.services.delete(key);
    }
    for (const of of services) {
      if (this.tables.services.get(of.key) !== of) this.tables.services.upsert(of.key, of);
    }
  }

  setSlices(slices: readonly EndpointSlice[]): void {
    const keys = new Set(slices.map((of) => `default/${of.meta.name}`));
    for (const key of this.tables.slices.keys()) {
      if (!keys.has(key)) this.tables.slices.delete(key);
    }
    for (const of of slices) {
      const key = `default/${of.meta.name}`;
      if (this.tables.slices.get(key) !== of) this.tables.slices.upsert(key, of);
    }
  }

  #create(): ServiceDatapath {
    const { process } = this;
    const ports: ServiceDatapathPorts = {
      clock: processClock(process), kernel: this.#watched(this.kernel.portOf(process)),
      journal: processJournal(process), ...this.settings.more,
    };
    return createServiceDatapath(ports, this.tables, {
      nodeName: this.nodeName, options: this.options, memo: this.memo,
      ...(this.settings.limits === undefined ? {} : { limits: this.settings.limits }),
    });
  }

  // Tells of each element that was written, also within a batch.
  #watched(port: KernelPort): KernelPort {
    const tell = <T extends { readonly ok: boolean }>(written: Written, result: T): T => {
      if (!result.ok) return result;
      this.writes.push(written);
      this.afterWrite?.();
      return result;
    };
    const update: KernelPort['update'] = (map, entry, flag) => tell(
      { map, kind: 'update' }, port.update(map, entry, flag),
    );
    const remove: KernelPort['remove'] = (map, key) => tell(
      { map, kind: 'remove' }, port.remove(map, key),
    );
    const counted = <T>(call: () => T): T => {
      this.calls += 1;
      return call();
    };
    return {
      ...port,
      update: (map, entry, flag) => counted(() => update(map, entry, flag)),
      remove: (map, key) => counted(() => remove(map, key)),
      updateMany: (map, rows, flag) => counted(
        () => writeRows(rows, (entry) => update(map, entry, flag)),
      ),
      removeMany: (map, keys) => counted(() => takeKeys(keys, (key) => remove(map, key))),
    };
  }
}

function newTables() {
  return {
    services: new Table<Service>('services'), slices: new Table<EndpointSlice>('slices'),
    nodes: new Table<Node>('nodes'),
  };
}

/** `P → 10.200.0.10:80` or `X → VIP:80/UDP`; names of the fixture stand for addresses. */
export function packetOf(question: string): FlowPacket {
  const match = /^(\S+) → (\S+?):(\d+)(?:\/(\w+))?$/u.exec(question);
  if (match === null) throw new Error(`'${question}' is no question`);
  const [, from = '', to = '', port = '', protocol = 'TCP'] = match;
  const [target, targetPort] = to.startsWith('[') ? [to.slice(1, -1), port] : [to, port];
  return {
    source: ip(addressOf(from)), sourcePort: 40_000, target: ip(addressOf(target)),
    targetPort: Number(targetPort), protocol: protocol as Protocol, ingress: ingressOf(from),
  };
}

function addressOf(text: string): string {
  const named: Record<string, string> = {
    VIP: vip, CIP: clusterIp, EIP: '192.0.2.250', node: '192.0.2.11', node2: '192.0.2.111',
    P6: 'fd64:1::9', X6: '2001:db8:77::7', H6: '2001:db8:2::11',
  };
  return named[text] ?? names[text] ?? text;
}

function ingressOf(from: string): Ingress {
  if (from === 'P' || from === 'a1' || from === 'P6') return 'pod';
  return from === 'H' || from === 'H6' ? 'host' : 'external';
}

/** What the oracle says, in the words of the walk. */
export function oracle(
  question: string, given: Parameters<typeof viewOf>[0],
): string {
  const verdict = decide(viewOf(given), packetOf(question));
  if (verdict.kind === 'notMine') return 'NOT_MINE';
  if (verdict.kind !== 'forward') return `${verdict.kind.toUpperCase()} ${verdict.reason}`;
  const shown = verdict.candidates.map((of) => `${of.ip}:${of.port}`);
  return [...shown, ...(verdict.masquerade ? ['M'] : [])].join(' ');
}
