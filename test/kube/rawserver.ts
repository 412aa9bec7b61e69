import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from 'node:tls';
import type { KubeCredentials } from '../../kube/credentials.ts';
import { realKube, type RealKube } from '../../kube/client.real.ts';
import { parseEndpoint } from '../../kube/endpoint.ts';

/** One request as it came, and the socket to answer it by hand. */
export interface RawRequest {
  /** `GET /api/v1/nodes`. */
  readonly line: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly socket: Socket;
}

export type RawScript = (request: RawRequest) => void;

/** An HTTP server that says exactly the bytes that a test wants, on a free port of loopback. */
export class RawServer {
  readonly requests: RawRequest[] = [];
  readonly sockets = new Set<Socket>();
  readonly #server: Server;
  script: RawScript;

  constructor(script: RawScript, tls?: TlsOptions) {
    this.script = script;
    const accept = (socket: Socket): void => { this.#accept(socket); };
    this.#server = tls === undefined ? createServer(accept) : createTlsServer(tls, accept);
    // A client that leaves in the middle of a handshake is what a test wants.
    this.#server.on('tlsClientError', () => undefined);
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  #accept(socket: Socket | TLSSocket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined);
    let text = '';
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [line = '', ...lines] = text.slice(0, end).split('\r\n');
      const headers = new Map(lines.map((header): [string, string] => {
        const colon = header.indexOf(':');
        return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()];
      }));
      const length = Number(headers.get('content-length') ?? 0);
      const body = text.slice(end + 4);
      if (Buffer.byteLength(body) < length) return;
      text = '';
      const request = { line: line.replace(' HTTP/1.1', ''), headers, body, socket };
      this.requests.push(request);
      this.script(request);
    });
  }
}

/** A whole answer with a JSON body. */
export function say({ socket }: RawRequest, status: string, body: string, more = ''): void {
  socket.write(`HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n${more}` +
    `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/** Begins a chunked answer. */
export function stream({ socket }: RawRequest): void {
  socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
}

/** One chunk of it. */
export function chunk({ socket }: RawRequest, content: string | Uint8Array): boolean {
  const bytes = Buffer.from(content);
  return socket.write(Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n'),
  ]));
}

/** The adapter at these endpoints. */
export function client(
  endpoints: readonly string[], credentials: KubeCredentials = {},
): RealKube {
  const parsed = endpoints.map((text) => {
    const endpoint = parseEndpoint(text);
    if (!endpoint.ok) throw new Error(endpoint.error);
    return endpoint.value;
  });
  return realKube({ endpoints: parsed, credentials, userAgent: 'fairlead/test' });
}
