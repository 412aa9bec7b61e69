import { bytesText } from '../../bpf/datapath/image.ts';
import { decodeStats } from '../../bpf/layout.gen.ts';
import type { CompiledObject } from '../../bpf/vm/compile.ts';
import { Machine, type PassInput } from '../../bpf/vm/machine.ts';
import type { HostCalls } from '../../bpf/vm/runtime.ts';
import { datapathDefaults } from '../../lb/datapathoptions.ts';
import type {
  BatchResult, KernelError, KernelPort, MapBatch, MapEntry, MapFlag, MapKeys, MapPage, MapTally,
} from '../../lb/ports.ts';
import { assert, type Result } from '../../lb/result.ts';
import type { Prng } from '../prng.ts';
import type { MachineClock, Process } from '../process.ts';
import type { World } from '../world.ts';
import { takeKeys, writeRows } from './batches.ts';
import { Loaded, type NodeObject } from './loaded.ts';
import type { MapFault, MapListener } from './maps.ts';
import { loadedObject } from './object.ts';
import { fastPrograms } from './programs.ts';
import { ObjectShapes } from './shapes.ts';

/** What a kernel needs of the machine around it. */
export interface KernelSite {
  /** What is on the hooks from boot on; default: our object with the default options. */
  readonly object?: NodeObject | undefined;
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
  #object: NodeObject;
  /** Whose rows the codecs of this build read. */
  #words: ObjectShapes;
  #clockAt = -1;
  /** By the hash of the layout; the order is that of the loads. */
  #loaded = new Map<string, Loaded>();
  #hooked: Loaded;
  #listeners = new Map<string, MapListener[]>();
  #exchangeListeners: (() => void)[] = [];
  #faults = new Map<string, MapFault>();
  #bootId: string;
  #locks = new Map<string, LockWaiter[]>();
  #chance: Prng;

  constructor(world: World, node: string, site: KernelSite = {}) {
    this.world = world;
    this.node = node;
    this.#site = site;
    this.#object = site.object ?? loadedObject(fastPrograms, datapathDefaults);
    this.#words = new ObjectShapes(this.#object.object.object);
    this.#chance = world.stream(`kernel/${node}`);
    this.#hooked = this.load(this.#object);
    this.#bootId = this.#drawBootId();
  }

  get bootId(): string {
    return this.#bootId;
  }

  /** The draws that helpers of programs get, `get_prandom_u32` among them. */
  get chance(): Prng {
    return this.#chance;
  }

  /** The number of a program on the hooks, until others come. */
  programNumber(program: string): number {
    return this.#hooked.machine.programNumber(program);
  }

  /** Where programs and packets lie, until others come. */
  get memory(): Machine['memory'] {
    return this.#hooked.machine.memory;
  }

  /** Runs a program, by its number, on a packet at this moment. */
  passPacket(program: number, input: PassInput): ReturnType<Machine['passPacket']> {
    return this.#machineNow().passPacket(program, input);
  }

  /** Runs a program of a socket hook at this moment. */
  runContext(program: string, context: Uint8Array): ReturnType<Machine['runContext']> {
    return this.#machineNow().runContext(program, context);
  }

  /** Packets that a cell of `fl_stats` has counted since the programs on the hooks came. */
  counter(cell: number): number {
    const key = Uint8Array.of(cell, cell >>> 8, 0, 0);
    const value = this.#hooked.machine.map('fl_stats').lookup(key);
    if (value === undefined) return 0;
    return Number(decodeStats(this.#inWords('fl_stats', { key, value }).value).packets);
  }

  /** Called after each write of a map from outside the programs; rows are in our layout. */
  onWrite(map: string, listener: MapListener): void {
    this.#listeners.set(map, [...this.#listeners.get(map) ?? [], listener]);
  }

  /** Called after the programs on the hooks were exchanged for others, which count anew. */
  onExchange(listener: () => void): void {
    this.#exchangeListeners.push(listener);
  }

  /** Layout of the rows that the programs on the hooks read. */
  get layoutHash(): string {
    return this.#hooked.layoutHash;
  }

  get mapNames(): readonly string[] {
    return [...this.#hooked.maps.keys()];
  }

  /** What is pinned for an object: its maps where its layout is known, else empty ones. */
  load(wanted: NodeObject): Loaded {
    const found = this.#loaded.get(wanted.layoutHash);
    if (found !== undefined) return found;
    const loaded: Loaded = new Loaded(wanted, {
      machine: (object) => this.#newMachine(object),
      strikes: (fault) => this.#strikes(fault),
      written: (map, key, value) => {
        if (loaded === this.#hooked) this.#tell(map, key, value);
      },
    });
    for (const [map, fault] of this.#faults) loaded.maps.get(map)?.setFault(fault);
    this.#loaded.set(wanted.layoutHash, loaded);
    return loaded;
  }

  /** Pins of other layouts than that of `loaded`. */
  others(loaded: Loaded): readonly Loaded[] {
    return [...this.#loaded.values()].filter((other) => other !== loaded);
  }

  isHooked(loaded: Loaded, { object }: NodeObject): boolean {
    return loaded === this.#hooked && loaded.machine.compiled === object;
  }

  /** Puts the programs of `object` on every hook; they read the rows of `loaded`. */
  hook(loaded: Loaded, { object }: NodeObject): void {
    loaded.exchange(object);
    this.#clockAt = -1;
    this.#exchange(loaded);
  }

  /** Takes pins away that no program on a hook reads. */
  unload(loaded: Loaded): void {
    assert(loaded !== this.#hooked, `no hook of ${this.node} reads what goes`);
    this.#loaded.delete(loaded.layoutHash);
  }

  /** Puts or ends a fault on one map; false where there is no such map. */
  setFault(map: string, fault: MapFault | undefined): boolean {
    if (fault === undefined) this.#faults.delete(map);
    else this.#faults.set(map, fault);
    for (const { maps } of this.#loaded.values()) maps.get(map)?.setFault(fault);
    return this.#hooked.maps.has(map);
  }

  /**
   * `kernel.mapError`: a share of the writes fails with `errno` until it is called with undefined.
   */
  setMapError(
    map: string,
    error: { readonly ratioPpm: number; readonly errno: KernelError['kind'] } | undefined,
  ): boolean {
    const { ratio: _ratio, errno: _errno, ...rest } = this.#faults.get(map) ?? {};
    if (error === undefined) return this.setFault(map, rest);
    const ratio = { numerator: error.ratioPpm, denominator: 1_000_000 };
    return this.setFault(map, { ...rest, ratio, errno: error.errno });
  }

  /**
   * `kernel.mapFull`: the map takes no new key beyond `entriesMax` until it is called with
   * undefined.
   */
  setMapLimit(map: string, entriesMax: number | undefined): boolean {
    const { entriesMax: _entriesMax, ...rest } = this.#faults.get(map) ?? {};
    return this.setFault(map, entriesMax === undefined ? rest : { ...rest, entriesMax });
  }

  update(map: string, entry: MapEntry, flag: MapFlag): Result<void, KernelError> {
    return this.#hooked.update(map, entry, flag);
  }

  remove(map: string, key: Uint8Array): Result<void, KernelError> {
    return this.#hooked.remove(map, key);
  }

  updateMany(map: string, rows: MapBatch, flag: MapFlag): BatchResult {
    return this.#hooked.updateMany(map, rows, flag);
  }

  removeMany(map: string, keys: MapKeys): BatchResult {
    return this.#hooked.removeMany(map, keys);
  }

  lookup(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.#hooked.lookup(map, key);
  }

  lookupMany(map: string, keys: MapKeys): readonly (Uint8Array | undefined)[] {
    return this.#hooked.lookupMany(map, keys);
  }

  scan(map: string, from: Uint8Array | undefined, rowsMax: number): MapPage {
    return this.#hooked.scan(map, from, rowsMax);
  }

  tally(map: string, from: Uint8Array | undefined, rowsMax: number): MapTally {
    return this.#hooked.tally(map, from, rowsMax);
  }

  /** All entries, in an order shuffled by the seed: nothing may rely on one. */
  dump(map: string): readonly MapEntry[] {
    return this.#hooked.rows(map);
  }

  /** Rows as in `dump`, of an array the cells alone that are not zero. */
  touched(map: string): readonly MapEntry[] {
    return this.#hooked.maps.get(map)?.touched() ?? [];
  }

  /** Rows that the programs on the hooks read, in our layout. */
  readable(map: string): readonly MapEntry[] {
    return this.dump(map).map((row) => this.#inWords(map, row));
  }

  hostLock(name: string, held: () => void, process?: Process): void {
    const waiters = this.#locks.get(name) ?? [];
    this.#locks.set(name, waiters);
    const waiter = { process, held };
    waiters.push(waiter);
    process?.onEnd(() => this.#release(name, waiter));
    if (waiters[0] === waiter) this.#grant(name, waiter);
  }

  /**
   * The kernel as one process sees it, with the maps of what it loaded: each call may be the one in
   * which that process dies.
   */
  portOf(process: Process, loaded = this.#hooked): KernelPort {
    const alive = <T>(operation: () => T): T => {
      process.operation();
      return operation();
    };
    const update: KernelPort['update'] = (map, entry, flag) => alive(
      () => loaded.update(map, entry, flag),
    );
    const remove: KernelPort['remove'] = (map, key) => alive(() => loaded.remove(map, key));
    return {
      // A process never outlives its boot, so it reads the id once.
      bootId: this.bootId,
      update,
      remove,
      // A batch is one call, and yet the process may die between any two of its elements.
      updateMany: (map, rows, flag) => (
        process.doomed
          ? writeRows(rows, (entry) => update(map, entry, flag))
          : alive(() => loaded.updateMany(map, rows, flag))
      ),
      removeMany: (map, keys) => takeKeys(keys, (key) => remove(map, key)),
      lookup: (map, key) => alive(() => loaded.lookup(map, key)),
      lookupMany: (map, keys) => alive(() => loaded.lookupMany(map, keys)),
      dump: (map) => alive(() => loaded.rows(map)),
      scan: (map, from, rowsMax) => alive(() => loaded.scan(map, from, rowsMax)),
      tally: (map, from, rowsMax) => alive(() => loaded.tally(map, from, rowsMax)),
      hostLock: (name, held) => alive(() => this.hostLock(name, held, process)),
    };
  }

  /** Loss of power: maps and locks are gone, and the next boot has another id. */
  reboot(): void {
    this.#clockAt = -1;
    this.#loaded.clear();
    this.#exchange(this.load(this.#object));
    this.#locks.clear();
    this.#bootId = this.#drawBootId();
  }

  /** Whoever watches rows learns of those that differ: first what is there, then what is not. */
  #exchange(next: Loaded): void {
    const before = this.#hooked;
    this.#hooked = next;
    for (const map of before === next ? [] : this.#listeners.keys()) {
      const present = new Set<string>();
      for (const { key, value } of next.rows(map)) {
        present.add(bytesText(this.#tell(map, key, value)));
      }
      for (const row of before.rows(map)) {
        const { key } = this.#inWords(map, row, before);
        if (present.has(bytesText(key))) continue;
        for (const listener of this.#listeners.get(map) ?? []) listener(key, undefined);
      }
    }
    for (const listener of this.#exchangeListeners) listener();
  }

  /** Tells of a row of the programs on the hooks; its key as it was told. */
  #tell(map: string, key: Uint8Array, value: Uint8Array | undefined): Uint8Array {
    const listeners = this.#listeners.get(map);
    if (listeners === undefined) return key;
    const told = this.#inWords(map, { key, value: value ?? noValue });
    for (const listener of listeners) {
      listener(told.key, value === undefined ? undefined : told.value);
    }
    return told.key;
  }

  #inWords(map: string, row: MapEntry, { layoutHash: hash, rowShapes } = this.#hooked): MapEntry {
    return hash === this.#object.layoutHash ? row : this.#words.translate(map, row, rowShapes);
  }

  #newMachine(object: CompiledObject): Machine {
    const { host = nowhere } = this.#site;
    return new Machine(object, {
      seed: this.#chance.next(), host: { ...host, random: () => this.#chance.next() },
    });
  }

  /** The machine of the programs on the hooks, at this moment. */
  #machineNow(): Machine {
    const { machine } = this.#hooked;
    const now = this.#site.clock?.now() ?? this.world.now;
    if (now === this.#clockAt) return machine;
    this.#clockAt = now;
    machine.setClock(now, now);
    return machine;
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
const noValue = new Uint8Array();
