import type {
  Exchange, ExchangeSink, HttpRequest, Transport,
} from '../../kube/transport.ts';
import type { ApiFront } from '../../sim/api/http/front.ts';
import type { Hold, HttpRequest as FrontRequest } from '../../sim/api/http/message.ts';
import type { World } from '../../sim/world.ts';
import { statusText, type Faults, type Mangled } from './faults.ts';

/** The API front without a socket, behind a bad network, in virtual time. */
export class MemoryTransport implements Transport {
  readonly endpoints = ['one:1', 'two:2'];
  readonly #world: World;
  readonly #front: ApiFront;
  readonly #faults: Faults;

  constructor(world: World, front: ApiFront, faults: Faults) {
    this.#world = world;
    this.#front = front;
    this.#faults = faults;
  }

  send(_: number, request: HttpRequest, sink: ExchangeSink): Exchange {
    const way = new Way(this.#world, this.#faults, sink);
    const fate = this.#faults.fate();
    way.later(() => {
      if (fate.kind === 'refuse') return sink.end('connection refused');
      sink.sent();
      if (fate.kind === 'status') {
        sink.head({ status: fate.status });
        return way.whole({ pieces: [new TextEncoder().encode(statusText(fate.status))] });
      }
      if (fate.kind === 'pass' || fate.served) {
        way.hold = this.#front.serve(frontRequest(request), way.exchange(fate.kind === 'pass'));
      }
      if (fate.kind === 'reset') way.end('connection reset by peer');
    });
    return way;
  }
}

/** One connection. What passes keeps its order. */
class Way implements Exchange {
  readonly #world: World;
  readonly #faults: Faults;
  readonly #sink: ExchangeSink;
  #open = true;
  #deaf = false;
  #due = 0;
  #paused = false;
  #waiting: (() => void)[] = [];
  hold: Hold | undefined;

  constructor(world: World, faults: Faults, sink: ExchangeSink) {
    this.#world = world;
    this.#faults = faults;
    this.#sink = sink;
  }

  abort(): void {
    this.#open = false;
    this.hold?.cancel();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (!this.#paused) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next();
    }
  }

  later(act: () => void): void {
    const { now } = this.#world;
    this.#due = Math.max(this.#due, now + this.#faults.delay());
    this.#world.schedule(this.#due - now, { kind: 'way', entity: 'network' }, () => {
      if (!this.#open) return;
      if (this.#paused || this.#waiting.length > 0) this.#waiting.push(act);
      else act();
    });
  }

  end(failure?: string): void {
    this.#deaf = true;
    this.hold?.cancel();
    this.later(() => {
      this.#open = false;
      this.#sink.end(failure);
    });
  }

  whole(mangled: Mangled): void {
    this.#pass(mangled);
    if (mangled.after === undefined) this.end();
  }

  /** Where the server answers; `heard` says whether anything of it comes back. */
  exchange(heard: boolean): Parameters<ApiFront['serve']>[1] {
    this.#deaf = !heard;
    return {
      answer: ({ code, body }) => {
        if (this.#deaf) return;
        this.later(() => { this.#sink.head({ status: code }); });
        this.whole(this.#faults.answer(typeof body === 'string' ? body : ''));
      },
      open: () => { if (!this.#deaf) this.later(() => { this.#sink.head({ status: 200 }); }); },
      chunk: (text) => {
        for (const line of text.split(/(?<=\n)/u)) this.#pass(this.#faults.line(line));
      },
      end: () => { if (!this.#deaf) this.end(); },
      reset: () => { if (!this.#deaf) this.end('connection reset by peer'); },
    };
  }

  #pass({ pieces, after }: Mangled): void {
    if (this.#deaf) return;
    for (const piece of pieces) this.later(() => { this.#sink.bytes(piece); });
    if (after === 'cut') this.end('connection lost');
    if (after === 'close') this.end();
    if (after === 'stall') this.#deaf = true;
  }
}

function frontRequest({ method, path, contentType, body = '' }: HttpRequest): FrontRequest {
  const url = new URL(path, 'http://localhost');
  return {
    method, body, path: decodeURIComponent(url.pathname), query: new Map(url.searchParams),
    headers: new Map([
      ['accept', 'application/json'], ['user-agent', 'test'],
      ...(contentType === undefined ? [] : [['content-type', contentType] as const]),
    ]),
  };
}
