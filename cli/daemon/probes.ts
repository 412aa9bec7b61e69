import { HttpListener, type HttpAnswer } from '../../bpf/httplistener.real.ts';
import type { Journal } from '../../lb/ports.ts';
import type { Place } from './values.ts';

/** What a probe is told; `undefined` is well, else why not. */
export type Probe = () => string | undefined;

export interface ProbesOrder {
  readonly place: Place;
  /** By path: `/livez`. */
  readonly probes: Readonly<Record<string, Probe>>;
  readonly journal: Journal;
}

/** Serves probes of the kubelet (interface.md 13): 200 and `ok`, or 503 and a sentence. */
export function serveProbes({ place, probes, journal }: ProbesOrder): HttpListener {
  return new HttpListener({
    ...place,
    answer: (path) => answerProbe(probes, path) ?? answer(404, 'not found'),
    refused: (errno) => journal.note({
      level: 'warn', component: 'health', code: 'health.portRefused',
      text: `${place.host}:${place.port}: ${errno}; asked for again every 10 s`,
    }),
  });
}

/** The answer of the probe at a path; undefined where there is none. */
export function answerProbe(
  probes: Readonly<Record<string, Probe>>, path: string,
): HttpAnswer | undefined {
  const probe = Object.hasOwn(probes, path) ? probes[path] : undefined;
  if (probe === undefined) return undefined;
  const why = probe();
  return why === undefined ? answer(200, 'ok') : answer(503, why);
}

function answer(status: number, text: string): HttpAnswer {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body: `${text}\n` };
}

const turnEveryMs = 1_000;
const silentMsMax = 10_000;

/** Whether the event loop turned within 10 s: what a probe that is answered late asks. */
export class Pulse {
  #turnedAt = performance.now();
  #timer = setInterval(() => { this.#turnedAt = performance.now(); }, turnEveryMs).unref();

  readonly probe: Probe = () => {
    const silent = performance.now() - this.#turnedAt;
    return silent <= silentMsMax ? undefined : `the event loop stood for ${Math.round(silent)} ms`;
  };

  stop(): void {
    clearInterval(this.#timer);
  }
}
