import type { Prefix } from '../lb/ip.ts';
import type { Micros } from '../lb/ports.ts';
import type { Route } from './port.ts';

const windowFor: Micros = 10_000_000;
const withdrawsMax = 3;
const restFor: Micros = 1_000_000;

/** What may be announced now, and when to look again for what may not. */
export interface Damped {
  readonly routes: readonly Route[];
  readonly due: Micros | undefined;
}

/**
 * Keeps flapping readiness from tripping the route damping of routers (RFC 2439): a prefix that one
 * peer lost more than three times in ten seconds comes back no sooner than a second after it was
 * last withdrawn. Withdraws are never held (bgp.md 3).
 */
export class Damping {
  #withdraws = new Map<Prefix, Micros[]>();

  /** The routes of `wanted` that may be announced besides those of `before`. */
  permit(before: readonly Route[], wanted: readonly Route[], now: Micros): Damped {
    if (this.#withdraws.size === 0) return { routes: wanted, due: undefined };
    this.#forget(now);
    const present = new Set(before.map(({ prefix }) => prefix));
    let due: Micros | undefined;
    const routes = wanted.filter(({ prefix }) => {
      if (present.has(prefix)) return true;
      const times = this.#withdraws.get(prefix) ?? [];
      const free = (times.at(-1) ?? 0) + restFor;
      if (times.length <= withdrawsMax || free <= now) return true;
      due = Math.min(due ?? free, free);
      return false;
    });
    return { routes: routes.length === wanted.length ? wanted : routes, due };
  }

  /** Notes what was withdrawn. */
  note(gone: readonly Prefix[], now: Micros): void {
    for (const prefix of gone) {
      const times = this.#withdraws.get(prefix);
      if (times === undefined) this.#withdraws.set(prefix, [now]);
      else times.push(now);
    }
  }

  #forget(now: Micros): void {
    for (const [prefix, times] of this.#withdraws) {
      const recent = times.filter((time) => time > now - windowFor);
      if (recent.length === 0) this.#withdraws.delete(prefix);
      else if (recent.length < times.length) this.#withdraws.set(prefix, recent);
    }
  }
}
