import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { BatchResult, MapBatch, MapEntry } from '../lb/ports.ts';
import { KernelMap } from './kernelmap.real.ts';
import { Migration, type LayoutMaps, type RowShapes } from './migration.ts';
import { pinKind, type Addon, type MapHandle } from './native.real.ts';
import { linksFolder } from './programs.real.ts';
import { isRefused } from './refusal.real.ts';
import { shapeOf } from './rowshape.ts';
import { detachAll } from './uninstall.real.ts';
import { Btf } from './vm/btf.ts';

/**
 * Pins of the same node that a program of another layout left, newer or older. Its programs go on
 * with its tables until those of this process have taken over what flows need.
 */
export class Takeover {
  #addon: Addon;
  #folder: string;
  #opened: KernelLayout;
  #migration: Migration;

  /** One for each folder beside `folder`, which holds the pins of this layout. */
  static find(
    addon: Addon, folder: string, maps: ReadonlyMap<string, KernelMap>,
  ): readonly Takeover[] {
    const others = readdirSync(dirname(folder)).filter((name) => name !== basename(folder));
    return others.map((name) => new Takeover(addon, join(dirname(folder), name), maps));
  }

  private constructor(addon: Addon, folder: string, maps: ReadonlyMap<string, KernelMap>) {
    this.#addon = addon;
    this.#folder = folder;
    this.#opened = new KernelLayout(addon, openPins(addon, folder));
    this.#migration = new Migration(this.#opened, new KernelLayout(addon, maps));
    this.#migration.carryFences();
  }

  /** Carries rows of flows over that are not there yet; how many. */
  carryFlows(): number {
    return this.#migration.carryFlows();
  }

  /**
   * Makes the attachments of these pins those of `links`, so that their programs are exchanged in
   * place: sockets, which one program at a time translates; and filters, of which a device has one.
   */
  adoptLinks(links: string, kind: 'sockets' | 'all'): void {
    const from = join(this.#folder, linksFolder);
    for (const name of existsSync(from) ? readdirSync(from) : []) {
      const ofDevice = /-\d+-(?:ingress|egress)/u.test(name);
      if (kind === 'sockets' && ofDevice) continue;
      if (!existsSync(join(links, name))) renameSync(join(from, name), join(links, name));
    }
  }

  /** Takes the programs of the other layout off their hooks, and its tables out of the kernel. */
  release(): string | undefined {
    const detached = detachAll(this.#addon, join(this.#folder, linksFolder));
    if (!detached.ok) return detached.error;
    this.close();
    rmSync(this.#folder, { recursive: true, force: true });
    return undefined;
  }

  close(): void {
    this.#opened.close();
  }
}

function openPins(addon: Addon, folder: string): ReadonlyMap<string, KernelMap> {
  const maps = new Map<string, KernelMap>();
  for (const name of readdirSync(folder)) {
    if (name === linksFolder) continue;
    const handle = addon.openPinned(pinKind.map, join(folder, name));
    if (!isRefused(handle)) maps.set(name, new KernelMap(addon, handle as MapHandle));
  }
  return maps;
}

/** Maps of the kernel, whose BTF says how their rows are laid out. */
class KernelLayout implements LayoutMaps {
  #addon: Addon;
  #maps: ReadonlyMap<string, KernelMap>;
  #types = new Map<number, Btf>();
  #shapes = new Map<string, RowShapes | undefined>();

  constructor(addon: Addon, maps: ReadonlyMap<string, KernelMap>) {
    this.#addon = addon;
    this.#maps = maps;
  }

  shapes(map: string): RowShapes | undefined {
    if (!this.#shapes.has(map)) this.#shapes.set(map, this.#read(map));
    return this.#shapes.get(map);
  }

  *rows(map: string): Iterable<MapEntry> {
    const found = this.#maps.get(map);
    if (found === undefined) return;
    const { keySize, valueSize } = found.facts;
    for (let from: Uint8Array | undefined, first = true; first || from !== undefined;) {
      const { rows: { count, keys, values }, next } = found.scan(first ? undefined : from, 1_000);
      for (let row = 0; row < count; row += 1) {
        yield {
          key: keys.subarray(row * keySize, (row + 1) * keySize),
          value: values.subarray(row * valueSize, (row + 1) * valueSize),
        };
      }
      first = false;
      from = next;
    }
  }

  cell(map: string, index: number): Uint8Array | undefined {
    return this.#maps.get(map)?.lookup(new Uint8Array(Uint32Array.of(index).buffer));
  }

  add(map: string, rows: MapBatch): BatchResult {
    return this.#maps.get(map)?.updateMany(rows, 'noexist')
      ?? { written: 0, error: { kind: 'ENOENT' } };
  }

  close(): void {
    for (const map of this.#maps.values()) map.close();
  }

  #read(map: string): RowShapes | undefined {
    const found = this.#maps.get(map);
    const types = found === undefined ? undefined : this.#addon.mapTypes(found.handle);
    if (types === undefined || isRefused(types)) return undefined;
    const [btfId = 0, keyId = 0, valueId = 0] = types as readonly number[];
    const btf = this.#btf(btfId);
    const value = btf === undefined ? undefined : shapeOf(btf, valueId);
    if (btf === undefined || value === undefined) return undefined;
    return { key: shapeOf(btf, keyId) ?? bareIndex, value };
  }

  #btf(id: number): Btf | undefined {
    const known = this.#types.get(id);
    if (known !== undefined) return known;
    const bytes = this.#addon.btfBytes(id);
    if (isRefused(bytes)) return undefined;
    const btf = new Btf(bytes as Uint8Array);
    this.#types.set(id, btf);
    return btf;
  }
}

/** The key of an array. */
const bareIndex = { bytes: 4, fields: new Map<string, never>() };
