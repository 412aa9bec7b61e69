import type { Clock, Micros, Timer } from '../../lb/ports.ts';

/** The host's clock, so many times as fast: what waits for a minute is over in a moment. */
export class FastClock implements Clock {
  readonly #speed: number;

  constructor(speed: number) {
    this.#speed = speed;
  }

  now(): Micros {
    return Math.floor(performance.now() * 1000 * this.#speed);
  }

  boot(): Micros {
    return this.now();
  }

  wall(): Micros {
    return this.now();
  }

  after(delay: Micros, callback: () => void): Timer {
    const timer = setTimeout(callback, Math.ceil(delay / 1000 / this.#speed));
    return { cancel: () => { clearTimeout(timer); } };
  }
}
