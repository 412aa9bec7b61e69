import { assert } from '../../lb/result.ts';
import { place } from './layout.ts';
import { contextBytes } from './packet.ts';
import type { Redirect, Runtime } from './runtime.ts';

/**
 * What a packet came to. Bytes and context are copied when they are asked for, which must be before
 * the next run of the machine: most packets are dropped or passed on, and copies are what costs.
 */
export class PacketOutcome {
  /** What the program returned, u32: TC_ACT_* or XDP_*. */
  readonly verdict: number;
  /** Where the last redirecting helper points; only a verdict of "redirect" makes it count. */
  readonly redirect: Redirect | undefined;
  readonly #runtime: Runtime;
  readonly #run: number;

  constructor(runtime: Runtime, verdict: number) {
    this.verdict = verdict;
    this.redirect = runtime.redirect;
    this.#runtime = runtime;
    this.#run = runtime.runs;
  }

  /** The packet as the program left it, a copy. */
  get bytes(): Uint8Array {
    const { packet } = this.#runtime;
    return this.#copy(packet.data, packet.end);
  }

  /** The context as the program left it, a copy; its packet pointers mean nothing now. */
  get context(): Uint8Array {
    const { kind } = this.#runtime.packet;
    return this.#copy(place.context, place.context + contextBytes[kind === 'xdp' ? 'xdp' : 'skb']);
  }

  #copy(from: number, to: number): Uint8Array {
    assert(this.#run === this.#runtime.runs, 'an outcome is read before the next run');
    return this.#runtime.memory.bytes.slice(from, to);
  }
}
