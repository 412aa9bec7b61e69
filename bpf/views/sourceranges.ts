import { ipFromBytes } from '../../lb/ip.ts';
import { decodeRange, decodeRangeKey, decodeSvcKey, rangeBit } from '../layout.gen.ts';
import { faultText } from './mapfault.ts';
import type { MapReader } from './mapreader.ts';
import { walkService } from './servicewalk.ts';
import { comparePlaces } from './spelling.ts';

/** One source range of a service port, or the want of all of them. */
export interface RangeView {
  /** Undefined: no service port refers to the list any more. */
  readonly svc: number | undefined;
  readonly range: number;
  readonly prefix: string | undefined;
  /** `admit`, or `self`: its address only as a front's own source (datapath.md 4.3). */
  readonly flags: readonly string[];
  readonly fault: string | undefined;
}

interface Row {
  readonly rangeId: number;
  readonly prefixlen: number;
  readonly addr: Uint8Array;
  readonly bits: number;
}

/** The length of a range row counts the 32 bits of its list's id. */
const idBits = 32;
const mappedBits = 96;

/** Source ranges by service port and prefix; lists without service port last. */
export function rangeViews(maps: MapReader): RangeView[] {
  const lists = new Map<number, Row[]>();
  for (const { key, value } of maps.dump('fl_range')) {
    const row = { ...decodeRangeKey(key), bits: decodeRange(value).bits };
    const list = lists.get(row.rangeId);
    if (list === undefined) lists.set(row.rangeId, [row]);
    else list.push(row);
  }
  const used = new Set<number>();
  const views = rangedServices(maps).flatMap(({ svc, range }) => {
    used.add(range);
    const rows = lists.get(range);
    return rows === undefined ? [missing(svc, range)] : listViews(svc, rows);
  });
  const left = [...lists].filter(([range]) => !used.has(range)).sort(([one], [two]) => one - two);
  return [...views, ...left.flatMap(([, rows]) => listViews(undefined, rows))];
}

function rangedServices(maps: MapReader): { readonly svc: number; readonly range: number }[] {
  const ids = maps.dump('fl_svc').map(({ key }) => decodeSvcKey(key).svcId);
  return ids.sort((left, right) => left - right).flatMap((svc) => {
    const range = walkService(maps, svc).set?.rangeId ?? 0;
    return range === 0 ? [] : [{ svc, range }];
  });
}

// The list without rows admits nobody, so its service port serves nobody from outside.
function missing(svc: number, range: number): RangeView {
  const fault = faultText({ kind: 'range-missing', rangeId: range });
  return { svc, range, prefix: undefined, flags: [], fault };
}

function listViews(svc: number | undefined, rows: readonly Row[]): RangeView[] {
  const place = ({ addr }: Row): { addr: Uint8Array; port: number } => ({ addr, port: 0 });
  return rows.toSorted((left, right) => (
    comparePlaces(place(left), place(right)) || left.prefixlen - right.prefixlen
  )).map((row) => ({
    svc, range: row.rangeId, prefix: prefixText(row), flags: flagsOf(row), fault: undefined,
  }));
}

function flagsOf({ bits }: Row): string[] {
  const flags = [[rangeBit.admit, 'admit'], [rangeBit.self, 'self']] as const;
  return flags.flatMap(([bit, text]) => ((bits & bit) === 0 ? [] : [text]));
}

function prefixText({ addr, prefixlen }: Row): string {
  const address = ipFromBytes(addr);
  const bits = prefixlen - idBits;
  return `${address}/${address.includes(':') ? bits : bits - mappedBits}`;
}
