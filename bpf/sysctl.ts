import type { PortRange } from '../lb/datapathoptions.ts';

/**
 * What `net.ipv4.ip_local_reserved_ports` is to say so that no socket takes a port of `range` for
 * itself: what it says now and what of the range it lacks. Undefined: it says so already.
 */
export function reservedPorts(text: string, range: PortRange): string | undefined {
  let next = range.first;
  for (const { first, last } of portRanges(text)) {
    if (first <= next) next = Math.max(next, last + 1);
  }
  if (next > range.last) return undefined;
  return [...parts(text), `${next}-${range.last}`].join(',');
}

/** So few local ports would end the host's own calls sooner than a clumsy draw. */
const localPortsMin = 4_096;

/**
 * What `net.ipv4.ip_local_port_range` is to say where `range` has its upper end: the ports below.
 * A draw that falls on a reserved port goes on upwards and then begins anew (__inet_hash_connect,
 * net/ipv4/inet_hashtables.c), so a reserved end makes the lowest port that of nearly every second
 * call, and two calls that reach one endpoint by different fronts soon share their ports.
 * Undefined: nothing is to be changed, or too few would be left.
 */
export function localPortRange(text: string, range: PortRange): string | undefined {
  const [first = 0, last = 0] = text.trim().split(/\s+/u).map(Number);
  if (range.last < last || range.first > last) return undefined;
  return range.first - first < localPortsMin ? undefined : `${first}\t${range.first - 1}`;
}

/** A sysctl that we wrote: what it said before, and what we made of it. */
export interface SysctlRecord {
  readonly before: string;
  readonly after: string;
}

/**
 * What a file is to say when our change goes; undefined where somebody has changed it since, whose
 * change stands. Of lists of ports ours alone go: others may have reserved more, and the kernel
 * writes touching ranges as one.
 */
export function restoredText(
  { before, after }: SysctlRecord, now: string, kind: 'ports' | 'value',
): string | undefined {
  if (kind === 'value') return now.trim() === after.trim() ? before : undefined;
  const [old, ours] = [portRanges(before), portRanges(after)];
  const kept = portRanges(now).flatMap(({ first, last }) => (
    Array.from({ length: last - first + 1 }, (_, offset) => first + offset)
  )).filter((port) => !covers(ours, port) || covers(old, port));
  const ranges: { first: number; last: number }[] = [];
  for (const port of kept) {
    const end = ranges.at(-1);
    if (end !== undefined && end.last === port - 1) end.last = port;
    else ranges.push({ first: port, last: port });
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(',');
}

function parts(text: string): string[] {
  return text.trim().split(',').filter((part) => part !== '');
}

function portRanges(text: string): PortRange[] {
  return parts(text).map((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return { first, last };
  }).toSorted((left, right) => left.first - right.first);
}

function covers(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(({ first, last }) => first <= port && port <= last);
}
