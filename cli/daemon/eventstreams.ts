import type { AnswerStream, HttpAnswer } from '../../bpf/httplistener.real.ts';
import type { JournalEntry } from '../../lb/ports.ts';
import type { Log } from './log.ts';

/** One line of `/v1/events` (interface.md 7): what happened on this node, beside flows. */
export interface EventRecord {
  readonly time: string;
  readonly node: string;
  /** `l2`, `datapath`, `config`, …; `lost` for records that a slow reader missed. */
  readonly kind: string;
  readonly type: string;
  readonly object?: string;
  readonly message: string;
}

const streamsMax = 4;
/** What may wait for a slow reader; beyond it records are lost, counted, and nothing is slowed. */
const waitingBytesMax = 1 << 20;

/** The streams of control events of one agent. */
export class EventStreams {
  #log: Log;
  #node: string;
  #open = 0;

  constructor(log: Log, node: string) {
    this.#log = log;
    this.#node = node;
  }

  /** Lines of JSON until the reader goes, of each `?kind=` or of all. Undefined: no room left. */
  answer(query: URLSearchParams): HttpAnswer | undefined {
    if (this.#open >= streamsMax) return undefined;
    this.#open += 1;
    const kinds = new Set(query.getAll('kind'));
    return {
      status: 200, headers: { 'Content-Type': 'application/jsonl' }, body: '',
      stream: (to) => this.#follow(to, kinds),
    };
  }

  #follow(to: AnswerStream, kinds: ReadonlySet<string>): void {
    let lost = 0;
    const stop = this.#log.follow((entry) => {
      if (kinds.size > 0 && !kinds.has(entry.component)) return;
      if (to.waiting() > waitingBytesMax) {
        lost += 1;
        return;
      }
      if (lost > 0) {
        to.write(this.#line({
          component: 'lost', code: 'lost', text: `${lost} records were lost: read faster`,
        }));
      }
      lost = 0;
      to.write(this.#line(entry));
    });
    to.onClose(() => {
      stop();
      this.#open -= 1;
    });
  }

  #line({ component, code, object, text }: Omit<JournalEntry, 'level'>): string {
    const record: EventRecord = {
      time: new Date().toISOString(), node: this.#node, kind: component, type: code,
      ...(object === undefined ? {} : { object }), message: text,
    };
    return `${JSON.stringify(record)}\n`;
  }
}
