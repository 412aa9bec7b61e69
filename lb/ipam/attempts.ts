import type { Clock, Micros, Timer } from '../ports.ts';
import type { WriteError } from '../status.ts';

/** Waits between attempts of one write, doubling to 300 s (lb-ipam.md 10.5). */
export const retryDelays: readonly Micros[] = [
  250_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000, 16_000_000, 32_000_000,
  64_000_000, 128_000_000, 256_000_000, 300_000_000,
];

const retryDelayMax: Micros = 300_000_000;

/** A conflict promises a newer object; a watch that does not bring one is not waited for longer. */
const conflictPatience: Micros = 30_000_000;

/** The writes of one object: one at a time, with patience after an error. */
export class Attempts {
  inFlight = false;
  #failures = 0;
  #timer: Timer | undefined;
  // The stored version that a write was refused for: a newer one must come first.
  #refused: string | undefined;
  #patience: Timer | undefined;

  get waiting(): boolean {
    return this.#timer !== undefined || this.#patience !== undefined;
  }

  /** True when a write on top of that stored version may be tried now. */
  ready(resourceVersion: string): boolean {
    return !this.inFlight && this.#timer === undefined && this.#refused !== resourceVersion;
  }

  begin(): void {
    this.inFlight = true;
    this.#forgive();
  }

  succeed(): void {
    this.inFlight = false;
    this.#failures = 0;
  }

  /** `again` runs when the next attempt is due; after a conflict the newer object brings it. */
  fail(error: WriteError, on: { clock: Clock; version: string; again: () => void }): void {
    this.inFlight = false;
    if (error.kind === 'conflict') {
      this.#refused = on.version;
      this.#patience = on.clock.after(conflictPatience, () => {
        this.#forgive();
        on.again();
      });
      return;
    }
    const planned = retryDelays[Math.min(this.#failures, retryDelays.length - 1)];
    this.#failures += 1;
    // What the server calls invalid will not heal soon, but an upgrade of its schema may heal it.
    const delay = error.kind === 'invalid' ? retryDelayMax : planned ?? retryDelayMax;
    this.#timer = on.clock.after(Math.max(delay, error.retryAfter ?? 0), () => {
      this.#timer = undefined;
      on.again();
    });
  }

  /** Nothing is left to write: what was waited for has come about. */
  rest(): void {
    if (!this.inFlight) this.stop();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#forgive();
  }

  #forgive(): void {
    this.#patience?.cancel();
    this.#patience = undefined;
    this.#refused = undefined;
  }
}

const microsPerSecond = 1_000_000;

/** Writes per second on average, with a burst; in whole millionths of a write. */
export class TokenBucket {
  #qps: number;
  #full: number;
  #level: number;
  #since: Micros;

  constructor(limits: { readonly qps: number; readonly burst: number }, now: Micros) {
    this.#qps = limits.qps;
    this.#full = limits.burst * microsPerSecond;
    this.#level = this.#full;
    this.#since = now;
  }

  /** Other limits from now on; what was saved up stays, as far as the new burst allows. */
  limit(limits: { readonly qps: number; readonly burst: number }, now: Micros): void {
    this.#fill(now);
    this.#qps = limits.qps;
    this.#full = limits.burst * microsPerSecond;
  }

  /** True when a write may go now; whoever sends it spends it. */
  available(now: Micros): boolean {
    this.#fill(now);
    return this.#level >= microsPerSecond;
  }

  spend(): void {
    this.#level -= microsPerSecond;
  }

  /** Time until a write is available. */
  wait(now: Micros): Micros {
    this.#fill(now);
    return Math.max(0, Math.ceil((microsPerSecond - this.#level) / this.#qps));
  }

  #fill(now: Micros): void {
    const elapsed = Math.min(now - this.#since, 3600 * microsPerSecond);
    this.#level = Math.min(this.#full, this.#level + elapsed * this.#qps);
    this.#since = now;
  }
}
