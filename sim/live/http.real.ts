import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Server as Listener } from 'node:net';
import {
  httpRequest, type Exchange, type Hold, type HttpAnswer, type HttpRequest, type RequestEnd,
} from '../api/http/message.ts';
import type { Refusal } from '../api/refusal.ts';
import { refusalAnswer } from '../api/http/status.ts';
import type { LiveDriver } from './driver.real.ts';

/** Where to listen. */
export interface ListenOptions {
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: 0, which draws a free one, since kubectl caches discovery by host and port. */
  readonly port?: number;
  /** Listens already, perhaps in another network namespace; in place of host and port. */
  readonly listener?: Listener;
}

/** An API server that answers on a socket. */
export interface ServedApi {
  /** `http://127.0.0.1:41234`. */
  readonly url: string;
  /** Ends every connection; time of the world stands still afterwards. */
  close(): Promise<void>;
}

/** The API server's own bound. */
const bodyMax = 3_145_728;
/** A client that reads a watch so much slower than it grows loses it. */
const unreadMax = 16 * 1_048_576;
const keepAliveMs = 90_000;

/** Serves the front over HTTP/1.1 in the clear; the driver runs from now on (simulator.md 6.4). */
export async function serveApi(
  driver: LiveDriver, front: RequestEnd, options: ListenOptions = {},
): Promise<ServedApi> {
  const server = createServer({ keepAliveTimeout: keepAliveMs }, (message, response) => {
    receive({ driver, front }, message, response);
  });
  server.requestTimeout = 0;
  await listening(server, options);
  driver.start();
  // It listens on an address and a port, hence not on a path.
  const at = server.address() as AddressInfo;
  const shown = at.family === 'IPv6' ? `[${at.address}]` : at.address;
  return {
    url: `http://${shown}:${at.port}`,
    close: () => {
      driver.stop();
      const closed = new Promise<void>((resolve) => { server.close(() => { resolve(); }); });
      server.closeAllConnections();
      return closed;
    },
  };
}

function listening(server: Server, options: ListenOptions): Promise<void> {
  const { host = '127.0.0.1', port = 0, listener } = options;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    if (listener === undefined) server.listen(port, host);
    else server.listen(listener);
  });
}

interface Place {
  readonly driver: LiveDriver;
  readonly front: RequestEnd;
}

function receive(place: Place, message: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = [];
  let size = 0;
  message.on('error', () => { response.destroy(); });
  message.on('data', (piece: Buffer) => {
    size += piece.length;
    if (size <= bodyMax) pieces.push(piece);
  });
  message.on('end', () => {
    if (size > bodyMax) return write(response, refusalAnswer(tooLarge));
    const request = requestOf(message, Buffer.concat(pieces));
    if (request === undefined) {
      return write(response, refusalAnswer(malformed));
    }
    return serve(place, request, response);
  });
}

const tooLarge: Refusal = {
  kind: 'invalid', code: 413, reason: 'RequestEntityTooLarge',
  message: `Request entity too large: limit is ${bodyMax}`,
};
const malformed: Refusal = {
  kind: 'invalid', code: 400, reason: 'BadRequest', message: 'the path of the request is malformed',
};

function serve({ driver, front }: Place, request: HttpRequest, response: ServerResponse): void {
  let hold: Hold | undefined;
  const exchange: Exchange = {
    answer: (answer) => { driver.afterwards(() => { write(response, answer); }); },
    open: (headers) => {
      driver.afterwards(() => {
        response.writeHead(200, headers);
        response.flushHeaders();
      });
    },
    chunk: (text) => {
      driver.afterwards(() => {
        response.write(text);
        if (response.writableLength > unreadMax) response.destroy();
      });
    },
    end: () => { driver.afterwards(() => { response.end(); }); },
    reset: () => { driver.afterwards(() => { response.destroy(); }); },
  };
  response.on('close', () => { hold?.cancel(); });
  driver.enter({ kind: 'http.request', entity: request.path }, () => {
    hold = front.serve(request, exchange);
  });
}

function write(response: ServerResponse, answer: HttpAnswer): void {
  response.writeHead(answer.code, answer.headers);
  response.end(answer.body);
}

function requestOf(message: IncomingMessage, body: Buffer): HttpRequest | undefined {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const type = headers.get('content-type') ?? '';
  return httpRequest({
    method: message.method ?? 'GET',
    target: message.url ?? '/',
    headers,
    body: type.includes('protobuf') ? new Uint8Array(body) : body.toString('utf8'),
  });
}
