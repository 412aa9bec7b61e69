import { compareText } from '../../lb/table.ts';
/** The middle one of sorted values, the lower of two; undefined of none. */
export function median<T>(sorted: readonly T[]): T | undefined {
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

/** The most frequent text; ties go to the one that sorts first. */
export function mode(texts: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  let best: string | undefined;
  for (const text of [...counts.keys()].sort(compareText)) {
    if (best === undefined || (counts.get(text) ?? 0) > (counts.get(best) ?? 0)) best = text;
  }
  return best;
}
