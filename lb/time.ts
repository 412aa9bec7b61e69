import type { Micros } from './ports.ts';

const dayMs = 86_400_000;
const date = String.raw`(\d{4})-(\d\d)-(\d\d)`;
const time = String.raw`(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?`;
const zone = String.raw`(?:[Zz]|([+-])(\d\d):(\d\d))`;
const pattern = new RegExp(`^${date}[Tt]${time}${zone}$`, 'u');

/**
 * Milliseconds since the Unix epoch of an RFC 3339 text, or undefined. A text without a zone is
 * refused, because its meaning would depend on the reader; a leap second counts as the next minute.
 */
export function parseTimeMs(text: string): number | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const number = (group: number): number => Number(match[group] ?? 0);
  const [year, month, day] = [number(1), number(2), number(3)];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  const [hour, minute, second] = [number(4), number(5), number(6)];
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  if (number(9) > 23 || number(10) > 59) return undefined;
  const fractionMs = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  const zoneMinutes = (number(9) * 60 + number(10)) * (match[8] === '-' ? -1 : 1);
  const minutes = hour * 60 + minute - zoneMinutes;
  return daysSinceEpoch(year, month, day) * dayMs + (minutes * 60 + second) * 1000 + fractionMs;
}

/** `2026-01-01T00:00:00Z`, fractions cut off: metav1.Time. `wall` is since 1970, not negative. */
export function formatTime(wall: Micros): string {
  return `${formatSeconds(Math.floor(wall / 1_000_000))}Z`;
}

/** `2026-01-01T00:00:00.000000Z`: metav1.MicroTime, as Leases carry it. */
export function formatMicroTime(wall: Micros): string {
  const seconds = Math.floor(wall / 1_000_000);
  return `${formatSeconds(seconds)}.${pad(wall - seconds * 1_000_000, 6)}Z`;
}

function formatSeconds(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const rest = seconds - days * 86_400;
  const { year, month, day } = civil(days);
  const clock = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60];
  const dateText = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
  return `${dateText}T${clock.map((part) => pad(part, 2)).join(':')}`;
}

function pad(number: number, width: number): string {
  return String(number).padStart(width, '0');
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

// Proleptic Gregorian calendar by eras of 400 years, years counted from March so that the leap day
// comes last; Date is banned in the core, and it reads texts without a zone as local time.
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leaps = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * 146_097 + yearOfEra * 365 + leaps + dayOfYear - 719_468;
}

function civil(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const centuryLeaps = Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + centuryLeaps) / 365);
  const leaps = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = dayOfEra - (365 * yearOfEra + leaps);
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return { year, month, day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1 };
}
