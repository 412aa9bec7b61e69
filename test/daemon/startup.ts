// Starts an agent over an API server with so many Services and prints what it took, as JSON:
// `node test/daemon/startup.ts 10000`. Run by the bench.
import { readFileSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { DaemonSite } from './site.ts';

/** What one start took. */
export interface StartUp {
  /** From the start of the process to its readiness. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Resident then, and at most until then. */
  readonly residentMiB: number;
  readonly peakMiB: number;
}

const clockTicks = 100;

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / clockTicks;
}

function mebibytes(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'mu').exec(status)?.[1]) / 1024;
}

async function measure(services: number): Promise<StartUp> {
  const site = await DaemonSite.open(services);
  try {
    await site.addNode('a');
    const from = performance.now();
    const agent = site.agent('a', { 'l2.session.duration': '10s', 'datapath.mapSize': 'medium' });
    const until = from + 120_000;
    while (site.probe('a', 'http://127.0.0.1:9474/readyz') !== '200 ok') {
      if (performance.now() > until) throw new Error(`it is not ready: ${agent.stderr}`);
      await after(200);
    }
    const { pid } = agent;
    return {
      seconds: (performance.now() - from) / 1000, cpuSeconds: cpuSeconds(pid),
      residentMiB: mebibytes(pid, 'VmRSS'), peakMiB: mebibytes(pid, 'VmHWM'),
    };
  } finally {
    await site.close();
  }
}

if (import.meta.main) {
  process.stdout.write(`${JSON.stringify(await measure(Number(process.argv[2] ?? '10000')))}\n`);
}
