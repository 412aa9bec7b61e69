import { parse as parseYaml } from 'yaml';
import type { Micros } from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { faultsOf } from '../fault/fault.ts';
import { parseDuration } from '../scenario/quantity.ts';
import type { FaultUse } from '../scenario/spec.ts';
import type { Rate } from './live.ts';

/** One line of control of a live cluster (simulator.md 7.2). */
export type Command =
  | { readonly kind: 'pause' | 'resume' | 'status' | 'faults' | 'help' }
  | { readonly kind: 'quit' }
  | { readonly kind: 'none' }
  | { readonly kind: 'step'; readonly time: Micros }
  | { readonly kind: 'rate'; readonly rate: Rate }
  | {
    readonly kind: 'until'; readonly state: 'converged' | 'quiescent'; readonly timeout: Micros;
  }
  | { readonly kind: 'fault'; readonly use: FaultUse }
  | {
    readonly kind: 'heal'; readonly name: string;
    readonly with: Readonly<Record<string, unknown>> | undefined;
  }
  | { readonly kind: 'save'; readonly file: string };

/** What `help` prints. */
export const commandHelp = `\
pause                        time stands still; requests are still served
resume                       time goes on
step [TIME]                  so much virtual time passes at once, 1s unless given
10x, 0.5x                    virtual time against real time
until converged [TIMEOUT]    as fast as it can until nothing is under way and all is as desired
until quiescent [TIMEOUT]    as fast as it can until nothing is under way
fault NAME KEY=VALUE… [for=TIME]   strikes now, as in scenario files; \`faults\` lists them
heal NAME [KEY=VALUE…]       ends faults of that name
faults                       names of all faults, and those in force
status                       time, nodes, Services, what is under way
save FILE                    writes everything that was done as a scenario for \`sim run\`
quit                         ends the cluster
`;

const second: Micros = 1_000_000;
const plain = ['pause', 'resume', 'status', 'faults', 'help', 'quit'] as const;

/** Reads one line; the error is a sentence. Empty lines and comments are `none`. */
export function parseCommand(line: string): Result<Command, string> {
  const [word = '', ...rest] = line.replace(/#.*$/u, '').trim().split(/\s+/u);
  if (word === '') return ok({ kind: 'none' });
  const simple = plain.find((name) => name === (word === 'exit' ? 'quit' : word));
  if (simple !== undefined) {
    return rest.length === 0 ? ok({ kind: simple }) : err(`${word} takes nothing after it`);
  }
  switch (word) {
    case 'step': return withDuration(rest, second, (time) => ({ kind: 'step', time }));
    case 'until': return parseUntil(rest);
    case 'fault': return parseFault(rest);
    case 'heal': return parseHeal(rest);
    case 'save': {
      const [file, ...more] = rest;
      return file === undefined || more.length > 0
        ? err('save takes the name of a file')
        : ok({ kind: 'save', file });
    }
    default: return parseRate(word, rest);
  }
}

function withDuration(
  words: readonly string[], usual: Micros, command: (time: Micros) => Command,
): Result<Command, string> {
  const [text, ...more] = words;
  const time = text === undefined ? usual : parseDuration(text);
  if (time === undefined || more.length > 0) {
    return err(`'${words.join(' ')}' is no time such as 30s or 500ms`);
  }
  return ok(command(time));
}

function parseUntil([state, ...rest]: readonly string[]): Result<Command, string> {
  if (state !== 'converged' && state !== 'quiescent') {
    return err('until takes converged or quiescent');
  }
  return withDuration(rest, 600 * second, (timeout) => ({ kind: 'until', state, timeout }));
}

/** A rate as it is written and shown: `10x`, `0.5x`; undefined when it is none. */
export function parseRateText(text: string): Rate | undefined {
  const [, whole, fraction = ''] = /^(\d{1,6})(?:\.(\d{1,3}))?x$/u.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const virtual = Number(whole) * 1000 + Number(fraction.padEnd(3, '0'));
  return virtual === 0 ? undefined : { virtual, host: 1000 };
}

function parseRate(word: string, rest: readonly string[]): Result<Command, string> {
  const rate = parseRateText(word);
  if (rate !== undefined && rest.length === 0) return ok({ kind: 'rate', rate });
  return err(`unknown command '${word}'; help lists all`);
}

function parseFault([name, ...rest]: readonly string[]): Result<Command, string> {
  if (name === undefined) return err('fault takes the name of a fault; faults lists them');
  const pairs = parsePairs(rest);
  if (!pairs.ok) return pairs;
  const { for: bound, ...parameters } = pairs.value;
  const duration = typeof bound === 'string' ? parseDuration(bound) : undefined;
  if (bound !== undefined && duration === undefined) return err('for takes a time such as 30s');
  const use: FaultUse = { name, with: parameters, for: duration, path: 'fault' };
  const faults = faultsOf(use);
  if (faults.length === 0) return ok({ kind: 'fault', use });
  return err(faults.map(({ path, message }) => `${path}: ${message}`).join('\n'));
}

function parseHeal([name, ...rest]: readonly string[]): Result<Command, string> {
  if (name === undefined) return err('heal takes the name of a fault');
  const pairs = parsePairs(rest);
  if (!pairs.ok) return pairs;
  return ok({ kind: 'heal', name, with: rest.length === 0 ? undefined : pairs.value });
}

// Values are read as a scenario file would read them: `port=80` is a number, `node=[a,b]` a list.
function parsePairs(words: readonly string[]): Result<Record<string, unknown>, string> {
  const pairs: Record<string, unknown> = {};
  for (const word of words) {
    const [, key, text] = /^([a-zA-Z-]+)=(.+)$/u.exec(word) ?? [];
    if (key === undefined || text === undefined) return err(`'${word}' is not KEY=VALUE`);
    try {
      pairs[key] = parseYaml(text);
    } catch {
      return err(`the value of '${word}' cannot be read`);
    }
  }
  return ok(pairs);
}
