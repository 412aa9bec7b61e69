import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './bench.ts';

/** Both figures of one run; the second bench of a round reads what the first measured. */
let figures: readonly number[] = [];

function measure(): readonly number[] {
  const path = join(import.meta.dirname, 'bgp', 'routes.ts');
  const run = spawnSync(process.execPath, [path], { encoding: 'utf8', timeout: 60_000 });
  if (run.status !== 0) throw new Error(`routes.ts: ${run.stderr}`);
  return run.stdout.split(' ').map(Number);
}

function missing(): string | undefined {
  return existsSync('/usr/bin/gobgpd') ? undefined : 'no gobgpd: the Debian package of that name';
}

// Speaker, daemon and routers share the cores.
function idle(): boolean {
  return (loadavg()[0] ?? 0) < availableParallelism();
}

export const benches: readonly Bench[] = [
  {
    name: 'bgp: 10,000 routes from setRoutes to four routers',
    unit: 's',
    ceiling: 5,
    skipped: missing,
    steady: idle,
    run: () => {
      figures = measure();
      return figures[0] ?? Number.NaN;
    },
  },
  {
    name: 'bgp: one withdraw amid 10,000 routes, to the last of four routers',
    unit: 'ms',
    ceiling: 100,
    skipped: missing,
    steady: idle,
    run: () => {
      if (figures.length === 0) figures = measure();
      const [, ms = Number.NaN] = figures;
      figures = [];
      return ms;
    },
  },
];
