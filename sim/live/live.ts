import type { Micros } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import type { World } from '../world.ts';

/** Virtual time over host time as a fraction: `{virtual: 10, host: 1}` is ten times as fast. */
export interface Rate {
  readonly virtual: number;
  readonly host: number;
}

/** Where a hurry ends: at a virtual time, or as soon as `reached` says so. */
export interface Goal {
  readonly until: Micros;
  readonly reached?: () => boolean;
  /** Called once; `reached` is false when time ran out. */
  readonly done: (reached: boolean) => void;
}

const realTime: Rate = { virtual: 1, host: 1 };
/** Virtual time of one run, so that the host hears its sockets in between. */
const sliceMax: Micros = 100_000;
/** A world that falls further behind than this is not caught up: its time goes slower. */
const lagMax: Micros = 1_000_000;

/**
 * Paces a world by a clock of the host: at a rate, standing still, or as fast as it can to a goal.
 * The host's time is an argument, monotonic and in microseconds. What comes from outside enters as
 * an event of band 0, before everything else of its instant, so that a recorded session repeats.
 */
export class LiveWorld {
  readonly world: World;
  #rate: Rate = realTime;
  #paused = false;
  #goal: Goal | undefined;
  /** The instant at which host and virtual time were last set side by side. */
  #base: { readonly host: Micros; readonly virtual: Micros };

  constructor(world: World, hostNow: Micros) {
    this.world = world;
    this.#base = { host: hostNow, virtual: world.now };
  }

  get rate(): Rate {
    return this.#rate;
  }

  /** True while time stands still. */
  get frozen(): boolean {
    return this.#paused && this.#goal === undefined;
  }

  /** True on the way to a goal. */
  get hurrying(): boolean {
    return this.#goal !== undefined;
  }

  /** Performs `act` as an event of the present instant, and everything of the world before it. */
  enter(hostNow: Micros, what: { kind: string; entity: string }, act: () => void): void {
    this.#stopAt(this.#arrival(hostNow) - this.world.now, what, act);
  }

  /** Runs what is due, a slice at most; true when more is due at once. */
  advance(hostNow: Micros): boolean {
    const { world } = this;
    const goal = this.#goal;
    if (goal !== undefined) return this.#hurry(goal, hostNow);
    if (this.#paused) return false;
    const target = this.#target(hostNow);
    if (target <= world.now) return false;
    if (target - world.now > lagMax * Math.max(1, this.#rate.virtual / this.#rate.host)) {
      this.#rebase(hostNow);
      world.run(world.now + sliceMax);
      return true;
    }
    world.run(Math.min(target, world.now + sliceMax));
    return world.now < target;
  }

  /** Host time until `advance` has something to do; undefined while nothing will come by itself. */
  dueIn(hostNow: Micros): Micros | undefined {
    if (this.#goal !== undefined) return 0;
    const due = this.world.nextDue;
    if (this.#paused || due === undefined) return undefined;
    const { virtual, host } = this.#rate;
    const at = this.#base.host + Math.ceil(((due - this.#base.virtual) * host) / virtual);
    return Math.max(0, at - hostNow);
  }

  /** Time stands still from now on; a hurry is broken off. */
  pause(hostNow: Micros): void {
    this.#breakOff();
    if (this.#paused) return;
    this.enter(hostNow, { kind: 'live.pause', entity: 'live' }, () => undefined);
    this.#paused = true;
  }

  /** Time goes on at the present rate. */
  resume(hostNow: Micros): void {
    this.#breakOff();
    this.#paused = false;
    this.#rebase(hostNow);
  }

  /** Another rate from now on; a world that stands still stays so. */
  setRate(hostNow: Micros, rate: Rate): void {
    assert(rate.virtual > 0 && rate.host > 0, 'a rate is a positive fraction');
    this.#rebase(hostNow);
    this.#rate = rate;
  }

  /** Runs to a goal as fast as it can; afterwards the world stands still or goes on as before. */
  hurry(goal: Goal): void {
    this.#breakOff();
    this.#goal = goal;
  }

  #hurry(goal: Goal, hostNow: Micros): boolean {
    const { world } = this;
    const left = goal.until - world.now;
    // The last slice stops before the other events of its instant, as a pause does.
    if (left > sliceMax) world.run(world.now + sliceMax);
    else this.#stopAt(Math.max(0, left), { kind: 'live.step', entity: 'live' }, () => undefined);
    const reached = goal.reached?.() === true;
    if (!reached && world.now < goal.until) return true;
    this.#goal = undefined;
    this.#rebase(hostNow);
    goal.done(reached);
    return false;
  }

  #stopAt(delay: Micros, what: { kind: string; entity: string }, act: () => void): void {
    const { world } = this;
    let acted = false;
    const run = (): void => {
      act();
      acted = true;
    };
    world.schedule(delay, what, run, { band: 0 });
    world.run(world.now + delay, () => acted);
  }

  // Never an instant whose other events have run already.
  #arrival(hostNow: Micros): Micros {
    const { now } = this.world;
    if (this.frozen) return now;
    const target = this.#goal === undefined ? this.#target(hostNow) : now;
    return Math.max(now + 1, Math.min(target, now + sliceMax));
  }

  #target(hostNow: Micros): Micros {
    const { virtual, host } = this.#rate;
    return this.#base.virtual + Math.floor(((hostNow - this.#base.host) * virtual) / host);
  }

  #rebase(hostNow: Micros): void {
    this.#base = { host: hostNow, virtual: this.world.now };
  }

  #breakOff(): void {
    const goal = this.#goal;
    this.#goal = undefined;
    goal?.done(false);
  }
}
