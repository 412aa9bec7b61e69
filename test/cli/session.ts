import type { Console } from '../../cli/console.ts';
import { run } from '../../cli/program.ts';

export interface Ran {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

export interface Circumstances {
  readonly input?: string;
  readonly outTty?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs one command line in this process and keeps what it printed. */
export async function fairlead(words: readonly string[], more: Circumstances = {}): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const console: Console = {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    outTty: more.outTty ?? false,
    env: more.env ?? {},
    input: () => Promise.resolve(more.input ?? ''),
  };
  const exitCode = await run(words, console);
  return { exitCode, out: out.join(''), err: err.join('') };
}
