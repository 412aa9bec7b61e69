import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Machine } from './machine.ts';
import { labProgram } from './programs.ts';
import { startIn } from './site.ts';

/** One request of the probe; times in microseconds of CLOCK_MONOTONIC. */
export interface Attempt {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly worked: boolean;
  /** `ok`, `refused`, `reset`, `timeout` or `unreachable`. */
  readonly outcome: string;
}

export interface ProbeOrder {
  readonly client: Machine;
  readonly ip: string;
  readonly port: number;
  readonly everyMs: number;
  readonly timeoutMs: number;
}

/** Now, on the clock of the probe. */
export function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** A client that connects anew all the time, and an account of what became of it. */
export class Probe {
  #child: ChildProcess;
  #attempts: Attempt[] = [];
  #closed: Promise<void>;

  constructor({ client, ip, port, everyMs, timeoutMs }: ProbeOrder) {
    const program = labProgram('probe');
    if (!program.ok) throw new Error(program.error);
    const words = [program.value, ip, ...[port, everyMs, timeoutMs].map(String)];
    this.#child = startIn(client.site('probe'), words, { stdio: ['ignore', 'pipe', 'ignore'] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the probe has an output');
    const lines = createInterface({ input: stdout });
    lines.on('line', (line) => {
      const [startedAt, endedAt, outcome = ''] = line.split(' ');
      this.#attempts.push({
        startedAt: Number(startedAt), endedAt: Number(endedAt), outcome, worked: outcome === 'ok',
      });
    });
    this.#closed = new Promise((resolve) => { lines.once('close', () => resolve()); });
  }

  /** What has ended so far, in the order of the starts. */
  get attempts(): readonly Attempt[] {
    return this.#attempts.toSorted((left, right) => left.startedAt - right.startedAt);
  }

  /** True when the last request that ended worked and began after `micros`. */
  workedSince(micros: number): boolean {
    const last = this.#attempts.at(-1);
    return last?.worked === true && last.startedAt > micros;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }
}
