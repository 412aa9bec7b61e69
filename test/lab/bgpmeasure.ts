import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { run as runCommand } from '../../cli/program.ts';
import { prepareFault } from '../../kind/lab/faults.ts';
import { Lab } from '../../kind/lab/lab.ts';
import { monotonicMicros, Probe } from '../../kind/lab/probe.ts';
import { agentReady } from '../../kind/lab/up.ts';
import { runIn } from '../../kind/lab/site.ts';
import { root } from '../tidy/sources.ts';

/** Hold and keepalive times, in seconds, and what bgp.md 1 says of a silent death with them. */
const timers = [
  { hold: 9, keepalive: 3, bound: '6 to 9 s' }, { hold: 3, keepalive: 1, bound: '2 to 3 s' },
] as const;
const service = '203.0.113.0';
const node = 'rack-a-1';
const nextHop = '10.10.1.101';
const patienceMs = 90_000;

/**
 * Cuts the power of a node of the racks again and again, without graceful restart, and prints how
 * long requests of a client behind the routers failed and its next hop stayed in a router's kernel.
 */
export async function measureBgp(runs: number): Promise<void> {
  for (const { hold, keepalive, bound } of timers) {
    const folder = manifestsWith(hold, keepalive);
    const name = `bgp-${process.pid}`;
    try {
      const lab = await raise(name, folder);
      const outages: number[] = [];
      const stale: number[] = [];
      for (let run = 0; run < runs; run += 1) {
        const { outageMs, staleMs } = await strike(lab);
        outages.push(outageMs);
        stale.push(staleMs);
      }
      process.stdout.write(`hold ${hold} s, keepalive ${keepalive} s, ${runs} runs: requests failed`
        + ` for ${spread(outages)}, the route stayed ${spread(stale)} (bgp.md: ${bound})\n`);
    } finally {
      const found = Lab.open(name);
      if (found.ok) await found.value.down();
      rmSync(folder, { recursive: true });
    }
  }
}

function manifestsWith(hold: number, keepalive: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-bgp-'));
  cpSync(join(root, 'kind/examples/bgp-rack'), folder, { recursive: true });
  const file = join(folder, 'fairlead.yaml');
  const text = readFileSync(file, 'utf8')
    .replaceAll('holdTimeSeconds: 9', `holdTimeSeconds: ${hold}`)
    .replaceAll('keepAliveTimeSeconds: 3', `keepAliveTimeSeconds: ${keepalive}`)
    .replaceAll('gracefulRestart: {enabled: true', 'gracefulRestart: {enabled: false');
  writeFileSync(file, text);
  return folder;
}

async function raise(name: string, folder: string): Promise<Lab> {
  let printed = '';
  const code = await runCommand(['lab', 'up', '-m', folder, '--name', name], {
    out: () => undefined, err: (text) => { printed += text; }, outTty: false, env: {},
    input: () => Promise.resolve(''),
  });
  const found = Lab.open(name);
  if (code !== 0 || !found.ok) throw new Error(printed);
  return found.value;
}

async function strike(lab: Lab): Promise<{ readonly outageMs: number; readonly staleMs: number }> {
  await until('every path is there', () => listed(lab) && paths(lab) === 2);
  const probe = new Probe({
    client: lab.machine('phone'), ip: service, port: 443, everyMs: 20, timeoutMs: 1_000,
  });
  try {
    await until('requests work', () => probe.workedSince(0));
    // Not always at the same time after a keepalive.
    await rest(1_000 + Math.random() * 3_000);
    const cut = await prepareFault(
      lab, { name: 'node.powerOff', with: { node }, for: undefined, path: '' },
    );
    const struckAt = monotonicMicros();
    const heal = await cut();
    await until('the route is gone', () => !listed(lab));
    const staleMs = (monotonicMicros() - struckAt) / 1_000;
    await rest(2_500);
    const failed = probe.attempts.filter((one) => one.endedAt > struckAt && !one.worked);
    await heal();
    await agentReady(lab, lab.machine(node));
    const last = failed.at(-1)?.startedAt ?? struckAt;
    return { outageMs: Math.max(0, last - struckAt) / 1_000, staleMs };
  } finally {
    await probe.stop();
  }
}

function listed(lab: Lab): boolean {
  return routesAt(lab, 'tor-a1').includes(nextHop);
}

function paths(lab: Lab): number {
  return [...routesAt(lab, 'router').matchAll(/via /gu)].length;
}

function routesAt(lab: Lab, machine: string): string {
  return runIn(lab.machine(machine).site('measure'), ['ip', 'route', 'show', service]);
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${patienceMs} ms`);
    await rest(20);
  }
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((left, right) => left - right);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  return `${Math.round(median)} ms (${Math.round(sorted[0] ?? 0)} to`
    + ` ${Math.round(sorted.at(-1) ?? 0)})`;
}
