import type { Clock, Micros, Timer } from '../lb/ports.ts';
import type { Exchange, HttpHead, HttpRequest, Transport } from './transport.ts';

/** What the Kubernetes API over HTTP needs of its surroundings. */
export interface HttpKubePorts {
  readonly transport: Transport;
  readonly clock: Pick<Clock, 'after'>;
  /** Bytes of UTF-8 as text; undefined for any others. */
  readonly text: (bytes: Uint8Array) => string | undefined;
}

/** What requests and watches of one client share. */
export interface HttpEnd extends HttpKubePorts {
  /** Index of the endpoint that is tried first: nothing bad is known of it. */
  preferred: number;
  /** Everything under way. */
  readonly open: Set<{ abort(): void }>;
}

/** Why there is no whole answer. */
export interface AttemptFailure {
  /** True where no connection took the request, so that the server cannot have acted on it. */
  readonly nothingDone: boolean;
  readonly message: string;
}

/** What is asked, and what becomes of it. */
export interface AttemptOrder {
  readonly request: HttpRequest;
  /** Bounds the wait for the whole answer, or until `unbound`. */
  readonly timeout: Micros;
  head(head: HttpHead): void;
  bytes(chunk: Uint8Array): void;
  /** Called once, after everything else; undefined: the answer is whole. */
  end(failure: AttemptFailure | undefined): void;
}

/**
 * One request, sent once: endpoints are tried in turn until a connection takes it. Calls of the
 * order come later, never inside `start`.
 */
export class Attempt {
  readonly #end: HttpEnd;
  readonly #order: AttemptOrder;
  #exchange: Exchange | undefined;
  #timer: Timer | undefined;
  #endpoint = 0;
  #sent = false;
  /** What each endpoint said that was tried in vain, in the order of the endpoints. */
  readonly #refusals = new Map<number, string>();

  constructor(end: HttpEnd, order: AttemptOrder) {
    this.#end = end;
    this.#order = order;
  }

  start(): void {
    this.#timer = this.#end.clock.after(this.#order.timeout, () => { this.#timedOut(); });
    this.#endpoint = this.#end.preferred;
    this.#send();
  }

  /** Nothing of the order is called afterwards. */
  abort(): void {
    this.#timer?.cancel();
    this.#exchange?.abort();
    this.#exchange = undefined;
  }

  /** Waits for the rest of the answer for ever. */
  unbound(): void {
    this.#timer?.cancel();
  }

  pause(): void {
    this.#exchange?.pause();
  }

  resume(): void {
    this.#exchange?.resume();
  }

  #send(): void {
    const { transport } = this.#end;
    const order = this.#order;
    this.#exchange = transport.send(this.#endpoint, order.request, {
      sent: () => { this.#sent = true; },
      head: (head) => {
        // One API server may have lost its etcd while the next one has not.
        if (head.status >= 500) this.#leaveEndpoint();
        order.head(head);
      },
      bytes: (chunk) => { order.bytes(chunk); },
      end: (failure) => { this.#ended(failure); },
    });
  }

  #ended(failure: string | undefined): void {
    this.#exchange = undefined;
    if (failure === undefined) return this.#settle(undefined);
    const { transport } = this.#end;
    this.#refusals.set(this.#endpoint, this.#said(failure));
    this.#leaveEndpoint();
    if (this.#sent) return this.#settle({ nothingDone: false, message: this.#said(failure) });
    if (this.#refusals.size === transport.endpoints.length) {
      const said = transport.endpoints.map((_, index) => this.#refusals.get(index) ?? '');
      return this.#settle({ nothingDone: true, message: said.join('; ') });
    }
    this.#endpoint = (this.#endpoint + 1) % transport.endpoints.length;
    this.#send();
  }

  #timedOut(): void {
    this.#leaveEndpoint();
    this.#settle({ nothingDone: false, message: this.#said('no answer in time') });
  }

  // Of many requests to a bad endpoint only the first moves on.
  #leaveEndpoint(): void {
    const { transport, preferred } = this.#end;
    if (preferred === this.#endpoint) {
      this.#end.preferred = (preferred + 1) % transport.endpoints.length;
    }
  }

  #said(failure: string): string {
    return `${this.#end.transport.endpoints[this.#endpoint] ?? ''}: ${failure}`;
  }

  #settle(failure: AttemptFailure | undefined): void {
    this.abort();
    this.#order.end(failure);
  }
}
