import type { Micros } from '../../lb/ports.ts';
import { Addresses } from './addresses.ts';
import { Backends } from './backends.ts';
import { Fronts, type FrontRules } from './fronts.ts';
import { IdCounter, IdPool, RegionPool, type Region } from './ids.ts';
import { maps } from '../layout.gen.ts';
import type { MapName } from './writer.ts';
import type { Programmed, ProgrammedSet } from './programmed.ts';
import { Quarantine } from './quarantine.ts';
import type { RangeList } from './ranges.ts';

/** Entries of each map on this node (datapath.md 7, `mapSize`); those left out are medium. */
export type MapLimits = Readonly<Partial<Record<MapName, number>>>;

export function limitOf(limits: MapLimits, map: MapName): number {
  return limits[map] ?? maps[map].entriesMax;
}

/** What a program that runs now may still be reading: sets, regions and ranges (datapath.md 10). */
export const setQuarantine: Micros = 2_000_000;

/** Cells of an old generation that may be used again once no program can hold them. */
type Retired =
  | { readonly kind: 'set'; readonly id: number }
  | { readonly kind: 'region'; readonly region: Region };

/** All ids and tables of one node: who has what. It writes nothing itself. */
export class Stores {
  readonly backends: Backends;
  readonly sets: IdPool;
  readonly regions: RegionPool;
  readonly svcIds: IdCounter;
  readonly rangeIds: IdCounter;
  readonly fronts: Fronts;
  readonly addresses: Addresses;
  /** By svc id: each that was given and whose rows may still be in the maps. */
  readonly bySvcId = new Map<number, Programmed>();
  readonly #rangeIdsInUse = new Set<number>();
  readonly #retired = new Quarantine<Retired>(setQuarantine);
  readonly #retiredRanges = new Quarantine<RangeList>(setQuarantine);
  /** Service ports without fronts, whose records go when no program can have read a front. */
  readonly #retiring = new Quarantine<Programmed>(setQuarantine);

  constructor(limits: MapLimits, rules: FrontRules) {
    this.backends = new Backends(limitOf(limits, 'fl_backend'));
    this.sets = new IdPool(limitOf(limits, 'fl_set'));
    this.regions = new RegionPool(limitOf(limits, 'fl_lut'));
    this.svcIds = new IdCounter((id) => this.bySvcId.has(id));
    this.rangeIds = new IdCounter((id) => this.#rangeIdsInUse.has(id));
    this.fronts = new Fronts(rules);
    this.addresses = new Addresses(rules);
  }

  /**
   * When rows are to be removed; undefined when none wait. Ids and cells need no write to be free,
   * so nobody wakes up for them.
   */
  get nextDue(): Micros | undefined {
    const dues = [this.#retiredRanges.nextDue, this.#retiring.nextDue];
    const known = dues.filter((due) => due !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  hasRanges(id: number): boolean {
    return this.#rangeIdsInUse.has(id);
  }

  useRanges(list: RangeList): void {
    this.#rangeIdsInUse.add(list.id);
  }

  /** Gives back what was never reachable; range rows that were written go like old ones. */
  discard(set: ProgrammedSet, reused: ProgrammedSet | undefined, now: Micros): void {
    this.sets.release(set.setId);
    for (const region of regionsOf(set, reused)) this.regions.release(region);
    if (set.ranges !== undefined && set.ranges !== reused?.ranges) {
      this.retireRanges(set.ranges, now);
    }
  }

  /** Puts what `set` has, and `next` does not go on with, into quarantine. */
  retire(set: ProgrammedSet, next: ProgrammedSet | undefined, now: Micros): void {
    this.#retired.add({ kind: 'set', id: set.setId }, now);
    for (const region of regionsOf(set, next)) this.#retired.add({ kind: 'region', region }, now);
    if (set.ranges !== undefined && set.ranges !== next?.ranges) {
      this.retireRanges(set.ranges, now);
    }
  }

  retireRanges(list: RangeList, now: Micros): void {
    this.#retiredRanges.add(list, now);
  }

  retirePort(port: Programmed, now: Micros): void {
    port.retiredAt = now;
    this.#retiring.add(port, now);
  }

  /** Frees what is due; gives the range lists whose rows may go now. */
  expire(now: Micros): RangeList[] {
    this.backends.expire(now);
    for (const retired of this.#retired.release(now)) {
      if (retired.kind === 'set') this.sets.release(retired.id);
      else this.regions.release(retired.region);
    }
    return this.#retiredRanges.release(now);
  }

  /** The rows of a list are gone, and its id is free. */
  forgetRanges(list: RangeList): void {
    this.#rangeIdsInUse.delete(list.id);
  }

  /** Service ports whose records may go now. */
  retiredPorts(now: Micros): Programmed[] {
    const period = setQuarantine;
    // One that was wanted again in between left the queue; retired once more, it has a later entry.
    return this.#retiring.release(now).filter(
      ({ retiredAt }) => retiredAt !== undefined && retiredAt + period <= now,
    );
  }
}

// Regions of `set` that `kept` has not; a region that two scopes share counts once.
function regionsOf(set: ProgrammedSet, kept: ProgrammedSet | undefined): Region[] {
  const of = (from: ProgrammedSet | undefined): (Region | undefined)[] => [
    from?.region, from?.maglev?.local, from?.maglev?.cluster,
  ];
  const others = new Set(of(kept));
  const regions = new Set(of(set).filter((region) => !others.has(region)));
  return [...regions].filter((region) => region !== undefined);
}
