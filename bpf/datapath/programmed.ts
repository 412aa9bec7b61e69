import type { Micros } from '../../lb/ports.ts';
import type { ServicePortId } from '../../lb/serviceport.ts';
import type { Backend } from './backends.ts';
import type { Region } from './ids.ts';
import type { RecordImage, SetFields } from './image.ts';
import type { RangeList } from './ranges.ts';

/** One row of `fl_member`: what the kernel has, and what it is to have after the next commit. */
export interface Member {
  readonly backend: Backend;
  /** In the kernel; 0: there is no row. */
  bits: number;
  wanted: number;
  /** In the kernel before the commit that is under way. */
  prior: number;
}

/** The selection tables of a set: one for each scope that has candidates. */
export interface MaglevTables {
  readonly size: number;
  /** `cluster`: no policy asks for the local one. */
  readonly scopes: 'cluster' | 'both';
  readonly local: Region | undefined;
  readonly cluster: Region | undefined;
  /** False until the tables of an earlier process were compared with what they should be. */
  verified: boolean;
}

/** One immutable generation of a service port's selectable endpoints, as it is in the maps. */
export interface ProgrammedSet {
  readonly setId: number;
  readonly fields: SetFields;
  /** In the order of the list region. */
  readonly list: readonly Backend[];
  readonly region: Region | undefined;
  readonly maglev: MaglevTables | undefined;
  readonly ranges: RangeList | undefined;
}

/**
 * One service port on one node: what is wanted of it, and what the kernel holds. The maps are
 * written by others; this says where they stand.
 */
export class Programmed {
  readonly id: ServicePortId;
  /** What is wanted; undefined: nothing any more. */
  wanted: RecordImage | undefined;
  /** The image whose fronts and addresses are in force; it lags behind `wanted` until a commit. */
  shown: RecordImage | undefined;
  /** 0: none was given yet. */
  svcId = 0;
  gen = 0;
  /** The service record is in the map. */
  live = false;
  /** What the record leads to; undefined where that is not known to be whole. */
  set: ProgrammedSet | undefined;
  /** Rows of the set were found changed, so it must be replaced though it is what is wanted. */
  damaged = false;
  members: Member[] = [];
  /** Rows of `fl_front` that name `svcId`. */
  fronts = 0;
  /** When its last front went, while it waits to lose its record. */
  retiredAt: Micros | undefined;

  constructor(id: ServicePortId) {
    this.id = id;
  }
}
