import { once } from 'node:events';
import {
  createServer, request as upstreamRequest, type IncomingMessage, type Server, type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { statusText, type Fate, type Mangled } from './faults.ts';

/** What a proxy does to what passes; whatever is left out passes as it came. */
export interface Mischief {
  fate?(): Fate;
  answer?(text: string): Mangled;
  line?(text: string): Mangled;
  /** Milliseconds before each piece. */
  delayMs?(): number;
}

const encoder = new TextEncoder();

/** Stands on TCP between a client and an API server, and does mischief. */
export class FaultProxy {
  mischief: Mischief = {};
  readonly #upstream: URL;
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  #port = 0;

  private constructor(upstream: string) {
    this.#upstream = new URL(upstream);
    this.#server = createServer((message, response) => { this.#take(message, response); });
  }

  static async listen(upstream: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(upstream);
    await proxy.open();
    return proxy;
  }

  /** `127.0.0.1:port`, the same after each `open`. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async open(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody listens any more, and every connection is lost. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Ends the watches that pass. */
  dropStreams(how: 'close' | 'cut'): void {
    for (const response of this.#streams) {
      if (how === 'close') response.end();
      else response.socket?.resetAndDestroy();
    }
  }

  #take(message: IncomingMessage, response: ServerResponse): void {
    const pieces: Buffer[] = [];
    message.on('error', () => undefined);
    response.on('error', () => undefined);
    message.on('data', (piece: Buffer) => pieces.push(piece));
    message.on('end', () => {
      const fate = this.mischief.fate?.() ?? { kind: 'pass' };
      const body = Buffer.concat(pieces);
      switch (fate.kind) {
        case 'pass': return this.#forward(message, body, new Back(this, response));
        case 'refuse': return void response.socket?.resetAndDestroy();
        case 'status': {
          const wait = fate.status === 429 ? { 'retry-after': '1' } : {};
          return void response.writeHead(fate.status, wait).end(statusText(fate.status));
        }
        case 'reset': case 'silence': {
          const end = (): void => {
            if (fate.kind === 'reset') response.socket?.resetAndDestroy();
          };
          return fate.served ? this.#forward(message, body, { response, end }) : end();
        }
      }
    });
  }

  /** Asks the server; `back` hears the answer, or only that there was one. */
  #forward(
    message: IncomingMessage, body: Buffer, back: Back | { response: ServerResponse; end(): void },
  ): void {
    const { hostname: host, port } = this.#upstream;
    const { url: path, method, headers } = message;
    const watch = path?.includes('watch=true') === true;
    const asked = upstreamRequest({ host, port, path, method, headers }, (answer) => {
      answer.on('error', () => back.end());
      if (!(back instanceof Back)) {
        answer.resume().on('end', () => back.end());
      } else if (watch && answer.statusCode === 200) this.#stream(answer, back);
      else {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('end', () => back.whole(answer, Buffer.concat(pieces)));
      }
    });
    asked.on('error', () => back.response.destroy());
    back.response.on('close', () => asked.destroy());
    asked.end(body);
  }

  #stream(answer: IncomingMessage, back: Back): void {
    const { response } = back;
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    let rest = '';
    answer.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split(/(?<=\n)/u);
      rest = lines.at(-1)?.endsWith('\n') === true ? '' : lines.pop() ?? '';
      for (const line of lines) {
        back.pass(this.mischief.line?.(line) ?? { pieces: [encoder.encode(line)] });
      }
    });
    answer.on('end', () => { back.end(); });
  }
}

/** The way back to the client, on which nothing overtakes anything. */
class Back {
  readonly response: ServerResponse;
  readonly #proxy: FaultProxy;
  #queue: Promise<void> = Promise.resolve();
  #over = false;

  constructor(proxy: FaultProxy, response: ServerResponse) {
    this.#proxy = proxy;
    this.response = response;
  }

  whole(answer: IncomingMessage, body: Buffer): void {
    const { statusCode = 500, headers } = answer;
    const mangled: Mangled = this.#proxy.mischief.answer?.(body.toString()) ?? { pieces: [body] };
    this.#then(() => { this.response.writeHead(statusCode, headers); });
    this.pass(mangled);
    if (mangled.after === undefined) this.end();
  }

  pass({ pieces, after }: Mangled): void {
    for (const piece of pieces) this.#then(() => { this.response.write(piece); });
    if (after === undefined) return;
    this.#then(() => {
      this.#over = true;
      if (after === 'cut') this.response.socket?.resetAndDestroy();
      if (after === 'close') this.response.end();
    });
  }

  end(): void {
    this.#then(() => { this.response.end(); });
  }

  #then(act: () => void): void {
    this.#queue = this.#queue.then(async () => {
      const delay = this.#proxy.mischief.delayMs?.() ?? 0;
      if (delay > 0) await new Promise((resolve) => { setTimeout(resolve, delay); });
      if (!this.#over && !this.response.destroyed) act();
    });
  }
}
