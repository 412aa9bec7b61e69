/** One HTTP request to an API server, whichever of its endpoints takes it. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, from the root of the API. */
  readonly path: string;
  /** Of `body`; absent without one. */
  readonly contentType?: string;
  readonly body?: string;
}

/** The head of an answer. */
export interface HttpHead {
  readonly status: number;
  /** Seconds of a Retry-After header, where it has a whole number of them. */
  readonly retryAfterSeconds?: number;
}

/** What becomes of one request: `sent`, `head`, `bytes` and `end`, in this order. */
export interface ExchangeSink {
  /** A connection stands and the request goes out: from here on the server may act on it. */
  sent(): void;
  head(head: HttpHead): void;
  /** A part of the body; it is the sink's from now on. */
  bytes(chunk: Uint8Array): void;
  /** Nothing follows. `failure` is the transport's sentence; undefined: the answer is whole. */
  end(failure: string | undefined): void;
}

/** One request under way. */
export interface Exchange {
  /** No call of the sink happens afterwards, and the connection is closed. */
  abort(): void;
  /** Reads no more from the connection, so that the server has to wait. */
  pause(): void;
  resume(): void;
}

/**
 * HTTP to the endpoints of one API server. An exchange is one attempt at one endpoint: it either
 * fails before `sent`, and nothing was done, or after it. Connections that cannot be made fail
 * within seconds; nothing else is timed here.
 */
export interface Transport {
  /** For messages, as `host:port`; at least one. */
  readonly endpoints: readonly string[];
  /** `endpoint` is an index of `endpoints`. Only
   * `sent` may be called inside the call. */
  send(endpoint: number, request: HttpRequest, sink: ExchangeSink): Exchange;
}
