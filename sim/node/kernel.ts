import { decodeStats } from '../../bpf/layout.gen.ts';
import type { CompiledObject } from '../../bpf/vm/compile.ts';
import { Machine, type PassInput } from '../../bpf/vm/machine.ts';
import type { HostCalls } from '../../bpf/vm/runtime.ts';
import { datapathDefaults } from '../../lb/datapathoptions.ts';
import type {
  BatchResult, KernelError, KernelPort, MapBatch, MapEntry, MapFlag, MapKeys, MapPage,
} from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import type { Prng } from '../prng.ts';
import type { MachineClock, Process } from '../process.ts';
import type { World } from '../world.ts';
import { takeKeys, writeRows } from './batches.ts';
import { SimMap, type MapFault, type MapListener } from './maps.ts';
import { loadedObject } from './object.ts';
import { fastPrograms } from './programs.ts';

/** What a kernel needs of the machine around it. */
export interface KernelSite {
  /** The object as it was loaded; default: with the default options. */
  readonly object?: CompiledObject | undefined;
  readonly clock?: Pick<MachineClock, 'now'>;
  /** Answers to helpers; chance is the kernel's own. */
  readonly host?: Omit<HostCalls, 'random'>;
}

interface LockWaiter {
  readonly process: Process | undefined;
  readonly held: () => void;
}

/**
 * The kernel of one simulated node as far as programs and tables go. Processes come and go and the
 * maps stay; `reboot` alone empties them (simulator.md 5.1, 5.2).
 */
export class SimKernel implements KernelPort {
  readonly world: World;
  readonly node: string;
  #site: KernelSite;
  #object: CompiledObject;
  #machine: Machine;
  #clockAt = -1;
  #maps: ReadonlyMap<string, SimMap>;
  #bootId: string;
  #locks = new Map<string, LockWaiter[]>();
  #chance: Prng;

  constructor(world: World, node: string, site: KernelSite = {}) {
    this.world = world;
    this.node = node;
    this.#site = site;
    this.#object = site.object ?? loadedObject(fastPrograms, datapathDefaults);
    this.#chance = world.stream(`kernel/${node}`);
    this.#machine = this.#newMachine();
    this.#maps = new Map(this.#machine.maps.map((map) => [map.name, new SimMap(map)]));
    this.#bootId = this.#drawBootId();
  }

  get bootId(): string {
    return this.#bootId;
  }

  /** The draws that helpers of programs get, `get_prandom_u32` among them. */
  get chance(): Prng {
    return this.#chance;
  }

  /** The number of a program, the same for every boot. */
  programNumber(program: string): number {
    return this.#machine.programNumber(program);
  }

  /** Where programs and packets lie, until the next boot. */
  get memory(): Machine['memory'] {
    return this.#machine.memory;
  }

  /** Runs a program, by its number, on a packet at this moment. */
  passPacket(program: number, input: PassInput): ReturnType<Machine['passPacket']> {
    this.#setClock();
    return this.#machine.passPacket(program, input);
  }

  /** Runs a program of a socket hook at this moment. */
  runContext(program: string, context: Uint8Array): ReturnType<Machine['runContext']> {
    this.#setClock();
    return this.#machine.runContext(program, context);
  }

  /** Packets that a cell of `fl_stats` has counted since boot. */
  counter(cell: number): number {
    const key = Uint8Array.of(cell, cell >>> 8, 0, 0);
    const value = this.#machine.map('fl_stats').lookup(key);
    return value === undefined ? 0 : Number(decodeStats(value).packets);
  }

  /** Called after each write of a map from outside the programs. */
  onWrite(map: string, listener: MapListener): void {
    this.#maps.get(map)?.onChange(listener);
  }

  get mapNames(): readonly string[] {
    return [...this.#maps.keys()];
  }

  /** Puts or ends a fault on one map; false where there is no such map. */
  setFault(map: string, fault: MapFault | undefined): boolean {
    const found = this.#maps.get(map);
    found?.setFault(fault);
    return found !== undefined;
  }

  /**
   * `kernel.mapError`: a share of the writes fails with `errno` until it is called with undefined.
   */
  setMapError(
    map: string,
    error: { readonly ratioPpm: number; readonly errno: KernelError['kind'] } | undefined,
  ): boolean {
    const { ratio: _ratio, errno: _errno, ...rest } = this.#maps.get(map)?.fault ?? {};
    if (error === undefined) return this.setFault(map, rest);
    const ratio = { numerator: error.ratioPpm, denominator: 1_000_000 };
    return this.setFault(map, { ...rest, ratio, errno: error.errno });
  }

  /**
   * `kernel.mapFull`: the map takes no new key beyond `entriesMax` until it is called with
   * undefined.
   */
  setMapLimit(map: string, entriesMax: number | undefined): boolean {
    const { entriesMax: _entriesMax, ...rest } = this.#maps.get(map)?.fault ?? {};
    return this.setFault(map, entriesMax === undefined ? rest : { ...rest, entriesMax });
  }

  update(map: string, entry: MapEntry, flag: MapFlag): Result<void, KernelError> {
    const found = this.#maps.get(map);
    if (found === undefined) return err({ kind: 'ENOENT' });
    return found.update(entry, flag, (fault) => this.#strikes(fault));
  }

  remove(map: string, key: Uint8Array): Result<void, KernelError> {
    const found = this.#maps.get(map);
    if (found === undefined) return err({ kind: 'ENOENT' });
    return found.remove(key, (fault) => this.#strikes(fault));
  }

  updateMany(map: string, rows: MapBatch, flag: MapFlag): BatchResult {
    const found = this.#maps.get(map);
    if (found === undefined) return { written: 0, error: { kind: 'ENOENT' } };
    return found.updateMany(rows, flag, (fault) => this.#strikes(fault));
  }

  removeMany(map: string, keys: MapKeys): BatchResult {
    return takeKeys(keys, (key) => this.remove(map, key));
  }

  lookup(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.#maps.get(map)?.lookup(key);
  }

  lookupMany(map: string, keys: MapKeys): readonly (Uint8Array | undefined)[] {
    const values: (Uint8Array | undefined)[] = [];
    takeKeys(keys, (key) => {
      values.push(this.lookup(map, key));
      return ok(undefined);
    });
    return values;
  }

  scan(map: string, from: Uint8Array | undefined, rowsMax: number): MapPage {
    return this.#maps.get(map)?.scan(from, rowsMax) ?? { rows: noRows, next: undefined };
  }

  /** All entries, in an order shuffled by the seed: nothing may rely on one. */
  dump(map: string): readonly MapEntry[] {
    return this.#maps.get(map)?.dump() ?? [];
  }

  /** Rows as in `dump`, of an array the cells alone that are not zero. */
  touched(map: string): readonly MapEntry[] {
    return this.#maps.get(map)?.touched() ?? [];
  }

  hostLock(name: string, held: () => void, process?: Process): void {
    const waiters = this.#locks.get(name) ?? [];
    this.#locks.set(name, waiters);
    const waiter = { process, held };
    waiters.push(waiter);
    process?.onEnd(() => this.#release(name, waiter));
    if (waiters[0] === waiter) this.#grant(name, waiter);
  }

  /** The kernel as one process sees it: each call may be the one in which that process dies. */
  portOf(process: Process): KernelPort {
    const alive = <T>(operation: () => T): T => {
      process.operation();
      return operation();
    };
    const update: KernelPort['update'] = (map, entry, flag) => alive(
      () => this.update(map, entry, flag),
    );
    const remove: KernelPort['remove'] = (map, key) => alive(() => this.remove(map, key));
    return {
      // A process never outlives its boot, so it reads the id once.
      bootId: this.bootId,
      update,
      remove,
      // A batch is one call, and yet the process may die between any two of its elements.
      updateMany: (map, rows, flag) => (
        process.doomed
          ? writeRows(rows, (entry) => update(map, entry, flag))
          : alive(() => this.updateMany(map, rows, flag))
      ),
      removeMany: (map, keys) => takeKeys(keys, (key) => remove(map, key)),
      lookup: (map, key) => alive(() => this.lookup(map, key)),
      lookupMany: (map, keys) => alive(() => this.lookupMany(map, keys)),
      dump: (map) => alive(() => this.dump(map)),
      scan: (map, from, rowsMax) => alive(() => this.scan(map, from, rowsMax)),
      hostLock: (name, held) => alive(() => this.hostLock(name, held, process)),
    };
  }

  /** Loss of power: maps and locks are gone, and the next boot has another id. */
  reboot(): void {
    this.#machine = this.#newMachine();
    this.#clockAt = -1;
    for (const map of this.#machine.maps) this.#maps.get(map.name)?.renew(map);
    this.#locks.clear();
    this.#bootId = this.#drawBootId();
  }

  #newMachine(): Machine {
    const { host = nowhere } = this.#site;
    return new Machine(this.#object, {
      seed: this.#chance.next(), host: { ...host, random: () => this.#chance.next() },
    });
  }

  #setClock(): void {
    const now = this.#site.clock?.now() ?? this.world.now;
    if (now === this.#clockAt) return;
    this.#clockAt = now;
    this.#machine.setClock(now, now);
  }

  #strikes(fault: MapFault): boolean {
    return fault.ratio !== undefined && this.#chance.ratio(
      fault.ratio.numerator, fault.ratio.denominator,
    );
  }

  #grant(name: string, waiter: LockWaiter): void {
    this.world.schedule(0, { kind: 'host-lock', entity: this.node }, () => {
      if (this.#locks.get(name)?.[0] !== waiter) return;
      if (waiter.process === undefined) waiter.held();
      else waiter.process.enter(waiter.held);
    });
  }

  #release(name: string, waiter: LockWaiter): void {
    const waiters = this.#locks.get(name);
    if (waiters === undefined) return;
    const rest = waiters.filter((other) => other !== waiter);
    this.#locks.set(name, rest);
    const next = rest[0];
    if (waiters[0] === waiter && next !== undefined) this.#grant(name, next);
  }

  #drawBootId(): string {
    const words = Array.from(
      { length: 4 }, () => this.#chance.next().toString(16).padStart(8, '0'),
    ).join('');
    return [8, 12, 16, 20, 32].map(
      (end, index) => words.slice([0, 8, 12, 16, 20][index], end),
    ).join('-');
  }
}

/** A kernel without devices, routes or namespaces of its own. */
const nowhere: Omit<HostCalls, 'random'> = {
  socketCookie: () => 0, namespaceCookie: () => 0, routeLookup: () => notForwarded,
  mtu: () => undefined,
};
/** BPF_FIB_LKUP_RET_NOT_FWDED. */
const notForwarded = 4;
const noRows: MapBatch = { count: 0, keys: new Uint8Array(), values: new Uint8Array() };
