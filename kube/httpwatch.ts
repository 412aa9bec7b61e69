import type { Micros, Timer } from '../lb/ports.ts';
import { Attempt, type AttemptFailure, type HttpEnd } from './attempt.ts';
import { EventLines, joined } from './eventlines.ts';
import { errorOf, eventOf, readJson } from './httpanswer.ts';
import { httpWatchOf } from './httprequest.ts';
import type { KubeError, WatchRequest, WatchSink } from './port.ts';
import type { HttpHead } from './transport.ts';

/** Bounds the wait for the head of the answer, which a server sends at once. */
const headTimeout: Micros = 30_000_000;
/** An object may hold 1.5 MiB in etcd; with what JSON adds no event comes near this. */
const lineBytesMax = 16 * 1024 * 1024;
const refusalBytesMax = 1024 * 1024;
/** So many events are told in a row; then whatever else is due has its turn. */
const eventsPerTurn = 128;

/**
 * One watch over HTTP: JSON lines, cut wherever the network cuts them. The connection is read only
 * as fast as the sink takes events: memory holds one line and one read of the socket at most. An
 * event is told when its line is whole; what is left of a cut line is never told.
 */
export class HttpWatch {
  readonly #end: HttpEnd;
  readonly #sink: WatchSink;
  readonly #attempt: Attempt;
  readonly #lines = new EventLines(lineBytesMax);
  #head: HttpHead | undefined;
  /** Of an answer that is no stream. */
  #refusal: Uint8Array[] = [];
  #refusalBytes = 0;
  #closed = false;
  #resting: Timer | undefined;
  /** The end that has come while events wait to be told. */
  #over: { readonly failure: AttemptFailure | undefined } | undefined;

  constructor(end: HttpEnd, request: WatchRequest, sink: WatchSink) {
    this.#end = end;
    this.#sink = sink;
    this.#attempt = new Attempt(end, {
      request: httpWatchOf(request),
      timeout: headTimeout,
      head: (head) => { this.#begin(head); },
      bytes: (chunk) => { this.#take(chunk); },
      end: (failure) => {
        this.#over = { failure };
        if (this.#resting === undefined) this.#finish(failure);
      },
    });
  }

  start(): void {
    this.#end.open.add(this);
    this.#attempt.start();
  }

  /** The sink is called no more. */
  abort(): void {
    this.#closed = true;
    this.#end.open.delete(this);
    this.#resting?.cancel();
    this.#attempt.abort();
  }

  #begin(head: HttpHead): void {
    this.#head = head;
    if (isStream(head)) this.#attempt.unbound();
  }

  #take(chunk: Uint8Array): void {
    if (this.#head !== undefined && !isStream(this.#head)) {
      if (this.#refusalBytes + chunk.length > refusalBytesMax) return;
      this.#refusalBytes += chunk.length;
      this.#refusal.push(chunk);
      return;
    }
    this.#lines.push(chunk);
    if (this.#resting === undefined) this.#tell();
  }

  #tell(): void {
    for (let told = 0; told < eventsPerTurn; told += 1) {
      const line = this.#lines.next();
      if (line === undefined) return this.#caughtUp();
      if (line === 'overlong') {
        const message = `a line of the watch is longer than ${lineBytesMax} bytes`;
        return this.#stop({ kind: 'server', message });
      }
      if (line.length > 0 && !this.#tellLine(line)) return;
    }
    this.#attempt.pause();
    this.#resting = this.#end.clock.after(0, () => {
      this.#resting = undefined;
      this.#tell();
    });
  }

  /** False when nothing may be told any more. */
  #tellLine(line: Uint8Array): boolean {
    const event = eventOf(this.#end.text(line));
    if (event.ok) this.#sink.event(event.value);
    else this.#stop(event.error);
    return !this.#closed;
  }

  #caughtUp(): void {
    if (this.#over === undefined) this.#attempt.resume();
    else this.#finish(this.#over.failure);
  }

  #finish(failure: AttemptFailure | undefined): void {
    const head = this.#head;
    if (failure !== undefined) {
      return this.#stop({ kind: 'unreachable', message: failure.message });
    }
    if (head !== undefined && !isStream(head)) {
      const body = readJson(this.#end.text(joined(this.#refusal, this.#refusalBytes)));
      return this.#stop(errorOf(head, body.ok ? body.value : undefined));
    }
    if (this.#lines.unfinished) {
      const message = 'the watch was cut in the middle of a line';
      return this.#stop({ kind: 'unreachable', message });
    }
    this.#stop(undefined);
  }

  #stop(error: KubeError | undefined): void {
    if (this.#closed) return;
    this.abort();
    this.#sink.end(error);
  }
}

function isStream({ status }: HttpHead): boolean {
  return status >= 200 && status <= 299;
}
