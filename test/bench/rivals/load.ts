import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { alive } from '../../kernel/place.ts';
import { prefix } from './guard.ts';
import type { World } from './lab.ts';
import { netnsPath, runTool } from './tools.ts';

/** What the load generator saw in one run. */
export interface LoadOutcome {
  readonly done: number;
  readonly failed: number;
  /** Median from the call of `connect` to its success: the first packet and its answer. */
  readonly connectUs: number;
  /** Median from the call of `connect` to the close after the answer. */
  readonly wholeUs: number;
  readonly perSecond: number;
  /** CPU time of the client's process for one connection, the packets that it sent included. */
  readonly cpuUs: number;
}

export interface LoadOrder {
  readonly world: World;
  readonly target: string;
  readonly port: number;
  readonly count: number;
  /** Connections at once. */
  readonly inflight: number;
  /** The cgroup.procs file that the client joins. */
  readonly cgroup?: string | undefined;
}

let built: string | undefined;

/** The load generator, compiled at the first call; the guard removes it. */
export function loadProgram(): string {
  if (built !== undefined) return built;
  const folder = join(tmpdir(), `${prefix}load`);
  mkdirSync(folder);
  const program = join(folder, 'load');
  runTool(`cc -O2 -o ${program} ${join(import.meta.dirname, 'load.c')}`);
  built = program;
  return program;
}

/** A run of the load in the background, client on CPU 0. */
export interface LoadInBackground {
  running(): boolean;
  /** What it saw, once it runs no longer. */
  outcome(): LoadOutcome;
}

/** Starts a run of the load and returns at once; it ends by itself within 20 s. */
export function startLoad(order: LoadOrder): LoadInBackground {
  const folder = dirname(loadProgram());
  const report = join(folder, 'report');
  const output = openSync(report, 'w');
  const child = spawn(loadProgram(), wordsOf(order), { stdio: ['ignore', output, 'ignore'] });
  child.unref();
  closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw new Error('the load does not start');
  return {
    running: () => alive(pid),
    outcome: () => JSON.parse(readFileSync(report, 'utf8')) as LoadOutcome,
  };
}

function wordsOf(order: LoadOrder): string[] {
  const { world, target, port, count, inflight, cgroup = '-' } = order;
  const words = ['run', netnsPath(world.client), '0', cgroup, target, port, count, inflight];
  return words.map(String);
}

/** One run of the load, client on CPU 0. Throws when a connection failed: that is no figure. */
export function runLoad(order: LoadOrder): LoadOutcome {
  const { world, target, port, count } = order;
  const { status, signal, stdout, stderr } = spawnSync(loadProgram(), wordsOf(order), {
    encoding: 'utf8', timeout: 25_000, killSignal: 'SIGKILL',
  });
  const where = `load in ${world.client} on ${target}:${port}`;
  if (status !== 0) throw new Error(`${where}: ${signal ?? stderr}`);
  const outcome = JSON.parse(stdout) as LoadOutcome;
  if (outcome.failed > 0) throw new Error(`${where}: ${outcome.failed} of ${count} failed`);
  return outcome;
}
