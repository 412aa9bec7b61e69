import type { Micros } from '../lb/ports.ts';
import { err, type Result } from '../lb/result.ts';
import { Attempt, type AttemptFailure, type HttpEnd, type HttpKubePorts } from './attempt.ts';
import { joined } from './eventlines.ts';
import { answerOf } from './httpanswer.ts';
import { httpRequestOf } from './httprequest.ts';
import { HttpWatch } from './httpwatch.ts';
import type { KubeAnswer, KubeDone, KubeError, KubePort, KubeRequest } from './port.ts';
import type { HttpHead } from './transport.ts';

/** Bound of a request that names none. */
const requestTimeout: Micros = 30_000_000;
/** Bound of one answer: a list of 100,000 Services is about 200 MB. */
const bodyBytesMax = 512 * 1024 * 1024;

/**
 * The Kubernetes API over a transport. A request tries the endpoints in turn until one takes it
 * and is never sent twice; the endpoint that refused or was silent is left for the next one.
 */
export function createHttpKube(ports: HttpKubePorts): KubePort & { close(): void } {
  const end: HttpEnd = { ...ports, preferred: 0, open: new Set() };
  return {
    request(request, done) {
      new Question(end, request, done).start();
    },
    watch(request, sink) {
      const watch = new HttpWatch(end, request, sink);
      watch.start();
      return { cancel: () => { watch.abort(); } };
    },
    close() {
      for (const each of end.open) each.abort();
    },
  };
}

/** One request and its one answer. */
class Question {
  readonly #end: HttpEnd;
  readonly #request: KubeRequest;
  readonly #done: KubeDone;
  readonly #attempt: Attempt;
  #head: HttpHead | undefined;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(end: HttpEnd, request: KubeRequest, done: KubeDone) {
    this.#end = end;
    this.#request = request;
    this.#done = done;
    this.#attempt = new Attempt(end, {
      request: httpRequestOf(request),
      timeout: request.timeout ?? requestTimeout,
      head: (head) => { this.#head = head; },
      bytes: (chunk) => { this.#take(chunk); },
      end: (failure) => { this.#settle(this.#result(failure)); },
    });
  }

  start(): void {
    this.#end.open.add(this);
    this.#attempt.start();
  }

  abort(): void {
    this.#end.open.delete(this);
    this.#attempt.abort();
  }

  #take(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    this.#pieces.push(chunk);
    if (this.#bytes <= bodyBytesMax) return;
    this.#settle(err(this.#lost(`the answer is longer than ${bodyBytesMax} bytes`)));
  }

  #result(failure: AttemptFailure | undefined): Result<KubeAnswer, KubeError> {
    if (failure?.nothingDone === true) {
      return err({ kind: 'unreachable', message: failure.message });
    }
    if (failure !== undefined) return err(this.#lost(failure.message));
    if (this.#head === undefined) return err(this.#lost('the answer has no head'));
    return answerOf(this.#request, this.#head, this.#end.text(joined(this.#pieces, this.#bytes)));
  }

  #lost(message: string): KubeError {
    const { verb } = this.#request;
    const reads = verb === 'get' || verb === 'list';
    return { kind: reads ? 'unreachable' : 'unknown-outcome', message };
  }

  #settle(result: Result<KubeAnswer, KubeError>): void {
    this.abort();
    this.#done(result);
  }
}
