import type { PortRange } from '../lb/datapathoptions.ts';

/**
 * What `net.ipv4.ip_local_reserved_ports` is to say so that no socket takes a port of `range` for
 * itself: what it says now and what of the range it lacks. Undefined: it says so already.
 */
export function reservedPorts(text: string, range: PortRange): string | undefined {
  const present = text.trim().split(',').filter((part) => part !== '');
  const ranges = present.map((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return { first, last };
  }).toSorted((left, right) => left.first - right.first);
  let next = range.first;
  for (const { first, last } of ranges) {
    if (first <= next) next = Math.max(next, last + 1);
  }
  if (next > range.last) return undefined;
  return [...present, `${next}-${range.last}`].join(',');
}
