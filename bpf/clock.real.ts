import type { Clock, Micros, Timer } from '../lb/ports.ts';
import type { Addon } from './native.real.ts';

/** Time of this machine. Callbacks run on the event loop, one by one. */
export function realClock(addon: Pick<Addon, 'bootNs'>): Clock {
  const now = (): Micros => Number(process.hrtime.bigint() / 1_000n);
  return {
    now,
    boot: () => Number(addon.bootNs() / 1_000n),
    wall: () => Date.now() * 1_000,
    after: (delay, callback) => arm(now, now() + delay, callback),
  };
}

// Longer delays fire at once instead.
const timeoutMsMax = 0x7fff_ffff;

function arm(now: () => Micros, due: Micros, callback: () => void): Timer {
  let cancel: () => void;
  // Timers of the event loop count from the start of its turn and may come early by part of a
  // millisecond.
  const again = (): void => {
    const left = due - now();
    if (left <= 0) {
      const immediate = setImmediate(callback);
      cancel = () => clearImmediate(immediate);
      return;
    }
    const timeout = setTimeout(again, Math.min(timeoutMsMax, Math.ceil(left / 1_000)));
    cancel = () => clearTimeout(timeout);
  };
  again();
  return { cancel: () => cancel() };
}
