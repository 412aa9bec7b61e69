import type { Clock, Micros, Timer } from '../../lb/ports.ts';

/** Timers that end together. */
export class Timers {
  #clock: Clock;
  #armed = new Set<Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  after(delay: Micros, run: () => void): void {
    const timer = this.#clock.after(delay, () => {
      this.#armed.delete(timer);
      run();
    });
    this.#armed.add(timer);
  }

  cancelAll(): void {
    for (const timer of this.#armed) timer.cancel();
    this.#armed.clear();
  }
}
