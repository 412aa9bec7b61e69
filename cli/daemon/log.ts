import type { Journal, JournalEntry, Sample } from '../../lb/ports.ts';
import type { Console } from '../console.ts';

export type LogLevel = JournalEntry['level'];
export type LogFormat = 'json' | 'text';

/** What a line is about, beside what was said. */
export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Levels of components that have one of their own. */
  readonly components: Readonly<Record<string, LogLevel>>;
}

export interface LogOrder {
  readonly settings: LogSettings;
  readonly node: string;
  readonly write: (line: string) => void;
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  readonly measure: (sample: Sample) => void;
}

const order: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const repeatMs = 60_000;
/** Different lines that are remembered; beyond it the oldest may be told again early. */
const rememberedMax = 1_000;

/**
 * The journal of a process as lines on stderr (interface.md 14): JSON objects, or text. An equal
 * line within a minute is counted instead of told; the next one says how many there were.
 */
export class Log implements Journal {
  #order: LogOrder;
  #settings: LogSettings;
  #followers = new Set<(entry: JournalEntry) => void>();
  #told = new Map<string, { at: number; held: number }>();

  constructor(of: LogOrder) {
    this.#order = of;
    this.#settings = of.settings;
  }

  get settings(): LogSettings {
    return this.#settings;
  }

  set settings(settings: LogSettings) {
    this.#settings = settings;
  }

  /** Every entry from now on, whatever the levels; the answer ends it. */
  follow(listener: (entry: JournalEntry) => void): () => void {
    this.#followers.add(listener);
    return () => void this.#followers.delete(listener);
  }

  measure(sample: Sample): void {
    this.#order.measure(sample);
  }

  note(entry: JournalEntry): void {
    for (const follower of this.#followers) follower(entry);
    const { level, components } = this.#settings;
    const least = components[entry.component] ?? level;
    if (order[entry.level] < order[least]) return;
    const now = this.#order.now();
    const key = [entry.level, entry.component, entry.code, entry.object, entry.text].join('\0');
    const before = this.#told.get(key);
    if (before !== undefined && now - before.at < repeatMs) {
      before.held += 1;
      return;
    }
    this.#told.delete(key);
    this.#told.set(key, { at: now, held: 0 });
    for (const [oldest] of this.#told) {
      if (this.#told.size <= rememberedMax) break;
      this.#told.delete(oldest);
    }
    this.#order.write(this.#line(entry, { now, repeats: before?.held ?? 0 }));
  }

  #line(entry: JournalEntry, { now, repeats }: { now: number; repeats: number }): string {
    const ts = new Date(now).toISOString();
    const { level, component, code, object, text } = entry;
    if (this.#settings.format === 'text') {
      const about = object === undefined ? '' : ` ${object}`;
      const again = repeats === 0 ? '' : ` (${repeats} more in the last minute)`;
      return `${ts} ${level.padEnd(5)} ${component} ${code}${about}: ${text}${again}\n`;
    }
    return `${JSON.stringify({
      ts, level, msg: text, component, node: this.#order.node, reason: code, ...fieldsOf(object),
      ...(repeats === 0 ? {} : { repeats }),
    })}\n`;
  }
}

/** The object of an entry under the names of interface.md 14. */
function fieldsOf(object: string | undefined): Readonly<Record<string, string>> {
  if (object === undefined) return {};
  const [kind = '', name = ''] = object.split(' ', 2);
  if (kind.toLowerCase() === 'service' && name !== '') return { service: name };
  return /^[0-9a-f.:]+$/u.test(object) ? { ip: object } : { object };
}

/** The log of a process by `log.*`; text where stderr is a terminal and nothing else is said. */
export function logOf(
  console: Console,
  { values, ...of }: Pick<LogOrder, 'node' | 'measure'> & {
    readonly values: Readonly<Record<string, unknown>>;
  },
): Log {
  return new Log({
    settings: logSettings(values), ...of, write: (line) => console.err(line),
    now: () => Date.now(),
  });
}

/** `log.*` of checked settings. */
export function logSettings(values: Readonly<Record<string, unknown>>): LogSettings {
  const format = values['log.format'] ?? (process.stderr.isTTY ? 'text' : 'json');
  return {
    level: values['log.level'] as LogLevel,
    format: format as LogFormat,
    components: (values['log.components'] ?? {}) as Readonly<Record<string, LogLevel>>,
  };
}
