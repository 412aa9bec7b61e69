import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServiceDatapath } from '../../../bpf/datapath/datapath.ts';
import type { DatapathDeviceFacts } from '../../../bpf/datapath/devices.ts';
import { DatapathMemo } from '../../../bpf/datapath/memo.ts';
import type { ServiceDatapath } from '../../../bpf/datapath/settings.ts';
import { realKernel, type RealKernel } from '../../../bpf/kernel.real.ts';
import { maps } from '../../../bpf/layout.gen.ts';
import type { Addon, ProgramHandle } from '../../../bpf/native.real.ts';
import { loadObject, type LoadedObject } from '../../../bpf/object.real.ts';
import type { RuntimeSettings } from '../../../bpf/datapath/nodetables.ts';
import { datapathDefaults } from '../../../lb/datapathoptions.ts';
import type { Prefix } from '../../../lb/ip.ts';
import type { EndpointSlice, Node, Service } from '../../../lb/model.ts';
import type { KernelPort } from '../../../lb/ports.ts';
import { Table } from '../../../lb/table.ts';
import { node } from '../../datapath/fixture.ts';
import { root } from '../../tidy/sources.ts';
import { BenchClock } from './clock.ts';
import { cpuMs, cpuMsOwn } from './cputime.ts';
import { modelOf, type ModelSettings } from './model.ts';
import { place, type BenchService } from './services.ts';

export interface NodeSettings extends ModelSettings {
  /** Multiplies the limits of the maps of Services: 1 is a medium node, 4 a large one. */
  readonly scale?: 1 | 4;
  readonly devices?: DatapathDeviceFacts;
  readonly runtime?: RuntimeSettings;
}

const nodeName = 'n-a';
const scaled = [
  'fl_front', 'fl_svc', 'fl_set', 'fl_lut', 'fl_backend', 'fl_member', 'fl_addr',
] as const;

/** Our datapath of one node: the shipped object, real maps, and the reconciler over them. */
export class BenchNode {
  readonly addon: Addon;
  readonly object: LoadedObject;
  readonly clock = new BenchClock();
  readonly datapath: ServiceDatapath;
  /** Whether calls are timed: a microsecond's work then takes a hundred. */
  timing = false;
  /** CPU milliseconds within calls of the kernel's port since the last `resetCalls`. */
  callMs = 0;
  /** CPU milliseconds that their timing took beside them. */
  timingMs = 0;
  calls = 0;
  /** Service records written since then: each is the commit of one service port. */
  commits = 0;
  readonly #kernel: RealKernel;
  readonly #settings: NodeSettings;
  readonly #tables = {
    services: new Table<Service>('services'), slices: new Table<EndpointSlice>('slices'),
    nodes: new Table<Node>('nodes'),
  };

  constructor(addon: Addon, settings: NodeSettings = {}) {
    this.addon = addon;
    this.#settings = settings;
    const { scale = 1, devices, runtime } = settings;
    const limits = Object.fromEntries(scaled.map((map) => [map, maps[map].entriesMax * scale]));
    const loaded = loadObject(addon, {
      file: readFileSync(join(root, 'bpf/fairlead.bpf.o')),
      entriesMax: new Map(Object.entries(limits)),
    });
    if (!loaded.ok) throw new Error(`${loaded.error.operation}: ${loaded.error.log}`);
    this.object = loaded.value;
    this.#kernel = realKernel(addon, this.object.maps);
    const facts = devices ?? { devices: [], pods: [], nodeCookie: 0n };
    this.datapath = createServiceDatapath({
      clock: this.clock, kernel: this.#timed(this.#kernel), journal: { note: () => undefined },
      devices: { facts: () => facts, onChange: () => undefined },
    }, this.#tables, {
      nodeName, memo: new DatapathMemo('one'), limits,
      options: { ...datapathDefaults, serviceRanges: [place.serviceRange as Prefix] },
      ...(runtime === undefined ? {} : { runtime }),
    });
  }

  /** Takes the listings in; nothing is programmed yet. */
  list(services: readonly BenchService[]): void {
    for (const of of services) this.#take(of);
    this.#tables.nodes.upsert(nodeName, node(nodeName, [place.clientGateway]));
    for (const table of Object.values(this.#tables)) table.markComplete();
  }

  /** From complete listings to the last commit. */
  program(): void {
    this.datapath.start();
    this.clock.settle();
    if (!this.datapath.ready()) throw new Error(`not ready: ${this.datapath.pending().join()}`);
    const [fault] = this.datapath.faults;
    if (fault !== undefined) throw new Error(`${fault.map}: ${fault.error.kind}`);
  }

  /** An event about one Service on an idle agent, from its arrival to its commit. */
  change(service: BenchService): void {
    this.#take(service);
    this.clock.settle();
  }

  resetCalls(): void {
    this.callMs = 0;
    this.timingMs = 0;
    this.calls = 0;
    this.commits = 0;
  }

  programOf(name: string): ProgramHandle {
    const program = this.object.programs.get(name);
    if (program === undefined) throw new Error(`the object has no program ${name}`);
    return program;
  }

  /** Lets all flows be new again, as their ageing would in time. */
  forgetFlows(): void {
    for (const map of ['fl_ct', 'fl_snat']) {
      const rows = this.#kernel.dump(map);
      const keys = Buffer.concat(rows.map(({ key }) => key));
      this.#kernel.removeMany(map, { count: rows.length, keys });
    }
  }

  close(): void {
    this.datapath.stop();
    this.#kernel.close();
    this.object.close();
  }

  #take(service: BenchService): void {
    const { model, slice } = modelOf(service, this.#settings);
    this.#tables.services.upsert(model.key, model);
    this.#tables.slices.upsert(`${slice.meta.namespace}/${slice.meta.name}`, slice);
  }

  #timed(kernel: KernelPort): KernelPort {
    const timed = <T>(call: () => T): T => {
      this.calls += 1;
      if (!this.timing) return call();
      const from = cpuMs();
      const result = call();
      this.callMs += Math.max(cpuMs() - from - cpuMsOwn(), 0);
      this.timingMs += 2 * cpuMsOwn();
      return result;
    };
    return {
      ...kernel,
      update: (map, entry, flag) => timed(() => kernel.update(map, entry, flag)),
      remove: (map, key) => timed(() => kernel.remove(map, key)),
      updateMany: (map, rows, flag) => {
        if (map === 'fl_svc') this.commits += rows.count;
        return timed(() => kernel.updateMany(map, rows, flag));
      },
      removeMany: (map, keys) => timed(() => kernel.removeMany(map, keys)),
      lookup: (map, key) => timed(() => kernel.lookup(map, key)),
      lookupMany: (map, keys) => timed(() => kernel.lookupMany(map, keys)),
      dump: (map) => timed(() => kernel.dump(map)),
      scan: (map, from, rowsMax) => timed(() => kernel.scan(map, from, rowsMax)),
      tally: (map, from, rowsMax) => timed(() => kernel.tally(map, from, rowsMax)),
    };
  }
}
