import { err, ok, type Result } from '../lb/result.ts';
import type { Addon, MapHandle, RingHandle } from './native.real.ts';
import { isRefused, refusal, type Refusal } from './refusal.real.ts';

/** Reads the records of a ring buffer in turns of the event loop. */
export interface RingReader {
  /**
   * Reads now, without waiting for the kernel's wake-up: records that were submitted without one
   * are found this way, ten times a second (datapath.md 13).
   */
  drain(): void;
  close(): void;
}

// Room for the records of one turn: 4,096 of the largest kind.
const turnBytes = 4_096 * (8 + 80);
const prefixBytes = 8;

/**
 * Calls `record` for each record of the ring, in order, with bytes that are its own only until it
 * returns. A turn of the event loop takes at most 4,096 records or 2 ms, however many wait; then
 * timers and other work have their turn.
 */
export function readRing(
  addon: Addon, map: MapHandle, record: (bytes: Uint8Array) => void,
): Result<RingReader, Refusal> {
  const ring = addon.ringOpen(map);
  if (isRefused(ring)) return err(refusal('open the ring buffer', ring));
  const reader = new Reader(addon, ring as RingHandle, record);
  const watched = reader.watch();
  if (!isRefused(watched)) return ok(reader);
  reader.close();
  return err(refusal('watch the ring buffer', watched));
}

class Reader implements RingReader {
  #addon: Addon;
  #ring: RingHandle;
  #record: (bytes: Uint8Array) => void;
  #out = new Uint8Array(turnBytes);
  #next: NodeJS.Immediate | undefined;
  #open = true;

  constructor(addon: Addon, ring: RingHandle, record: (bytes: Uint8Array) => void) {
    this.#addon = addon;
    this.#ring = ring;
    this.#record = record;
  }

  watch(): number {
    return this.#addon.watch(this.#ring, () => this.#turn());
  }

  drain(): void {
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      // What is left is not always announced again, so the reader keeps itself going.
      if (this.#turn() > 0) this.drain();
    });
  }

  close(): void {
    this.#open = false;
    clearImmediate(this.#next);
    this.#addon.close(this.#ring);
  }

  /** One turn; how many bytes are still in the ring. */
  #turn(): number {
    if (!this.#open) return 0;
    const read = this.#addon.ringRead(this.#ring, this.#out);
    if (isRefused(read)) {
      // ENOSPC: a record that is larger than all the room.
      this.#out = new Uint8Array(this.#out.length * 2);
      return 1;
    }
    const [count = 0, , left = 0] = read as readonly number[];
    const view = new DataView(this.#out.buffer);
    for (let at = 0, taken = 0; taken < count && this.#open; taken += 1) {
      const size = view.getUint32(at, true);
      this.#record(this.#out.subarray(at + prefixBytes, at + prefixBytes + size));
      at += prefixBytes + Math.ceil(size / 8) * 8;
    }
    // A record that a program is still writing must not keep the loop spinning.
    return count === 0 ? 0 : left;
  }
}
