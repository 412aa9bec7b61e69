import type { BatchResult, MapBatch, MapEntry } from '../lb/ports.ts';
import { assert } from '../lb/result.ts';
import { putU32, u32At } from './bytes.ts';
import { bytesText } from './datapath/image.ts';
import { reshape, type Shape } from './rowshape.ts';

/** The layouts of a map's rows. */
export interface RowShapes {
  readonly key: Shape;
  readonly value: Shape;
}

/** The maps of one layout, with the layouts of their rows. */
export interface LayoutMaps {
  /** Undefined for a map that the layout has not. */
  shapes(map: string): RowShapes | undefined;
  /** Rows in no order. */
  rows(map: string): Iterable<MapEntry>;
  /** A cell of an array; undefined where there is none. */
  cell(map: string, index: number): Uint8Array | undefined;
  /** Writes rows that are not there yet, one after the other up to the first refusal. */
  add(map: string, rows: MapBatch): BatchResult;
}

/** Tables that programs write: what a flow needs to go on (datapath.md 11, "Other layout"). */
const flowMaps = ['fl_ct', 'fl_snat', 'fl_aff', 'fl_sk'] as const;
/** What keeps an address answered until its owner is back. The fence in a row counts on. */
const fenceMaps = ['fl_l2'] as const;

/** Tables that say what the ids in those rows mean. */
const idMaps = ['fl_front', 'fl_backend', 'fl_member'] as const;

const batchRows = 1_000;

/**
 * Carries rows of one layout over to another, whichever is the newer. Fields are found by name, so
 * that both need know nothing of each other; ids are those of a node's tables and differ between
 * the two, so services are found by their fronts and endpoints by their addresses.
 */
export class Migration {
  #before: LayoutMaps;
  #after: LayoutMaps;

  constructor(before: LayoutMaps, after: LayoutMaps) {
    this.#before = before;
    this.#after = after;
  }

  /** Carries the announcements over, before anybody reads them. */
  carryFences(): void {
    for (const map of fenceMaps) this.#carry(map, undefined);
  }

  /**
   * Carries flows over that the new tables lack; how many. The new tables of Services are complete.
   * May be repeated: what is there already is the newer one.
   */
  carryFlows(): number {
    // Pins of a start that came to nothing have no rows that anything could be read from.
    const readable = [this.#before, this.#after].every(
      (maps) => idMaps.every((map) => maps.shapes(map) !== undefined),
    );
    if (!readable) return 0;
    const ids = new Ids(this.#before, this.#after);
    let carried = 0;
    for (const map of flowMaps) carried += this.#carry(map, ids);
    return carried;
  }

  #carry(map: string, ids: Ids | undefined): number {
    const [from, to] = [this.#before.shapes(map), this.#after.shapes(map)];
    if (from === undefined || to === undefined) return 0;
    const rows = new Rows(this.#after, map, to);
    for (const { key, value } of this.#before.rows(map)) {
      const row = {
        key: reshape(key, { from: from.key, to: to.key }),
        value: reshape(value, { from: from.value, to: to.value }),
      };
      if (ids?.rename(row.key, to.key) === false) continue;
      ids?.rename(row.value, to.value);
      rows.push(row);
    }
    return rows.flush();
  }
}

/** Rows on their way, some at a time. */
class Rows {
  #maps: LayoutMaps;
  #map: string;
  #shapes: RowShapes;
  #keys: Uint8Array;
  #values: Uint8Array;
  #count = 0;
  #written = 0;
  #full = false;

  constructor(maps: LayoutMaps, map: string, shapes: RowShapes) {
    this.#maps = maps;
    this.#map = map;
    this.#shapes = shapes;
    this.#keys = new Uint8Array(batchRows * shapes.key.bytes);
    this.#values = new Uint8Array(batchRows * shapes.value.bytes);
  }

  push({ key, value }: MapEntry): void {
    this.#keys.set(key, this.#count * this.#shapes.key.bytes);
    this.#values.set(value, this.#count * this.#shapes.value.bytes);
    this.#count += 1;
    if (this.#count === batchRows) this.flush();
  }

  /** Writes what waits; how many rows were written in all. */
  flush(): number {
    const { key, value } = this.#shapes;
    for (let from = 0; from < this.#count && !this.#full;) {
      const { written, error } = this.#maps.add(this.#map, {
        count: this.#count - from,
        keys: this.#keys.subarray(from * key.bytes, this.#count * key.bytes),
        values: this.#values.subarray(from * value.bytes, this.#count * value.bytes),
      });
      this.#written += written;
      from += written;
      if (error === undefined) break;
      // A row that is there is newer; a full map takes no more.
      if (error.kind === 'EEXIST') from += 1;
      else this.#full = true;
    }
    this.#count = 0;
    return this.#written;
  }
}

/** Fields of a backend that say which one it is; its other fields are of one use of an id. */
const passing = ['gen', 'ifindex'] as const;

/** Ids of one layout's tables in terms of the other's. */
class Ids {
  #before: LayoutMaps;
  #services = new Map<number, number>();
  #endpoints = new Map<string, number>();
  #known = new Map<number, number>();
  #backend: { readonly from: Shape; readonly to: Shape };

  constructor(before: LayoutMaps, after: LayoutMaps) {
    this.#before = before;
    const shapes = (map: string): { from: RowShapes; to: RowShapes } => {
      const [from, to] = [before.shapes(map), after.shapes(map)];
      assert(from !== undefined && to !== undefined, `${map} is in every layout`);
      return { from, to };
    };
    const fronts = shapes('fl_front');
    const fresh = new Map<string, number>();
    for (const { key, value } of after.rows('fl_front')) {
      fresh.set(bytesText(key), word(value, fronts.to.value, 'svc_id'));
    }
    for (const { key, value } of before.rows('fl_front')) {
      const front = reshape(key, { from: fronts.from.key, to: fronts.to.key });
      const id = fresh.get(bytesText(front));
      if (id !== undefined) this.#services.set(word(value, fronts.from.value, 'svc_id'), id);
    }
    const backend = shapes('fl_backend');
    this.#backend = { from: backend.from.value, to: backend.to.value };
    const members = shapes('fl_member');
    for (const { key } of after.rows('fl_member')) {
      const id = word(key, members.to.key, 'backend_id');
      const cell = after.cell('fl_backend', id);
      if (cell !== undefined) this.#endpoints.set(this.#identity(cell.slice()), id);
    }
  }

  /**
   * Puts ids of the new tables in the place of old ones; false where the row is about a service
   * that is gone. No endpoint has id 0 and no generation is 0: a UDP flow asks for its endpoint's
   * membership with its next packet (datapath.md 8.4).
   */
  rename(bytes: Uint8Array, shape: Shape): boolean {
    const service = shape.fields.get('svc_id');
    const id = service === undefined ? 0 : this.#services.get(u32At(bytes, service.offset));
    if (service !== undefined) putU32(bytes, service.offset, id ?? 0);
    const backend = shape.fields.get('backend_id');
    if (backend !== undefined) {
      putU32(bytes, backend.offset, this.#endpoint(u32At(bytes, backend.offset)));
    }
    const gen = shape.fields.get('gen');
    if (gen !== undefined) putU32(bytes, gen.offset, 0);
    return id !== undefined;
  }

  #endpoint(before: number): number {
    if (before === 0) return 0;
    const known = this.#known.get(before);
    if (known !== undefined) return known;
    const cell = this.#before.cell('fl_backend', before);
    const id = cell === undefined
      ? 0 : this.#endpoints.get(this.#identity(reshape(cell, this.#backend))) ?? 0;
    this.#known.set(before, id);
    return id;
  }

  #identity(value: Uint8Array): string {
    for (const name of passing) {
      const field = this.#backend.to.fields.get(name);
      if (field !== undefined) value.fill(0, field.offset, field.offset + field.bytes);
    }
    return bytesText(value);
  }
}

function word(bytes: Uint8Array, shape: Shape, name: string): number {
  const field = shape.fields.get(name);
  assert(field !== undefined, `${name} is in every layout`);
  return u32At(bytes, field.offset);
}
