import type { Micros } from '../../../lb/ports.ts';
import { parseTimeMs } from '../../../lb/time.ts';

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

interface Unit {
  /** In seconds. */
  readonly unit: number;
  readonly name: string;
}

const minutes: Unit = { unit: minute, name: 'm' };
const hours: Unit = { unit: hour, name: 'h' };
const days: Unit = { unit: day, name: 'd' };

/**
 * How long ago an RFC 3339 time was, as kubectl shows it: `5s`, `2m30s`, `47h`, `3y20d`
 * (`HumanDuration` of k8s.io/apimachinery). `<unknown>` for no time, `<invalid>` for one that is
 * still to come.
 */
export function ageOf(time: unknown, wall: Micros): string {
  const since = typeof time === 'string' ? parseTimeMs(time) : undefined;
  return since === undefined ? '<unknown>' : durationText(Math.floor(wall / 1000) - since);
}

function durationText(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 2 * minute) return `${seconds}s`;
  if (seconds < 10 * minute) return parts(seconds, minutes, { unit: 1, name: 's' });
  if (seconds < 3 * hour) return `${Math.floor(seconds / minute)}m`;
  if (seconds < 8 * hour) return parts(seconds, hours, minutes);
  if (seconds < 48 * hour) return `${Math.floor(seconds / hour)}h`;
  if (seconds < 8 * day) return parts(seconds, days, hours);
  if (seconds < 2 * year) return `${Math.floor(seconds / day)}d`;
  if (seconds < 8 * year) return parts(seconds, { unit: year, name: 'y' }, days);
  return `${Math.floor(seconds / year)}y`;
}

function parts(seconds: number, large: Unit, small: Unit): string {
  const rest = Math.floor((seconds % large.unit) / small.unit);
  const whole = `${Math.floor(seconds / large.unit)}${large.name}`;
  return rest === 0 ? whole : `${whole}${rest}${small.name}`;
}
