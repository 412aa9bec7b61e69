import { ip } from '../../lb/ip.ts';
import { maglevTable } from '../../lb/maglev.ts';
import { quantile, Shared } from './rivals/rounds.ts';
import type { Bench } from './bench.ts';

// R8 of datapath.md 19: what a leaving endpoint moves beside its own slots. Pure, so one sample.

const parameters = { size: 16_381, seed: 0x666c6c64, protocol: 'TCP' } as const;

/** For each leaver in turn, the share of all slots that moved though they were not its own. */
function moved(count: number): number[] {
  const endpoints = Array.from({ length: count }, (_, index) => ({
    ip: ip(`10.64.9.${index}`), port: 8080,
  }));
  const before = maglevTable(endpoints, parameters);
  return endpoints.map((_, leaver) => {
    const after = maglevTable(endpoints.filter((_of, index) => index !== leaver), parameters);
    const others = before.filter((owner, slot) => {
      // Without the leaver, those behind it have moved up by one.
      const next = (after[slot] ?? 0) + ((after[slot] ?? 0) >= leaver ? 1 : 0);
      return owner !== leaver && owner !== next;
    });
    return others.length / parameters.size;
  });
}

const samples = new Map(
  [10, 100].map((count) => [count, new Shared(() => moved(count), 1)] as const),
);

function figure(count: number, bounds: { which: 'mean' | 'worst'; ceiling: number }): Bench {
  const { which, ceiling } = bounds;
  const read = samples.get(count)?.reader() ?? ((): number[] => []);
  return {
    name: `maglev: slots moved beside the leaver's, ${which} of ${count} endpoints`,
    unit: '%', ceiling,
    run: () => {
      const shares = read();
      const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
      return 100 * (which === 'mean' ? mean : quantile(shares, 1));
    },
  };
}

export const benches: readonly Bench[] = [
  figure(10, { which: 'mean', ceiling: 0.7 }),
  figure(100, { which: 'mean', ceiling: 1.5 }),
  figure(10, { which: 'worst', ceiling: 1.8 }),
  figure(100, { which: 'worst', ceiling: 1.8 }),
];
