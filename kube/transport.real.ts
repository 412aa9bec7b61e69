import { createRequire } from 'node:module';
import type { Dispatcher, Pool, ProxyAgent } from 'undici';
import type { KubeCredentials } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { TokenFile } from './tokenfile.real.ts';
import type { Exchange, ExchangeSink, HttpRequest, Transport } from './transport.ts';

/** Leaves the others of several endpoints their share of a request's 15 s. */
const connectTimeoutMs = 5_000;
/** Silence after which the kernel asks whether the peer is there; ten probes, a second apart. */
const keepAliveMs = 30_000;
/** API servers keep idle connections for 90 s. */
const idleMs = 30_000;
const headerBytesMax = 64 * 1024;

// The index of the package also loads its fetch, caches and mocks: 12 MB in every agent.
const part = createRequire(import.meta.url);
const pool = (): typeof Pool => part('undici/lib/dispatcher/pool.js') as typeof Pool;
// It needs what only the index mixes in.
const proxyAgent = (): typeof ProxyAgent => (
  (part('undici') as { readonly ProxyAgent: typeof ProxyAgent }).ProxyAgent
);

/** Where the API server is and who asks. */
export interface TransportOptions {
  /** In the order in which they are tried; at least one. */
  readonly endpoints: readonly Endpoint[];
  readonly credentials: KubeCredentials;
  /** `fairlead/0.1.0`; the part before the slash names the owner of written fields. */
  readonly userAgent: string;
}

/**
 * HTTP/1.1 over TCP or TLS: a connection for each watch, so that one which stalls or waits holds up
 * nothing else. A token file that cannot be read is thrown as an Error that names it.
 */
export function httpTransport(options: TransportOptions): Transport & { close(): void } {
  const { endpoints, credentials } = options;
  const dispatchers = endpoints.map(({ origin }) => dispatcherFor(origin, credentials));
  const identity = new Identity(options);
  return {
    endpoints: endpoints.map(({ name }) => name),
    send(index, request, sink) {
      const endpoint = endpoints[index];
      const dispatcher = dispatchers[index];
      if (endpoint === undefined || dispatcher === undefined) {
        throw new RangeError(`endpoint ${index}`);
      }
      const exchange = new WireExchange(sink, identity);
      dispatcher.dispatch({
        origin: endpoint.origin,
        path: `${endpoint.base}${request.path}`,
        method: request.method,
        headers: identity.headers(request),
        body: request.body ?? null,
      }, exchange);
      exchange.dispatching = false;
      return exchange;
    },
    close() {
      // Nothing waits for the end of it; what is under way was aborted before.
      for (const dispatcher of dispatchers) void dispatcher.destroy();
    },
  };
}

/** Connections to one endpoint, as many as there are exchanges. */
function dispatcherFor(origin: string, credentials: KubeCredentials): Dispatcher {
  const options = {
    allowH2: false,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: idleMs,
    maxHeaderSize: headerBytesMax,
  };
  const tls = tlsOf(credentials);
  const { proxy } = credentials;
  if (proxy !== undefined) {
    return new (proxyAgent())({
      ...options, uri: proxy, connectTimeout: connectTimeoutMs, requestTls: tls,
    });
  }
  return new (pool())(origin, {
    ...options,
    connect: { timeout: connectTimeoutMs, keepAliveInitialDelay: keepAliveMs, ...tls },
  });
}

function tlsOf({ ca, client, serverName, insecure }: KubeCredentials) {
  return {
    ...(ca !== undefined && { ca }),
    ...(client !== undefined && { cert: client.certificate, key: client.key }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(insecure === true && { rejectUnauthorized: false }),
  };
}

/** What each request says of its sender. */
class Identity {
  readonly #fixed: Readonly<Record<string, string>>;
  readonly #file: TokenFile | undefined;

  constructor({ credentials, userAgent }: TransportOptions) {
    const { authorization, impersonate } = credentials;
    this.#fixed = {
      accept: 'application/json',
      'user-agent': userAgent,
      ...(impersonate !== undefined && { 'impersonate-user': impersonate }),
      ...(authorization?.kind === 'fixed' && { authorization: authorization.header }),
    };
    this.#file = authorization?.kind === 'token-file'
      ? new TokenFile(authorization.path) : undefined;
  }

  headers({ contentType }: HttpRequest): Record<string, string> {
    return {
      ...this.#fixed,
      ...(this.#file !== undefined && { authorization: `Bearer ${this.#file.token()}` }),
      ...(contentType !== undefined && { 'content-type': contentType }),
    };
  }

  /** The server does not know us (401). */
  refused(): void {
    this.#file?.doubt();
  }
}

/** One request on its way through a pool. */
class WireExchange implements Dispatcher.DispatchHandler, Exchange {
  readonly #sink: ExchangeSink;
  readonly #identity: Identity;
  #controller: Dispatcher.DispatchController | undefined;
  #over = false;
  /** True while `dispatch` runs, in which a request that makes no sense fails at once. */
  dispatching = true;

  constructor(sink: ExchangeSink, identity: Identity) {
    this.#sink = sink;
    this.#identity = identity;
  }

  abort(): void {
    this.#over = true;
    this.#controller?.abort(new Error('nobody waits for the answer any more'));
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) this.abort();
    else this.#tell(() => { this.#sink.sent(); });
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController, status: number,
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  ): void {
    // Of informational answers the real one follows.
    if (status < 200) return;
    if (status === 401) this.#identity.refused();
    const wait = headers['retry-after'];
    const seconds = typeof wait === 'string' && /^[0-9]{1,6}$/u.test(wait) ? Number(wait) : 0;
    const head = { status, ...(seconds > 0 && { retryAfterSeconds: seconds }) };
    this.#tell(() => { this.#sink.head(head); });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#tell(() => { this.#sink.bytes(chunk); });
  }

  onResponseEnd(): void {
    this.#finish(undefined);
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.dispatching) setImmediate(() => { this.#finish(sentenceOf(error)); });
    else this.#finish(sentenceOf(error));
  }

  #finish(failure: string | undefined): void {
    this.#tell(() => {
      this.#over = true;
      this.#sink.end(failure);
    });
  }

  // The library takes what its handlers throw for an error of the connection. It is a bug of ours
  // and has to end the process.
  #tell(call: () => void): void {
    if (this.#over) return;
    try {
      call();
    } catch (bug) {
      setImmediate(() => { throw bug; });
    }
  }
}

const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EPIPE: 'connection reset by peer',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  ETIMEDOUT: 'connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'connection timed out',
};

/** One sentence for each cause, the same each time: callers tell changes of it apart. */
function sentenceOf(error: Error): string {
  const first = error instanceof AggregateError ? error.errors[0] as unknown : undefined;
  const cause = first instanceof Error ? first : error;
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'UND_ERR_SOCKET') return `connection lost: ${cause.message}`;
  return sentences[code ?? ''] ?? cause.message;
}
