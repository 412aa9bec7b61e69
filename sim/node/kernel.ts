import { nodeMap, viewMap, viewRowsMax } from '../../bpf/codec.ts';
import { maps } from '../../bpf/layout.gen.ts';
import { responderEntriesMax, responderMap, responderStats } from '../../l2/responder-map.ts';
import type {
  BatchResult, KernelError, KernelPort, MapBatch, MapEntry, MapFlag, MapKeys, MapPage,
} from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import type { Prng } from '../prng.ts';
import type { Process } from '../process.ts';
import type { World } from '../world.ts';
import { joinRows, pageStart, pageToken, takeKeys, writeRows } from './batches.ts';
import { SlotPool, SimMap, type MapFault, type MapShape } from './maps.ts';

/** The maps that the agent and its programs share, as the object declares them. */
const agentMaps = [
  'fl_front', 'fl_svc', 'fl_set', 'fl_lut', 'fl_backend', 'fl_member', 'fl_range', 'fl_addr',
  'fl_net', 'fl_dev', 'fl_netns', 'fl_cfg', 'fl_snat',
] as const satisfies readonly (keyof typeof maps)[];

const kinds = { hash: 'hash', array: 'array', 'lpm-trie': 'lpm' } as const;

function declared(name: (typeof agentMaps)[number]): MapShape {
  const { type, keyBytes, valueBytes, entriesMax } = maps[name];
  return { kind: kinds[type], entriesMax, keySize: keyBytes, valueSize: valueBytes };
}

const shapes: readonly (readonly [string, MapShape])[] = [
  ...agentMaps.map((name) => [name, declared(name)] as const),
  [viewMap, { entriesMax: viewRowsMax }],
  [nodeMap, { entriesMax: 16 }],
  [responderMap, { entriesMax: responderEntriesMax, keySize: 20, valueSize: 16 }],
  [responderStats, { entriesMax: responderEntriesMax, keySize: 20, valueSize: 8 }],
];

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
  #maps: ReadonlyMap<string, SimMap>;
  #bootId: string;
  #locks = new Map<string, LockWaiter[]>();
  #chance: Prng;

  constructor(world: World, node: string, pool: SlotPool = new SlotPool()) {
    this.world = world;
    this.node = node;
    this.#chance = world.stream(`kernel/${node}`);
    this.#maps = new Map(shapes.map(([name, shape]) => [name, new SimMap(shape, pool)]));
    this.#bootId = this.#drawBootId();
  }

  get bootId(): string {
    return this.#bootId;
  }

  /** The draws that helpers of programs get, `get_prandom_u32` among them. */
  get chance(): Prng {
    return this.#chance;
  }

  /** A map by name, for the programs of this kernel; undefined for one that nobody declared. */
  map(name: string): SimMap | undefined {
    return this.#maps.get(name);
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
    return writeRows(rows, (entry) => this.update(map, entry, flag));
  }

  removeMany(map: string, keys: MapKeys): BatchResult {
    return takeKeys(keys, (key) => this.remove(map, key));
  }

  lookup(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.#maps.get(map)?.peek(key)?.slice();
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
    const passed = pageStart(from);
    const entries = this.#maps.get(map)?.page(passed, rowsMax) ?? [];
    const next = entries.length < rowsMax ? undefined : pageToken(passed + entries.length);
    return { rows: joinRows(entries), next };
  }

  /** All entries, in an order shuffled by the seed: nothing may rely on one. */
  dump(map: string): readonly MapEntry[] {
    // A map never writes to a buffer again once it holds it, so these are as good as copies.
    return this.#chance.shuffle(this.#maps.get(map)?.entries() ?? []);
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
      updateMany: (map, rows, flag) => writeRows(rows, (entry) => update(map, entry, flag)),
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
    for (const map of this.#maps.values()) map.clear();
    this.#locks.clear();
    this.#bootId = this.#drawBootId();
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
