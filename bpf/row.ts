import type { Ip } from '../lb/ip.ts';
import { DerivationMemo, type DatapathRecord } from '../lb/serviceport.ts';
import { asciiBytes, decodeRow, encodeRow } from './codec.ts';

/** One entry of `fl_view` or `fl_node` as bytes, with what the reconciler asks about it. */
export interface Row {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
  /** Addresses that this row serves. */
  readonly fronts: readonly Ip[];
}

/** Derivations and their rows, made once for all nodes of a world that cannot tell them apart. */
export class ServicePortMemo extends DerivationMemo {
  #rows = new WeakMap<DatapathRecord, Row>();

  row(record: DatapathRecord): Row {
    const known = this.#rows.get(record);
    if (known !== undefined) return known;
    const key = asciiBytes(record.id);
    const made = { key, bytes: encodeRow(record), fronts: frontsOf(record) };
    this.#rows.set(record, made);
    return made;
  }
}

/** A row as a map holds it. One of another layout serves nothing that this build knows of. */
export function storedRow(key: Uint8Array, bytes: Uint8Array): Row {
  const stored = decodeRow(bytes);
  if (stored?.['kind'] !== 'service-port') return { key, bytes, fronts: [] };
  const lists = [stored['clusterIps'], stored['vips'], stored['externalIps']];
  const fronts = lists.flatMap((list) => (Array.isArray(list) ? (list as Ip[]) : []));
  return { key, bytes, fronts };
}

export function sameBytes(left: Pick<Row, 'bytes'>, right: Pick<Row, 'bytes'>): boolean {
  if (left.bytes === right.bytes) return true;
  if (left.bytes.length !== right.bytes.length) return false;
  for (let index = 0; index < left.bytes.length; index += 1) {
    if (left.bytes[index] !== right.bytes[index]) return false;
  }
  return true;
}

function frontsOf(record: DatapathRecord): readonly Ip[] {
  if (record.kind === 'foreign') return [];
  return [...record.clusterIps, ...record.vips, ...record.externalIps];
}
