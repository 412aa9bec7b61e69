/** What a Service is served by: older first, then by name; undefined creation sorts last. */
export interface Aged {
  readonly createdAtMs: number | undefined;
  readonly namespace: string;
  readonly name: string;
}

/** Age order of lb-ipam.md 1. Distinct objects never compare equal. */
export function compareAge(left: Aged, right: Aged): number {
  const leftTime = left.createdAtMs ?? Infinity;
  const rightTime = right.createdAtMs ?? Infinity;
  if (leftTime !== rightTime) return leftTime < rightTime ? -1 : 1;
  if (left.namespace !== right.namespace) return left.namespace < right.namespace ? -1 : 1;
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}
