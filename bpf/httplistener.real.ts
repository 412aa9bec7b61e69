import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import {
  createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';

/** What is said to a question; headers in the order in which they are sent. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Called once with what goes on after the head, in place of `body`. */
  readonly stream?: (to: AnswerStream) => void;
}

/** An answer that goes on until its reader ends it. */
export interface AnswerStream {
  write(text: string): void;
  /** Bytes that the reader has not taken yet. */
  waiting(): number;
  onClose(listener: () => void): void;
}

/** A question beside its path. */
export interface HttpQuestion {
  readonly method: string;
  readonly query: URLSearchParams;
  /** Value of the Authorization header. */
  readonly authorization: string | undefined;
  /** The whole body as text; of more than 1 MiB none is read, and it is undefined. */
  body(): Promise<string | undefined>;
}

/** Where to listen, and what becomes of it. */
export interface ListenerOrder {
  /** Undefined: every address of both families. */
  readonly host?: string | undefined;
  readonly port: number;
  /** A unix socket in place of host and port; one that nobody listens on any more is replaced. */
  readonly socket?: string;
  /** Called for each question, whatever its method, with the path alone. */
  readonly answer: (path: string, question: HttpQuestion) => HttpAnswer | Promise<HttpAnswer>;
  /** Called when the port is ours, after each time that it was not; with the number that it got. */
  readonly opened?: (port: number) => void;
  /** Called at the first refusal of a row of them, with the name of the errno. */
  readonly refused: (errno: string) => void;
  /** Milliseconds after which a refused port is asked for again. */
  readonly retryDelayMs?: number;
}

const retryDelayMsDefault = 10_000;
// Health ports face the network: whoever opens connections and stays costs no more than this.
const connectionsMax = 128;
const requestMsMax = 5_000;

/**
 * An HTTP server that answers each question from the facts of that moment. A port that another
 * process holds is asked for again until it is ours or the listener is closed.
 */
export class HttpListener {
  readonly #order: ListenerOrder;
  #server: Server | undefined;
  #retry: NodeJS.Timeout | undefined;
  #refusals = 0;

  constructor(order: ListenerOrder) {
    this.#order = order;
    this.#listen();
  }

  /** Frees the port at once and ends what is connected. */
  close(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = undefined;
  }

  #listen(): void {
    const server = createServer({
      requestTimeout: requestMsMax, headersTimeout: requestMsMax, keepAliveTimeout: requestMsMax,
    }, this.#respond);
    server.maxConnections = connectionsMax;
    // A client that breaks HTTP ends its own connection and nothing else.
    server.on('clientError', (_error, socket) => void socket.destroy());
    server.on('error', (error: NodeJS.ErrnoException) => this.#refused(server, error));
    const { host, port, socket } = this.#order;
    server.on('listening', () => {
      this.#refusals = 0;
      if (socket === undefined) this.#order.opened?.((server.address() as AddressInfo).port);
      else chmodSync(socket, 0o660);
    });
    this.#server = server;
    if (socket !== undefined) {
      // Whoever listened there last has ended: a node has one agent, which holds the node's lock.
      mkdirSync(dirname(socket), { recursive: true });
      rmSync(socket, { force: true });
      server.listen(socket);
    } else server.listen(host === undefined ? { port } : { port, host });
  }

  #refused(server: Server, error: NodeJS.ErrnoException): void {
    if (this.#server !== server) return;
    server.close();
    this.#refusals += 1;
    if (this.#refusals === 1) this.#order.refused(error.code ?? error.message);
    this.#retry = setTimeout(
      () => this.#listen(), this.#order.retryDelayMs ?? retryDelayMsDefault,
    );
    // A port that waits keeps no process alive.
    this.#retry.unref();
  }

  readonly #respond: RequestListener = (request, response) => {
    const { url = '/', method = 'GET', headers } = request;
    const [path = '/', query] = url.split('?', 2);
    const answer = this.#order.answer(path, {
      method, query: new URLSearchParams(query), authorization: headers.authorization,
      body: () => textOf(request),
    });
    if (answer instanceof Promise) void answer.then((said) => say(response, said));
    else say(response, answer);
  };
}

function say(response: ServerResponse, { status, headers, body, stream }: HttpAnswer): void {
  if (stream !== undefined) {
    response.writeHead(status, { ...headers });
    response.flushHeaders();
    stream({
      write: (text) => void response.write(text),
      waiting: () => response.writableLength,
      onClose: (listener) => void response.once('close', listener),
    });
    return;
  }
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

const bodyBytesMax = 1 << 20;

async function textOf(request: IncomingMessage): Promise<string | undefined> {
  let text = '';
  request.setEncoding('utf8');
  for await (const piece of request) {
    text += String(piece);
    if (text.length > bodyBytesMax) return undefined;
  }
  return text;
}
