import type { Condition, IngressEntry, Meta, PoolBlock, Service } from '../../lb/model.ts';
import type { Clock, ObjectEvent } from '../../lb/ports.ts';
import { err, ok } from '../../lb/result.ts';
import type {
  ConditionsWrite, ServiceStatusWrite, StatusPort, WriteDone, WriteError,
} from '../../lb/status.ts';
import { Table } from '../../lb/table.ts';
import { createIpam, type Ipam, type IpamTables } from '../../lb/ipam/ipam.ts';
import { readRecord } from '../../lb/ipam/record.ts';
import { inputsOf } from '../../lb/ipam/inputs.ts';
import { sharingObstacle } from '../../lb/ipam/sharing.ts';
import { defaultIpamSettings, type IpamSettings } from '../../lb/ipam/settings.ts';
import { MachineClock, Process, processClock } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import {
  entryOf, nodeObject, poolObject, serviceObject, sliceObject,
  type NodeOptions, type PoolOptions, type ServiceOptions,
} from './objects.ts';

type ServiceStatus = Pick<Service, 'ingress' | 'conditions'>;

export interface LoggedWrite {
  readonly kind: 'service' | 'pool';
  readonly name: string;
  readonly at: number;
  readonly ingress: readonly (string | undefined)[] | undefined;
  readonly outcome: 'ok' | WriteError['kind'];
}

/** An API store and a controller around it, on virtual time: the scenario bench of LB IPAM. */
export class Cluster {
  readonly world = new World({ seed: 1n });
  readonly tables: IpamTables = newTables();
  readonly writes: LoggedWrite[] = [];
  readonly events: ObjectEvent[] = [];
  readonly notes: string[] = [];
  readonly settings: IpamSettings;
  /** Errors for the next writes of that object. */
  readonly errors = new Map<string, WriteError['kind'][]>();
  /** Time that a write and its answer each take, in microseconds. */
  latency = 1000;
  /** Addresses that a write of ours showed while another Service that may not share showed them. */
  readonly doubles: string[] = [];
  /** Runs before a write is applied: another client is quicker. */
  before: ((write: ServiceStatusWrite | ConditionsWrite) => void) | undefined;
  ipam: Ipam;
  #process: Process;
  #clock: Clock;
  #version = 0;
  #age = 0;
  #port = 8000;
  #services = new Map<string, { options: ServiceOptions; object: Service }>();

  constructor(settings: Partial<IpamSettings> = {}, start = true) {
    this.settings = { ...defaultIpamSettings, ...settings };
    this.#process = new Process(this.world, 'controller', new MachineClock(this.world));
    this.#clock = processClock(this.#process);
    this.ipam = this.#create();
    if (!start) return;
    this.complete();
    this.ipam.start();
  }

  #create(): Ipam {
    const ports = {
      clock: this.#clock,
      status: this.#statusPort(),
      events: { emit: (event: ObjectEvent) => void this.events.push(event) },
      journal: { note: (entry: { code: string }) => void this.notes.push(entry.code) },
    };
    return createIpam(ports, this.tables, this.settings);
  }

  complete(): void {
    for (const table of Object.values(this.tables)) table.markComplete();
  }

  /** A new process on the same store; counts of writes and Events begin anew. */
  restart(settings: Partial<IpamSettings> = {}): void {
    this.ipam.stop();
    Object.assign(this.settings, settings);
    this.forget();
    this.ipam = this.#create();
    this.ipam.start();
    this.settle();
  }

  forget(): void {
    this.writes.length = 0;
    this.events.length = 0;
    this.notes.length = 0;
  }

  settle(seconds = 5): this {
    const span = seconds * 1_000_000;
    // An empty queue would stop the world early.
    this.world.schedule(span, { kind: 'wait', entity: 'test' }, () => undefined);
    this.world.run(this.world.now + span);
    if (this.#process.fault !== undefined) throw this.#process.fault;
    return this;
  }

  pool(name: string, text: string | PoolBlock[], options: PoolOptions = {}): this {
    const present = this.tables.pools.get(name);
    const uid = options.uid ?? present?.meta.uid ?? `pool-${name}-${this.#version}`;
    const same = present?.meta.uid === uid ? present : undefined;
    const at = options.at ?? same?.meta.createdAtMs ?? this.#nextAge();
    const generation = (same?.meta.generation ?? 0) + 1;
    const deleting = options.deleting ?? false;
    const meta = { ...this.#meta('', name), uid, createdAtMs: at, generation, deleting };
    const pool = { ...poolObject(meta, text, options), conditions: same?.conditions ?? [] };
    this.tables.pools.upsert(name, pool);
    return this;
  }

  dropPool(name: string): this {
    this.tables.pools.delete(name);
    return this;
  }

  service(name: string, options: ServiceOptions = {}): this {
    const ns = options.ns ?? 'default';
    const at = 'at' in options ? options.at : this.#nextAge();
    const ports = options.ports ?? `TCP/${(this.#port += 1)}`;
    return this.#put(name, { ...options, ns, at, ports }, { ingress: [], conditions: [] });
  }

  /** Changes the spec or metadata, keeping status and identity. */
  edit(name: string, options: ServiceOptions): this {
    const row = this.#row(name);
    return this.#put(name, { ...row.options, ...options }, row.object);
  }

  drop(name: string): this {
    const { object } = this.#row(name);
    this.#services.delete(name);
    this.tables.services.delete(object.key);
    return this;
  }

  /** Overwrites parts of a status as another client would. */
  patchStatus(
    name: string,
    status: { ingress?: (string | IngressEntry)[]; conditions?: Condition[] },
  ): this {
    const { object, options } = this.#row(name);
    const given = status.ingress?.map((item) => (typeof item === 'string' ? entryOf(item) : item));
    const ingress = given ?? object.ingress;
    const conditions = status.conditions ?? object.conditions;
    return this.#put(name, options, { ingress, conditions });
  }

  node(name: string, addresses: string, options: NodeOptions = {}): this {
    this.tables.nodes.upsert(name, nodeObject(this.#meta('', name), addresses, options));
    return this;
  }

  slice(service: string, ready: Record<string, boolean | undefined>): this {
    const meta = this.#meta('default', `${service}-1`);
    this.tables.slices.upsert(`default/${service}-1`, sliceObject(meta, service, ready));
    return this;
  }

  get(name: string): Service {
    return this.#row(name).object;
  }

  /** Addresses and hostnames as stored, in order. */
  ips(name: string): string {
    return this.get(name).ingress.map((item) => item.ip ?? item.hostname).join(' ');
  }

  condition(name: string, type: string): Condition | undefined {
    const found = this.get(name).conditions.filter((item) => item.type === type);
    if (found.length > 1) throw new Error(`${type} stands ${found.length} times`);
    return found[0];
  }

  /** `True/satisfied`; empty without the condition. */
  verdict(name: string, type = 'cilium.io/IPAMRequestSatisfied'): string {
    const found = this.condition(name, type);
    return found === undefined ? '' : `${found.status}/${found.reason}`;
  }

  message(name: string): string {
    return this.condition(name, 'cilium.io/IPAMRequestSatisfied')?.message ?? '';
  }

  record(name: string): string | undefined {
    return this.condition(name, 'fairlead.dev/IPAMAllocation')?.message;
  }

  poolCondition(name: string, type: string): Condition | undefined {
    const full = type === 'Invalid' ? 'fairlead.dev/Invalid' : `cilium.io/${type}`;
    return this.tables.pools.get(name)?.conditions.find((item) => item.type === full);
  }

  poolVerdict(name: string, type: string): string {
    const found = this.poolCondition(name, type);
    return found === undefined ? '' : `${found.status}/${found.reason}`;
  }

  /** `total/available/used`. */
  counts(name: string): string {
    return ['IPsTotal', 'IPsAvailable', 'IPsUsed'].map(
      (type) => this.poolCondition(name, type)?.message,
    ).join('/');
  }

  writesOf(name: string): LoggedWrite[] {
    return this.writes.filter((write) => write.name === name && write.outcome === 'ok');
  }

  reasons(name?: string): string[] {
    return this.events.filter(
      (event) => name === undefined || event.object.name === name,
    ).map((event) => event.reason);
  }

  get names(): string[] {
    return [...this.#services.keys()];
  }

  #row(name: string): { options: ServiceOptions; object: Service } {
    const row = this.#services.get(name);
    if (row === undefined) throw new Error(`no Service ${name}`);
    return row;
  }

  #put(name: string, options: ServiceOptions, status: ServiceStatus): this {
    const present = this.#services.get(name)?.object;
    const uid = options.uid ?? present?.meta.uid ?? `uid-${name}-${this.#version}`;
    const meta = { ...this.#meta(options.ns ?? 'default', name), uid, createdAtMs: options.at };
    const { ingress, conditions } = status;
    const object = { ...serviceObject(meta, options), ingress, conditions };
    this.#services.set(name, { options: { ...options, uid }, object });
    this.tables.services.upsert(object.key, object);
    return this;
  }

  #meta(namespace: string, name: string): Meta {
    this.#version += 1;
    return {
      namespace, name, uid: `uid-${name}`, resourceVersion: String(this.#version), generation: 0,
      createdAtMs: 0, deleting: false, labels: {}, annotations: {},
    };
  }

  #nextAge(): number {
    this.#age += 1;
    return this.#age * 1000;
  }

  #statusPort(): StatusPort {
    return {
      writeService: (write, done) => {
        this.#later(() => this.#applyService(write, done));
      },
      writeConditions: (write, _manager, done) => {
        this.#later(() => this.#applyPool(write, done));
      },
    };
  }

  #later(callback: () => void): void {
    this.world.schedule(this.latency, { kind: 'write', entity: 'store' }, callback);
  }

  #applyService(write: ServiceStatusWrite, done: WriteDone): void {
    this.before?.(write);
    const name = write.key.slice(write.key.indexOf('/') + 1);
    const row = this.#services.get(name);
    const error = this.#refusal(name, row?.object.meta, write);
    this.writes.push(
      {
        kind: 'service',
        name,
        at: this.world.now,
        ingress: write.ingress?.map((item) => item.ip ?? item.hostname),
        outcome: error ?? 'ok',
      },
    );
    if (row === undefined || error !== undefined) {
      this.#later(() => done(err({ kind: error ?? 'gone', message: 'refused' })));
      return;
    }
    this.#put(
      name,
      row.options,
      {
        ingress: write.ingress ?? row.object.ingress,
        conditions: write.conditions ?? row.object.conditions,
      },
    );
    this.#judgeShown(this.get(name), row.object);
    const { resourceVersion } = this.get(name).meta;
    this.#later(() => done(ok({ resourceVersion })));
  }

  #judgeShown(written: Service, before: Service): void {
    const known = new Set(before.ingress.map((item) => item.ip));
    // Node addresses are everybody's.
    const given = readRecord(written.conditions)?.some((item) => item.origin.kind === 'pool');
    if (given !== true) return;
    const sharing = inputsOf(written, this.settings).sharing;
    for (const { ip } of written.ingress) {
      if (ip === undefined || known.has(ip)) continue;
      for (const { object } of this.#services.values()) {
        if (object === written || object.loadBalancerClass === 'io.cilium/node') continue;
        if (!object.ingress.some((item) => item.ip === ip)) continue;
        const obstacle = sharingObstacle(sharing, inputsOf(object, this.settings).sharing);
        if (obstacle !== undefined) this.doubles.push(`${ip} ${written.key} ${object.key}`);
      }
    }
  }

  #applyPool(write: ConditionsWrite, done: WriteDone): void {
    this.before?.(write);
    const { name } = write;
    const pool = this.tables.pools.get(name);
    const error = this.#refusal(name, pool?.meta, write);
    this.writes.push(
      { kind: 'pool', name, at: this.world.now, ingress: undefined, outcome: error ?? 'ok' },
    );
    if (pool === undefined || error !== undefined) {
      this.#later(() => done(err({ kind: error ?? 'gone', message: 'refused' })));
      return;
    }
    const types = new Set(write.conditions.map((item) => item.type));
    const conditions = [
      ...pool.conditions.filter((item) => !types.has(item.type)), ...write.conditions,
    ];
    this.#version += 1;
    const resourceVersion = String(this.#version);
    this.tables.pools.upsert(
      name, { ...pool, conditions, meta: { ...pool.meta, resourceVersion } },
    );
    this.#later(() => done(ok({ resourceVersion })));
  }

  #refusal(
    name: string,
    meta: Meta | undefined,
    write: { uid: string; resourceVersion: string },
  ): WriteError['kind'] | undefined {
    const injected = this.errors.get(name)?.shift();
    if (injected !== undefined) return injected;
    if (meta === undefined) return 'gone';
    const same = meta.uid === write.uid && meta.resourceVersion === write.resourceVersion;
    return same ? undefined : 'conflict';
  }
}

function newTables(): IpamTables {
  return {
    pools: new Table('pools'),
    services: new Table('services'),
    nodes: new Table('nodes'),
    slices: new Table('slices'),
  };
}
