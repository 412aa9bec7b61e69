import type { LiveWorld } from './live.ts';

/**
 * Runs a live world on the host's clock. What the world wants to do to the host is queued as an
 * effect and done after each run, because nothing of the host may be touched inside one.
 */
export class LiveDriver {
  readonly live: LiveWorld;
  readonly #failed: (error: unknown) => void;
  #effects: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #stopped = false;

  /** A failure inside the world is a bug: the driver stops and tells `failed`, or throws it. */
  constructor(live: LiveWorld, failed?: (error: unknown) => void) {
    this.live = live;
    this.#failed = failed ?? ((error) => { throw error; });
  }

  /** The host's monotonic time in whole microseconds. */
  static now(): number {
    return Math.floor(performance.now() * 1000);
  }

  /** Lets time pass from now on. */
  start(): void {
    this.#arm();
  }

  /** Performs `act` inside the world, then whatever it had to tell. */
  enter(what: { kind: string; entity: string }, act: () => void): void {
    if (this.#stopped) return;
    this.#guarded(() => { this.live.enter(LiveDriver.now(), what, act); });
    this.#settle();
  }

  /** Changes the pace: `change` gets the host's time. */
  pace(change: (live: LiveWorld, hostNow: number) => void): void {
    this.#guarded(() => { change(this.live, LiveDriver.now()); });
    this.#settle();
  }

  /** Does `effect` after the present run of the world, in order. */
  afterwards(effect: () => void): void {
    this.#effects.push(effect);
  }

  /** Time stands still for good. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  #advance(): void {
    if (this.#stopped) return;
    let more = false;
    this.#guarded(() => { more = this.live.advance(LiveDriver.now()); });
    this.#flush();
    if (this.#stopped) return;
    if (more) this.#immediate = setImmediate(() => this.#advance());
    else this.#arm();
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.stop();
      this.#failed(error);
    }
  }

  #settle(): void {
    this.#flush();
    clearImmediate(this.#immediate);
    this.#arm();
  }

  #flush(): void {
    // An effect may enter the world again, which adds effects at the end.
    for (let effect = this.#effects.shift(); effect !== undefined; effect = this.#effects.shift()) {
      effect();
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const due = this.live.dueIn(LiveDriver.now());
    if (due === undefined) return;
    this.#timer = setTimeout(() => this.#advance(), Math.ceil(due / 1000));
  }
}
