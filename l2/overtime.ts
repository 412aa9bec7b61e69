import type { Clock, Micros, Timer } from '../lb/ports.ts';
import type { Chronicle } from './chronicle.ts';
import type { Duties } from './duties.ts';
import type { ResponderKeys } from './keys.ts';
import type { Ownership } from './ownership.ts';
import type { Session } from './session.ts';
import type { L2Settings } from './settings.ts';

const ahead: Micros = 100_000;

export interface OvertimeParts {
  readonly chronicle: Chronicle;
  readonly clock: Clock;
  readonly wake: (callback: () => void) => void;
  readonly settings: L2Settings;
  readonly keys: ResponderKeys;
  readonly duties: Duties;
  readonly ownership: Ownership;
  readonly session: () => Session;
}

/**
 * Mode `availability` (l2.md 13): shortly before the fence, an owner whose API gives nothing but
 * trouble goes on answering, by keys that it extends itself and that die with it.
 */
export class Overtime {
  #parts: OvertimeParts;
  #timer: Timer | undefined;

  constructor(parts: OvertimeParts) {
    this.#parts = parts;
  }

  /** A renewal counted: the fence moved, and overtime is over. */
  counted(): void {
    const { duties, ownership } = this.#parts;
    if (duties.inOvertime.size > 0) ownership.sendAll({ type: 'COUNTED' });
    this.#arm();
  }

  /** A new session is open: past locks are taken under it, without a gap where that succeeds. */
  sessionLive(): void {
    this.#arm();
  }

  #arm(): void {
    const { clock, settings, session, wake } = this.#parts;
    const { fence } = session();
    if (settings.onApiOutage !== 'availability' || fence === undefined
      || this.#timer !== undefined) return;
    const wait = Math.max(0, fence - ahead - clock.boot());
    this.#timer = clock.after(wait, () => wake(() => {
      this.#timer = undefined;
      this.#due();
    }));
  }

  #due(): void {
    const { clock, session, ownership } = this.#parts;
    const { fence, trouble, state } = session();
    if (fence === undefined) return;
    if (clock.boot() < fence - ahead) return this.#arm();
    if (state !== 'live' || trouble === undefined || !isOutage(trouble.kind)) return;
    ownership.sendAll({ type: 'OVERTIME' });
    this.#extend();
  }

  // Every R, to now + D: death or pause silences an owner in overtime as fast as any other.
  #extend(): void {
    const { clock, settings, keys, duties, wake } = this.#parts;
    if (duties.inOvertime.size === 0) return;
    const expiry = clock.boot() + settings.duration;
    keys.extend([...duties.inOvertime], expiry);
    const seconds = (settings.renew / 1_000_000) * duties.inOvertime.size;
    this.#parts.chronicle.measure('l2_overtime_seconds_total', seconds);
    clock.after(settings.renew, () => wake(() => this.#extend()));
  }
}

function isOutage(kind: string): boolean {
  return kind === 'unreachable' || kind === 'unknown-outcome' || kind === 'server'
    || kind === 'throttled';
}
