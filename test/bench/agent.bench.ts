import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { StartUp } from '../daemon/startup.ts';
import { root } from '../tidy/sources.ts';
import type { Bench } from './bench.ts';
import { missingFor } from './rivals/ready.ts';

// Issue of the agent's process: what its start takes in a cluster of 10,000 Services. The pod's
// limit is 384 MiB (interface.md 15).

const services = 10_000;
let last: StartUp | undefined;

/** One start serves the figures of one round, in the order in which they stand below. */
function startUp(again: boolean): StartUp {
  if (again || last === undefined) {
    const script = join(root, 'test/daemon/startup.ts');
    const said = execFileSync(process.execPath, [script, String(services)], {
      encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'],
    });
    last = JSON.parse(said) as StartUp;
  }
  return last;
}

export const benches: readonly Bench[] = [
  {
    name: 'agent of 10k Services: CPU until it is ready', unit: 's', ceiling: 6, long: true,
    skipped: () => missingFor('curl'),
    run: () => startUp(true).cpuSeconds,
    notes: () => `${startUp(false).seconds.toFixed(1)} s by the clock`,
  },
  {
    name: 'agent of 10k Services: resident memory', unit: 'MiB', ceiling: 384, long: true,
    skipped: () => missingFor('curl'),
    run: () => startUp(false).residentMiB,
    notes: () => `peak ${startUp(false).peakMiB.toFixed(0)} MiB`,
  },
];
