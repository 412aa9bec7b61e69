import { spawnSync } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './bench.ts';

// Servers and their clients are processes of their own, as they are for a user.
function figure(script: string): number {
  const path = join(import.meta.dirname, 'http', script);
  const run = spawnSync(process.execPath, [path], { encoding: 'utf8', timeout: 60_000 });
  if (run.status !== 0) throw new Error(`${script}: ${run.stderr}`);
  return Number(run.stdout);
}

function kubectlMissing(): string | undefined {
  const { error } = spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
  return error === undefined ? undefined : 'no kubectl on the path';
}

// Three processes that wait for one another say nothing where others want the cores too.
function idle(): boolean {
  return (loadavg()[0] ?? 0) < availableParallelism();
}

export const benches: readonly Bench[] = [
  {
    name: 'http: from the start of sim up to the first answered kubectl get svc',
    unit: 'ms',
    ceiling: 1000,
    skipped: kubectlMissing,
    steady: idle,
    run: () => figure('coldstart.ts'),
  },
  {
    name: 'http: requests of one client over eight connections, a quarter patches',
    unit: '1/s',
    floor: 1000,
    steady: idle,
    run: () => figure('requests.ts'),
  },
];
