import { createServiceDatapath } from '../../bpf/datapath/datapath.ts';
import { DatapathMemo } from '../../bpf/datapath/memo.ts';
import { datapathDefaults } from '../../lb/datapathoptions.ts';
import { serviceKey, type EndpointSlice, type Node, type Service } from '../../lb/model.ts';
import type { KernelPort, MapBatch } from '../../lb/ports.ts';
import { Table } from '../../lb/table.ts';
import { MachineClock, Process, processClock, processJournal } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import { endpoint, ingressEntry, meta, node, service, slice } from '../datapath/fixture.ts';

/** A kernel that takes everything and keeps nothing: what is left is the price of the agent. */
class NullKernel implements KernelPort {
  readonly bootId = 'boot';
  calls = 0;
  records = 0;
  rows = 0;

  update(): { readonly ok: true; readonly value: undefined } {
    this.calls += 1;
    return { ok: true, value: undefined };
  }

  remove(): { readonly ok: true; readonly value: undefined } {
    this.calls += 1;
    return { ok: true, value: undefined };
  }

  updateMany(map: string, { count }: MapBatch): { readonly written: number } {
    this.calls += 1;
    this.rows += count;
    if (map === 'fl_svc') this.records += count;
    return { written: count };
  }

  removeMany(_map: string, { count }: { readonly count: number }): { readonly written: number } {
    this.calls += 1;
    return { written: count };
  }

  lookup(): undefined {
    return undefined;
  }

  lookupMany(): readonly undefined[] {
    return [];
  }

  dump(): readonly never[] {
    return [];
  }

  tally(): { readonly count: number; readonly next: undefined } {
    return { count: 0, next: undefined };
  }

  scan(): { readonly rows: MapBatch; readonly next: undefined } {
    const rows = { count: 0, keys: new Uint8Array(0), values: new Uint8Array(0) };
    return { rows, next: undefined };
  }

  hostLock(): void {
    this.calls += 1;
  }
}

interface Cluster {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

function cluster(count: number, nodeCount: number): Cluster {
  const services = Array.from({ length: count }, (_, at) => service({
    meta: meta(`s${at}`), key: serviceKey('default', `s${at}`), externalIps: [],
    clusterIps: [`10.${200 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`],
    ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 0 }],
    ingress: [ingressEntry(`100.${64 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`)],
  }));
  const slices = services.map((of, at) => slice([0, 1].map((n) => endpoint(
    `10.${64 + n}.${(at >> 8) & 255}.${at & 255}`, { nodeName: `node-${(at + n * 7) % nodeCount}` },
  )), { meta: meta(`slice-${at}`), service: of.key }));
  return { services, slices };
}

interface Started {
  readonly kernel: NullKernel;
  readonly world: World;
  readonly slices: Table<EndpointSlice>;
  readonly ready: () => boolean;
}

function start(of: Cluster, nodeName: string, memo: DatapathMemo): Started {
  const world = new World({ seed: 1n });
  const tables = {
    services: new Table<Service>('services'), slices: new Table<EndpointSlice>('slices'),
    nodes: new Table<Node>('nodes'),
  };
  for (const each of of.services) tables.services.upsert(each.key, each);
  for (const each of of.slices) tables.slices.upsert(`default/${each.meta.name}`, each);
  tables.nodes.upsert(nodeName, node(nodeName, ['192.0.2.11']));
  for (const table of Object.values(tables)) table.markComplete();
  const process = new Process(world, `agent/${nodeName}`, new MachineClock(world));
  const kernel = new NullKernel();
  const datapath = createServiceDatapath({
    clock: processClock(process), kernel, journal: processJournal(process),
  }, tables, { nodeName, options: datapathDefaults, memo });
  process.enter(() => datapath.start());
  return { kernel, world, slices: tables.slices, ready: () => datapath.ready() };
}

function run(started: Started, seconds: number): void {
  const until = started.world.now + seconds * 1_000_000;
  started.world.schedule(seconds * 1_000_000, { kind: 'wait', entity: 'bench' }, () => undefined);
  started.world.run(until);
}

// Of all threads: what others do on the machine meanwhile is not ours to answer for.
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** CPU from complete listings to the last row of 10,000 Services with two endpoints. */
function install(): number {
  const of = cluster(10_000, 100);
  const from = cpuMs();
  const started = start(of, 'node-1', new DatapathMemo('one'));
  run(started, 1);
  if (!started.ready() || started.kernel.records !== 10_000) throw new Error('not installed');
  return cpuMs() - from;
}

/** Port calls of the same. */
function installCalls(): number {
  const started = start(cluster(10_000, 100), 'node-1', new DatapathMemo('one'));
  run(started, 1);
  return started.kernel.calls;
}

/** Microseconds from one changed endpoint among 10,000 Services to its commit. */
function update(): number {
  const of = cluster(10_000, 100);
  const started = start(of, 'node-1', new DatapathMemo('one'));
  run(started, 1);
  const rounds = 200;
  const from = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    const before = of.slices[round * 7]!;
    const [first] = before.endpoints;
    const records = started.kernel.records;
    started.slices.upsert(`default/${before.meta.name}`, { ...before, endpoints: [first!] });
    run(started, 0.1);
    if (started.kernel.records !== records + 1) throw new Error('one change is one record');
  }
  return ((performance.now() - from) * 1_000) / rounds;
}

/** Bytes of heap a Service and node, beside the tables and what nodes share. */
function heap(): number {
  const count = 10_000;
  const of = cluster(count, 100);
  const memo = new DatapathMemo();
  const first = start(of, 'node-1', memo);
  run(first, 1);
  const kept: Started[] = [first];
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const nodes = 4;
  for (let at = 2; at < 2 + nodes; at += 1) {
    const started = start(of, `node-${at}`, memo);
    run(started, 1);
    kept.push(started);
  }
  globalThis.gc?.();
  const used = process.memoryUsage().heapUsed - before;
  if (kept.some((started) => !started.ready())) throw new Error('not installed');
  return used / count / nodes;
}

/** CPU for 5,000 Services on each of 100 nodes that share derivations. */
function world(): number {
  const of = cluster(5_000, 100);
  const memo = new DatapathMemo();
  const from = cpuMs();
  for (let at = 0; at < 100; at += 1) {
    const started = start(of, `node-${at}`, memo);
    run(started, 1);
    if (!started.ready()) throw new Error('not installed');
  }
  return cpuMs() - from;
}

export const benches = [
  { name: 'maps: 10,000 Services from listings to the last row', unit: 'CPU ms', ceiling: 1_500, run: install },
  { name: 'maps: port calls of the same', unit: 'calls', ceiling: 200, run: installCalls },
  { name: 'maps: one changed endpoint among 10,000 Services', unit: 'µs', ceiling: 3_000, run: update },
  { name: 'maps: heap a Service and node', unit: 'bytes', ceiling: 6_144, run: heap },
  { name: 'maps: 5,000 Services on 100 nodes', unit: 'CPU ms', ceiling: 10_000, run: world },
];
