import type { CompiledObject } from '../../bpf/vm/compile.ts';
import type { Machine } from '../../bpf/vm/machine.ts';
import type { LayoutMaps, RowShapes } from '../../bpf/migration.ts';
import type {
  BatchResult, KernelError, MapBatch, MapEntry, MapFlag, MapKeys, MapPage, MapTally,
} from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { takeKeys } from './batches.ts';
import { SimMap, type MapFault, type MapListener } from './maps.ts';
import { ObjectShapes } from './shapes.ts';

/** The datapath's object of one build, as a load with the settings of a cluster has it. */
export interface NodeObject {
  /** Names the layout of its rows, as it names the folder of the pins (datapath.md 11). */
  readonly layoutHash: string;
  readonly object: CompiledObject;
}

export interface LoadSite {
  machine(object: CompiledObject): Machine;
  readonly strikes: (fault: MapFault) => boolean;
  /** Called after each write of a map from outside the programs. */
  written(map: string, ...row: Parameters<MapListener>): void;
}

/** One object in a simulated kernel: its programs, and the pinned maps that they read. */
export class Loaded implements LayoutMaps {
  readonly layoutHash: string;
  readonly maps: ReadonlyMap<string, SimMap>;
  #site: LoadSite;
  #machine: Machine;
  #shapes: ObjectShapes;

  constructor({ layoutHash, object }: NodeObject, site: LoadSite) {
    this.layoutHash = layoutHash;
    this.#site = site;
    this.#machine = site.machine(object);
    this.#shapes = new ObjectShapes(object.object);
    this.maps = new Map(this.#machine.maps.map((map) => [map.name, new SimMap(map)]));
    for (const [name, map] of this.maps) {
      map.onChange((key, value) => site.written(name, key, value));
    }
  }

  get machine(): Machine {
    return this.#machine;
  }

  get rowShapes(): ObjectShapes {
    return this.#shapes;
  }

  /** Puts other programs before the same rows, as a load does that finds pins of its layout. */
  exchange(object: CompiledObject): void {
    if (object === this.#machine.compiled) return;
    this.#machine = this.#site.machine(object);
    for (const map of this.#machine.maps) this.maps.get(map.name)?.moveTo(map);
  }

  shapes(map: string): RowShapes | undefined {
    return this.#shapes.of(map);
  }

  rows(map: string): readonly MapEntry[] {
    return this.maps.get(map)?.dump() ?? [];
  }

  cell(map: string, index: number): Uint8Array | undefined {
    return this.maps.get(map)?.lookup(new Uint8Array(Uint32Array.of(index).buffer));
  }

  add(map: string, rows: MapBatch): BatchResult {
    return this.updateMany(map, rows, 'noexist');
  }

  update(map: string, entry: MapEntry, flag: MapFlag): Result<void, KernelError> {
    return this.maps.get(map)?.update(entry, flag, this.#site.strikes) ?? err({ kind: 'ENOENT' });
  }

  remove(map: string, key: Uint8Array): Result<void, KernelError> {
    return this.maps.get(map)?.remove(key, this.#site.strikes) ?? err({ kind: 'ENOENT' });
  }

  updateMany(map: string, rows: MapBatch, flag: MapFlag): BatchResult {
    return this.maps.get(map)?.updateMany(rows, flag, this.#site.strikes)
      ?? { written: 0, error: { kind: 'ENOENT' } };
  }

  removeMany(map: string, keys: MapKeys): BatchResult {
    return takeKeys(keys, (key) => this.remove(map, key));
  }

  lookup(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.maps.get(map)?.lookup(key);
  }

  lookupMany(map: string, keys: MapKeys): readonly (Uint8Array | undefined)[] {
    const values: (Uint8Array | undefined)[] = [];
    takeKeys(keys, (key) => {
      values.push(this.lookup(map, key));
      return ok(undefined);
    });
    return values;
  }

  tally(map: string, from: Uint8Array | undefined, rowsMax: number): MapTally {
    return this.maps.get(map)?.tally(from, rowsMax) ?? { count: 0, next: undefined };
  }

  scan(map: string, from: Uint8Array | undefined, rowsMax: number): MapPage {
    return this.maps.get(map)?.scan(from, rowsMax) ?? { rows: noRows, next: undefined };
  }
}

const noRows: MapBatch = { count: 0, keys: new Uint8Array(), values: new Uint8Array() };
