import type { Micros } from '../lb/ports.ts';

const ms = 1000;
/** Microseconds. */
export const second = 1_000_000;

/** How a daemon announces (l2.md 2.2). Durations in microseconds. */
export interface L2Settings {
  /** D: how long one counted renewal lets the node answer. */
  readonly duration: Micros;
  /** R: the renewal interval. */
  readonly renew: Micros;
  /** Managed devices as names or RE2 expressions; empty: with a Node address or a default route. */
  readonly devices: readonly string[];
  readonly onApiOutage: 'strict' | 'availability';
  readonly preempt: 'none' | 'graceful';
  /** 0: never. */
  readonly reannounceInterval: Micros;
  readonly ignoreExcludeLabel: boolean;
  readonly responder: 'auto' | 'ebpf' | 'fallback';
}

export interface L2SettingsRead {
  readonly settings: L2Settings;
  /** One sentence per value that was not taken as written, with the value in force. */
  readonly warnings: readonly string[];
}

/**
 * Reads `l2.session.duration` and its siblings; an absent key means its default. A value out of
 * bounds becomes the nearest bound, an unreadable one the default, each with a warning: a typing
 * error must not take every address down.
 */
export function parseL2Settings(record: Readonly<Record<string, unknown>>): L2SettingsRead {
  const reader = new SettingsReader(record);
  const duration = reader.duration(
    'l2.session.duration', { usual: 5 * second, low: second, high: 60 * second },
  );
  const renewMax = Math.floor(duration / 4);
  const renew = reader.duration('l2.session.renew', {
    usual: Math.min(second, renewMax), low: 100 * ms, high: renewMax,
  });
  const onApiOutage = reader.choice('l2.onApiOutage', ['strict', 'availability'] as const);
  const reannounceInterval = reader.duration('l2.reannounceInterval', {
    usual: onApiOutage === 'availability' ? 10 * second : 60 * second,
    low: 10 * second, high: Number.MAX_SAFE_INTEGER, off: true,
  });
  const settings = {
    duration,
    renew,
    devices: reader.texts('l2.devices'),
    onApiOutage,
    preempt: reader.choice('l2.preempt', ['none', 'graceful'] as const),
    reannounceInterval,
    ignoreExcludeLabel: reader.fact('l2.ignoreExcludeLabel'),
    responder: reader.choice('l2.responder', ['auto', 'ebpf', 'fallback'] as const),
  };
  return { settings, warnings: reader.warnings };
}

interface Bounds {
  readonly usual: Micros;
  readonly low: Micros;
  readonly high: Micros;
  /** 0 switches off and is below no bound. */
  readonly off?: boolean;
}

class SettingsReader {
  readonly warnings: string[] = [];
  #record: Readonly<Record<string, unknown>>;

  constructor(record: Readonly<Record<string, unknown>>) {
    this.#record = record;
  }

  duration(key: string, bounds: Bounds): Micros {
    const value = this.#record[key];
    if (value === undefined) return bounds.usual;
    const parsed = parseDuration(value);
    if (parsed === undefined) {
      return this.#warn(key, value, { effective: bounds.usual, shown: durationText(bounds.usual) });
    }
    if (parsed === 0 && bounds.off === true) return 0;
    const effective = Math.min(Math.max(parsed, bounds.low), bounds.high);
    if (effective !== parsed) this.#warn(key, value, { effective, shown: durationText(effective) });
    return effective;
  }

  choice<T extends string>(key: string, values: readonly [T, ...T[]]): T {
    const value = this.#record[key];
    if (value === undefined) return values[0];
    const found = values.find((one) => one === value);
    return found ?? this.#warn(key, value, { effective: values[0], shown: values[0] });
  }

  fact(key: string): boolean {
    const value = this.#record[key];
    if (value === undefined || value === false || value === 'false') return false;
    if (value === true || value === 'true') return true;
    return this.#warn(key, value, { effective: false, shown: 'false' });
  }

  texts(key: string): readonly string[] {
    const value = this.#record[key];
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
    if (typeof value === 'string') {
      return value.split(',').map((one) => one.trim()).filter((one) => one !== '');
    }
    return this.#warn(key, value, { effective: [], shown: 'automatic' });
  }

  #warn<T>(key: string, value: unknown, of: { readonly effective: T; readonly shown: string }): T {
    const { effective, shown } = of;
    this.warnings.push(
      `${key} ${JSON.stringify(value)} is out of bounds or unreadable; ${shown} is in force`,
    );
    return effective;
  }
}

const units: ReadonlyMap<string, Micros> = new Map([
  ['us', 1], ['µs', 1], ['ms', ms], ['s', second], ['m', 60 * second], ['h', 3600 * second],
]);

/** Go's spelling of a duration, `1m30s` or `500ms`; a bare 0 is 0. Undefined: none. */
export function parseDuration(value: unknown): Micros | undefined {
  if (value === 0 || value === '0') return 0;
  if (typeof value !== 'string' || !/^(?:[0-9]+(?:\.[0-9]+)?(?:us|µs|ms|s|m|h))+$/u.test(value)) {
    return undefined;
  }
  let sum = 0;
  for (const part of value.matchAll(/([0-9.]+)(us|µs|ms|s|m|h)/gu)) {
    sum += Math.round(Number(part[1]) * (units.get(part[2] ?? '') ?? 0));
  }
  return Number.isSafeInteger(sum) ? sum : undefined;
}

/** `1.25s`, `100ms`: for people. */
export function durationText(duration: Micros): string {
  return duration >= second ? `${duration / second}s` : `${duration / ms}ms`;
}

/** W of a session: how long silence must last before anybody may close it (l2.md 5.1). */
export function silenceOf(duration: Micros): Micros {
  return Math.ceil((duration * 101) / 100) + 10 * ms;
}
