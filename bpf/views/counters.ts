import type { MapEntry } from '../../lb/ports.ts';
import { u32At } from '../bytes.ts';
import { decodeStats, hook as hooks, reason as reasons, stat } from '../layout.gen.ts';

/** What programs of one hook counted under one reason (datapath.md 13). */
export interface PacketCount {
  readonly hook: string;
  /** `none` where packets went on as they were to. */
  readonly reason: string;
  readonly packets: number;
  readonly bytes: number;
}

export interface ProgramCounts {
  /** Those that are not zero. */
  readonly packets: readonly PacketCount[];
  /** Records that found no room in the ring. */
  readonly eventsLost: number;
  /** Looks for a free source port. */
  readonly snatProbes: number;
}

const cellsPerHook = 64;

/** Reads the rows of `fl_stats`, those of all CPUs added up. */
export function programCounts(rows: readonly MapEntry[]): ProgramCounts {
  const [hookNames, reasonNames] = [namesOf(hooks), namesOf(reasons)];
  const counts = { packets: [] as PacketCount[], eventsLost: 0, snatProbes: 0 };
  for (const { key, value } of rows) {
    const cell = u32At(key, 0);
    const { packets: number, bytes: size } = decodeStats(value);
    if (number === 0n) continue;
    const [packets, bytes] = [Number(number), Number(size)];
    const within = cell % cellsPerHook;
    const hook = hookNames.get(Math.floor(cell / cellsPerHook));
    const reason = reasonNames.get(within);
    if (within === stat.eventsLost) counts.eventsLost += packets;
    else if (within === stat.snatProbes) counts.snatProbes += packets;
    else if (hook !== undefined && reason !== undefined) {
      counts.packets.push({ hook, reason, packets, bytes });
    }
  }
  return counts;
}

function namesOf(numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(numbers).map(([name, number]) => [number, name]));
}
