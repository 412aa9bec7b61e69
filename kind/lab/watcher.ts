import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { OutageMeter } from '../../sim/net/outage.ts';
import type { Machine } from './machine.ts';
import { startIn } from './site.ts';

/** What the LAN said about one address; times in microseconds of CLOCK_MONOTONIC. */
export interface Heard {
  /** Requests in the order in which they were sent, and who answered. */
  readonly asks: readonly { readonly startedAt: number; readonly macs: readonly string[] }[];
  readonly announcements: readonly { readonly at: number; readonly mac: string }[];
}

/** Requests that two hardware addresses or more answered: what must never be. */
export function doubled({ asks }: Heard): number {
  return asks.filter(({ macs }) => macs.length > 1).length;
}

/** Longest time without an answer since `micros`, in milliseconds. */
export function silenceOf({ asks }: Heard, micros = 0): number {
  const later = asks.filter(({ startedAt }) => startedAt >= micros);
  const meter = new OutageMeter();
  for (const { startedAt, macs } of later) meter.add(startedAt, macs.length > 0);
  return meter.longest(later.at(-1)?.startedAt ?? 0) / 1000;
}

/** Asks a segment all the time who has an address, from one of its clients (`segment.ts`). */
export class Watcher {
  #child: ChildProcess;
  #answers = new Map<number, Set<string>>();
  #announcements: { at: number; mac: string }[] = [];
  #asks = new Map<number, number>();
  #closed: Promise<void>;
  /** Resolves with the first answer: from then on nothing is missed. */
  readonly listening: Promise<void>;
  #listens: () => void = () => undefined;

  constructor(client: Machine, ip: string, everyMs: number) {
    this.#child = startIn(
      client.site('watcher'),
      [process.execPath, join(import.meta.dirname, 'segment.ts'), 'eth0', ip, String(everyMs)],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the watcher has an output');
    const lines = createInterface({ input: stdout });
    lines.on('line', (line) => this.#hear(line.split(' ')));
    this.#closed = new Promise((resolve) => { lines.once('close', () => resolve()); });
    this.listening = new Promise((resolve) => { this.#listens = resolve; });
  }

  /** True once that hardware address has announced after `micros`. */
  announcedSince(micros: number, mac: string): boolean {
    return this.#announcements.some((each) => each.mac === mac && each.at > micros);
  }

  async stop(): Promise<Heard> {
    this.#child.stdin?.end();
    await this.#closed;
    if (this.#asks.size === 0) throw new Error('the watcher of the segment asked nothing');
    const asks = [...this.#asks].map(([request, startedAt]) => (
      { startedAt, macs: [...this.#answers.get(request) ?? []] }
    ));
    return { asks, announcements: this.#announcements };
  }

  #hear([word, first = '', second = '']: readonly string[]): void {
    if (word === 'ask') this.#asks.set(Number(first), Number(second));
    else if (word === 'announce') this.#announcements.push({ at: Number(first), mac: second });
    else if (word === 'answer') {
      const macs = this.#answers.get(Number(first)) ?? new Set<string>();
      this.#answers.set(Number(first), macs.add(second));
      this.#listens();
    }
  }
}
