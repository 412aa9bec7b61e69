import type { Clock, KernelPort, MapBatch, Micros, Timer } from '../../lb/ports.ts';
import { decodeFlow, decodeFlowKey, flowBit, flowBytes, flowKeyBytes } from '../layout.gen.ts';

/** Rows read in one call, and one pass over the whole map (datapath.md 8.4). */
const pageRows = 4_096;
const passEvery: Micros = 30_000_000;

const udp = 17;
const sctp = 132;
const finished = flowBit.rstClient | flowBit.rstEndpoint;

/** A map of flows that the agent goes through. */
export type FlowMap = (typeof walked)[number];

/** What age alone decides about a row of `fl_snat`. */
export interface FlowAge {
  /** IP protocol number. */
  readonly proto: number;
  /** Bits of `flowBit`. */
  readonly state: number;
}

/** Seconds without a packet after which a row counts as absent (datapath.md 8.4). */
export function flowLifetime({ proto, state }: FlowAge): number {
  const answered = (state & flowBit.answered) !== 0;
  if (proto === udp) return answered ? 120 : 30;
  if (proto === sctp) return 600;
  const fins = Number((state & flowBit.finClient) !== 0) + Number(
    (state & flowBit.finEndpoint) !== 0,
  );
  if ((state & finished) !== 0 || fins === 2) return 10;
  if (fins === 1) return 3_600;
  return answered ? 7_440 : 60;
}

/** Gone through one after the other in each pass; the second for its count only. */
const walked = ['fl_snat', 'fl_ct'] as const;

/**
 * Removes rows of `fl_snat` that are older than their life: a plain hash evicts nothing by itself.
 * A row is judged by its age and never by the list of endpoints, because most of its endpoints are
 * on other nodes (cilium#29667). The kernel evicts rows of `fl_ct`, so those are counted. One page
 * a step, one pass in half a minute.
 */
export class FlowGarbage {
  #clock: Clock;
  #kernel: KernelPort;
  #timer: Timer | undefined;
  #from: Uint8Array | undefined;
  /** Rows of each map, as the pass met them that ended last; old ones too. */
  readonly rows = new Map<FlowMap, number>();
  #walking = 0;
  #met = 0;

  constructor(clock: Clock, kernel: KernelPort) {
    this.#clock = clock;
    this.#kernel = kernel;
  }

  start(): void {
    this.#arm(passEvery);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(delay: Micros): void {
    this.#timer = this.#clock.after(delay, () => this.#step());
  }

  #step(): void {
    const map = walked[this.#walking] ?? 'fl_snat';
    const next = map === 'fl_snat' ? this.#walkOld(map) : this.#count(map);
    this.#from = next;
    if (next === undefined) {
      this.rows.set(map, this.#met);
      this.#met = 0;
      this.#walking = (this.#walking + 1) % walked.length;
    }
    this.#arm(next === undefined && this.#walking === 0 ? passEvery : 0);
  }

  #walkOld(map: 'fl_snat'): Uint8Array | undefined {
    const { rows, next } = this.#kernel.scan(map, this.#from, pageRows);
    this.#met += rows.count;
    this.#removeOld(rows);
    return next;
  }

  #count(map: FlowMap): Uint8Array | undefined {
    const { count, next } = this.#kernel.tally(map, this.#from, pageRows);
    this.#met += count;
    return next;
  }

  #removeOld(rows: MapBatch): void {
    const nowS = Math.floor(this.#clock.now() / 1_000_000);
    const old: number[] = [];
    for (let row = 0; row < rows.count; row += 1) {
      const { proto } = decodeFlowKey(rows.keys, row * flowKeyBytes);
      const { state, lastS } = decodeFlow(rows.values, row * flowBytes);
      if (nowS - lastS >= flowLifetime({ proto, state })) old.push(row);
    }
    const keys = new Uint8Array(old.length * flowKeyBytes);
    for (const [index, row] of old.entries()) {
      const from = row * flowKeyBytes;
      keys.set(rows.keys.subarray(from, from + flowKeyBytes), index * flowKeyBytes);
    }
    // A refusal costs nothing: the row is met again in the next pass.
    if (old.length > 0) this.#kernel.removeMany('fl_snat', { count: old.length, keys });
  }
}
