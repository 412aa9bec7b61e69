import { maglevTable } from '../../lb/maglev.ts';
import { protocolNumbers } from '../../lb/murmur.ts';
import { ipFromBytes } from '../../lb/ip.ts';
import type { Protocol } from '../../lb/model.ts';
import { assert } from '../../lb/result.ts';
import { DerivationMemo, type DatapathRecord } from '../../lb/serviceport.ts';
import { addressBytes, imageOf, type BackendImage, type RecordImage } from './image.ts';

/** What a selection table is a function of, beside the endpoints. */
export interface MaglevParameters {
  /** One of `maglevTableSizes`. */
  readonly size: number;
  readonly seed: number;
}

/** Tables kept: each has up to half a megabyte, and few Services change at one time. */
const tablesMax = 16;

const protocols: ReadonlyMap<number, Protocol> = new Map(
  (['TCP', 'UDP', 'SCTP'] as const).map((name) => [protocolNumbers[name], name]),
);

/** Derivations and what follows from them, made once for all nodes of a world. */
export class DatapathMemo extends DerivationMemo {
  #images = new WeakMap<DatapathRecord, RecordImage>();
  #tables = new Map<string, Uint32Array>();

  image(record: DatapathRecord): RecordImage {
    if (this.nodes === 'one') return imageOf(record);
    const known = this.#images.get(record);
    if (known !== undefined) return known;
    const image = imageOf(record);
    this.#images.set(record, image);
    return image;
  }

  /**
   * Index of a candidate per slot. Content is a function of addresses, so nodes that list the same
   * candidates in another order share a table (datapath.md 3).
   */
  maglev(candidates: readonly BackendImage[], parameters: MaglevParameters): MaglevTable {
    const sorted = candidates.map((backend, index) => ({ backend, index }));
    sorted.sort((left, right) => compareKeys(left.backend.key, right.backend.key));
    const ranks = sorted.map(({ index }) => index);
    const endpoints = sorted.map(({ backend }) => backend);
    return { ranks, slots: this.#slots(endpoints, parameters) };
  }

  #slots(endpoints: readonly BackendImage[], parameters: MaglevParameters): Uint32Array {
    const { size, seed } = parameters;
    // Without locality, the last letter of a key: it differs by node and moves no slot.
    const key = `${size} ${seed} ${endpoints.map((of) => of.key.slice(0, -1)).join('')}`;
    const known = this.#tables.get(key);
    this.#tables.delete(key);
    const slots = known ?? slotsOf(endpoints, parameters);
    this.#tables.set(key, slots);
    const [oldest] = this.#tables.keys();
    if (this.#tables.size > tablesMax && oldest !== undefined) this.#tables.delete(oldest);
    return slots;
  }
}

/** `ranks[slots[n]]` is the index of the candidate of slot n. */
export interface MaglevTable {
  readonly slots: Uint32Array;
  readonly ranks: readonly number[];
}

function slotsOf(
  endpoints: readonly BackendImage[], { size, seed }: MaglevParameters,
): Uint32Array {
  const protocol = protocols.get(endpoints[0]?.proto ?? 0);
  assert(protocol !== undefined, 'a table has endpoints of a known protocol');
  const listed = endpoints.map(({ key, port }) => ({ ip: ipFromBytes(addressBytes(key)), port }));
  return maglevTable(listed, { size, seed, protocol });
}

function compareKeys(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
