import type { Micros } from '../../lb/ports.ts';

const unitMicros: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
};

/**
 * `200ms`, `10s`, `1h30m`: whole microseconds; undefined when the text is no duration with units.
 */
export function parseDuration(text: string): Micros | undefined {
  if (!/^(?:\d+(?:\.\d{1,3})?(?:us|ms|s|m|h|d))+$/u.test(text)) return undefined;
  let total = 0;
  for (const [, whole, fraction, unit] of text.matchAll(/(\d+)(?:\.(\d{1,3}))?(us|ms|s|m|h|d)/gu)) {
    const micros = unitMicros[unit ?? ''] ?? 0;
    const thousandths = Number((fraction ?? '').padEnd(3, '0'));
    total += Number(whole) * micros + Math.floor((thousandths * micros) / 1000);
  }
  return Number.isSafeInteger(total) ? total : undefined;
}

/** A duration as people read it: `350 ms`, `6.2 s`, `50 s`, `5 min 52 s`. */
export function formatDuration(micros: Micros): string {
  if (micros < 1_000_000) return `${Math.round(micros / 1000)} ms`;
  if (micros < 60_000_000) return `${trimTenth(Math.round(micros / 100_000))} s`;
  const seconds = Math.round(micros / 1_000_000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function trimTenth(tenths: number): string {
  return tenths % 10 === 0 ? String(tenths / 10) : `${Math.floor(tenths / 10)}.${tenths % 10}`;
}

/** `3%` or `30000ppm` as parts per million; undefined when the text is no ratio. */
export function parseRatio(text: string): number | undefined {
  const match = /^(\d+)(?:\.(\d{1,4}))?(%|ppm)$/u.exec(text);
  if (match === null) return undefined;
  const [, whole, fraction, unit] = match;
  if (unit === 'ppm') return fraction === undefined ? Number(whole) : undefined;
  const ppm = Number(whole) * 10_000 + Number((fraction ?? '').padEnd(4, '0'));
  return ppm <= 1_000_000 ? ppm : undefined;
}
