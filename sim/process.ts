import type { Clock, Journal, Micros, Random, Timer } from '../lb/ports.ts';
import { KnownName } from './event.ts';
import type { World } from './world.ts';

/** Thrown through a handler to end its process between two port operations; caught by `enter`. */
class CrashSignal extends Error {
  override readonly name = 'CrashSignal';
}

/** Where a node's clocks stand against the world's time. */
export interface ClockSettings {
  readonly ratePpm: number;
  readonly wallOffset: Micros;
}

/**
 * The clocks of one machine. Monotonic time is `base + d + floor(d × ratePpm / 1,000,000)` with `d`
 * the time since the last change of rate; wall time carries its own offset on top.
 */
export class MachineClock {
  #world: World;
  #base: Micros;
  #since: Micros;
  #ratePpm = 0;
  #wallOffset: Micros = 0;

  constructor(world: World) {
    this.#world = world;
    this.#base = world.now;
    this.#since = world.now;
  }

  now(): Micros {
    const elapsed = this.#world.now - this.#since;
    return this.#base + elapsed + Math.floor((elapsed * this.#ratePpm) / 1_000_000);
  }

  wall(): Micros {
    return this.#world.epoch + this.now() + this.#wallOffset;
  }

  setRate(ppm: number): void {
    this.#base = this.now();
    this.#since = this.#world.now;
    this.#ratePpm = ppm;
  }

  /** Moves the wall clock only; monotonic time never jumps. */
  stepWall(offset: Micros): void {
    this.#wallOffset += offset;
  }

  /** World time until this clock has advanced by `delay`; a changed rate is met by asking again. */
  worldDelay(delay: Micros): Micros {
    return Math.ceil((delay * 1_000_000) / (1_000_000 + this.#ratePpm));
  }
}

/**
 * One process of the simulated cluster: everything that is delivered to it goes through `enter`,
 * so a dead process hears nothing and a paused one hears it late, in order.
 */
export class Process {
  readonly name: string;
  readonly world: World;
  readonly clock: MachineClock;
  /** Set when a bug ended the process: the oracle `no-crash` reads it. */
  fault: unknown;
  #alive = true;
  #paused = false;
  #backlog: (() => void)[] = [];
  #crashAfter: number | undefined;
  #onEnd: (() => void)[] = [];

  constructor(world: World, name: string, clock: MachineClock) {
    this.world = world;
    this.name = name;
    this.clock = clock;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** True while a crash is to strike at some port operation. */
  get doomed(): boolean {
    return this.#crashAfter !== undefined;
  }

  /** Runs `handler` now, later, or never, as the process's state says. */
  enter(handler: () => void): void {
    if (!this.#alive) return;
    if (this.#paused) {
      this.#backlog.push(handler);
      return;
    }
    try {
      handler();
    } catch (thrown) {
      this.#end();
      if (!(thrown instanceof CrashSignal)) this.fault = thrown;
    }
  }

  /** Each port operation passes here first: the place where a crash can strike in mid-handler. */
  operation(): void {
    if (!this.#alive) throw new CrashSignal();
    if (this.#crashAfter === undefined) return;
    this.#crashAfter -= 1;
    if (this.#crashAfter >= 0) return;
    this.#end();
    throw new CrashSignal();
  }

  /** Ends the process at its n-th next port operation, 0 being the very next. */
  crashAt(operation: number): void {
    this.#crashAfter = operation;
  }

  crash(): void {
    this.#end();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (this.#alive && !this.#paused) {
      const handler = this.#backlog.shift();
      if (handler === undefined) return;
      this.enter(handler);
    }
  }

  /** Called once when the process ends, however it ends: the kernel closes what it had open. */
  onEnd(listener: () => void): void {
    this.#onEnd.push(listener);
  }

  /** Schedules in world time; delivered through `enter`. */
  // oxlint-disable-next-line max-params -- when, what, work and channel are one act everywhere
  later(delay: Micros, kind: string, callback: () => void, channel?: string): Timer {
    const what = { kind, entity: this.name };
    const options = channel === undefined ? undefined : { channel };
    return this.world.schedule(delay, what, () => this.enter(callback), options);
  }

  #end(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#backlog = [];
    for (const listener of this.#onEnd) listener();
  }
}

/** The `Clock` port of a process, on its machine's clock. */
export function processClock(process: Process): Clock {
  const { clock, world } = process;
  const name = new KnownName('timer', process.name);
  return {
    now: () => clock.now(),
    boot: () => clock.now(),
    wall: () => clock.wall(),
    after(delay, callback) {
      const due = clock.now() + delay;
      let timer: Timer;
      let cancelled = false;
      const arm = (): void => {
        const wait = Math.max(0, clock.worldDelay(due - clock.now()));
        timer = world.schedule(wait, name, fire);
      };
      // The rate may have changed since: a timer that would be early waits for the rest.
      const fire = (): void => {
        if (clock.now() < due) return arm();
        process.enter(() => {
          if (!cancelled) callback();
        });
      };
      arm();
      return {
        cancel() {
          cancelled = true;
          timer.cancel();
        },
      };
    },
  };
}

/** The `Random` port of a process, on a stream of its own. */
export function processRandom(process: Process, stream: string): Random {
  const prng = process.world.stream(stream);
  return { below: (bound) => prng.below(bound), rare: () => false };
}

export function processJournal(process: Process): Journal {
  return { note: (entry) => process.world.note(process.name, entry) };
}
