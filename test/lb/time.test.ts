import test from 'ava';
import fc from 'fast-check';
import { formatMicroTime, formatTime, parseTimeMs } from '../../lb/time.ts';

const reads = test.macro({
  exec: (t, text: string, ms: number | undefined) => t.is(parseTimeMs(text), ms),
  title: (_, text, ms) => `'${text}' is ${ms === undefined ? 'no time' : `${ms} ms`}`,
});
test(reads, '1970-01-01T00:00:00Z', 0);
test(reads, '2026-01-01T00:00:00Z', 1_767_225_600_000);
test(reads, '2024-02-29T12:00:00.123456Z', 1_709_208_000_123);
test(reads, '2026-01-01T02:00:00+02:00', 1_767_225_600_000);
test(reads, '2025-12-31T22:30:00-01:30', 1_767_225_600_000);
test(reads, '2026-01-01T00:00:00', undefined); // no zone: the reader's zone must not decide
test(reads, '2023-02-29T00:00:00Z', undefined);
test(reads, '2026-13-01T00:00:00Z', undefined);
test(reads, '2026-01-01T24:00:00Z', undefined);
test(reads, '2026-01-01T00:60:00Z', undefined);
test(reads, '2026-01-01T00:00:00+24:00', undefined);
test(reads, '2026-01-01 00:00:00Z', undefined);
test(reads, '2026-01-01', undefined);
test(reads, '', undefined);

test('times are written as the API server writes them', (t) => {
  t.is(formatTime(1_767_225_600_999_999), '2026-01-01T00:00:00Z');
  t.is(formatMicroTime(1_767_225_600_000_042), '2026-01-01T00:00:00.000042Z');
});

test('every instant agrees with the calendar of the engine', (t) => {
  // Safe integers of microseconds reach to the year 2255.
  const instants = fc.integer({ min: 0, max: 9_007_199_254_740 });
  fc.assert(fc.property(instants, (ms) => {
    const text = new Date(ms).toISOString();
    return parseTimeMs(text) === ms && formatMicroTime(ms * 1000) === text.replace('Z', '000Z');
  }), { seed: 1, numRuns: 2000 });
  t.pass();
});
