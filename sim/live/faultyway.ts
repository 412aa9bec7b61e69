import type { Timer } from '../../lb/ports.ts';
import { covers, type ApiPath, type RequestFacts } from '../api/path.ts';
import type { ApiFront } from '../api/http/front.ts';
import {
  httpRequest, type Exchange, type Hold, type HttpRequest, type RequestEnd,
} from '../api/http/message.ts';
import { refusalAnswer } from '../api/http/status.ts';
import { userOf } from '../api/http/user.ts';
import type { Refusal } from '../api/refusal.ts';
import type { World } from '../world.ts';

export interface WayParts {
  readonly world: World;
  readonly path: ApiPath;
  /** Knows what a request is about. */
  readonly front: ApiFront;
  /** Serves what arrives. */
  readonly end: RequestEnd;
  readonly frozen: () => boolean;
}

/** A request on its way, or a watch. */
interface Under {
  readonly facts: RequestFacts;
  readonly exchange: Exchange;
  /** Parts of a stream that a stall keeps back. */
  readonly kept: (() => void)[];
  hold: Hold | undefined;
  timer: Timer | undefined;
  /** Waits for a way that is blocked to open. */
  parked: boolean;
  over: boolean;
}

/**
 * The way of HTTP requests to the simulated API server: what the faults of `ApiPath` do to
 * processes of the cluster, they do to kubectl too (simulator.md 8, A20). Their chance is of the
 * stream `http`, which a repetition of the record does not need. `api.stale` is for processes of
 * the cluster alone.
 */
export class FaultyWay implements RequestEnd {
  readonly #parts: WayParts;
  readonly #under = new Set<Under>();

  constructor(parts: WayParts) {
    this.#parts = parts;
    const { path } = parts;
    path.onChange(() => this.#look());
    path.onDrop((scope, form) => {
      for (const under of this.#under) {
        if (under.facts.verb !== 'watch' || !covers(scope, under.facts)) continue;
        this.#finish(under);
        if (form === 'cut') under.exchange.reset();
        else under.exchange.end();
      }
    });
  }

  serve(request: HttpRequest, exchange: Exchange): Hold | undefined {
    const { front, end } = this.#parts;
    const about = front.aboutOf(request);
    if (about === undefined) return end.serve(request, exchange);
    const under: Under = {
      facts: { ...about, client: { user: userOf(request) } }, exchange, kept: [],
      hold: undefined, timer: undefined, parked: false, over: false,
    };
    this.#under.add(under);
    this.#depart(request, under);
    return under.over ? undefined : { cancel: () => this.#finish(under) };
  }

  #depart(request: HttpRequest, under: Under): void {
    const { world, path, frozen } = this.#parts;
    const { client } = under.facts;
    under.parked = path.blocks(client, 'out') || path.blocks(client, 'in');
    if (under.parked) {
      under.hold = { cancel: () => undefined };
      under.kept.push(() => this.#depart(request, under));
      return;
    }
    const delay = path.slowness(under.facts, 'http');
    if (delay === 0) return this.#arrive(request, under);
    if (frozen()) return this.#refuse(under, 504);
    const what = { kind: 'http.slow', entity: request.path };
    under.timer = world.schedule(delay, what, () => this.#arrive(request, under));
  }

  /** At the server: faults strike before the commit, then after it. */
  #arrive(request: HttpRequest, under: Under): void {
    const { path, end } = this.#parts;
    const { facts } = under;
    const status = path.drawErrorStatus(facts, 'http');
    if (status !== undefined) return this.#refuse(under, status);
    if (updates.has(facts.verb) && path.drawConflict(facts, 'http')) this.#interfere(request);
    const lost = facts.verb === 'watch' ? undefined : path.drawLostReply(facts, 'http');
    under.hold = end.serve(request, this.#into(under, lost));
    if (under.hold === undefined && lost !== 'silence' && facts.verb !== 'watch') {
      this.#under.delete(under);
    }
  }

  #into(under: Under, lost: 'silence' | 'reset' | undefined): Exchange {
    const { exchange } = under;
    const later = (part: () => void): void => {
      if (under.over) return;
      if (under.kept.length > 0 || this.#stalls(under)) under.kept.push(part);
      else part();
    };
    return {
      answer: (answer) => {
        if (under.over || lost === 'silence') return undefined;
        this.#finish(under);
        if (lost === undefined) return exchange.answer(answer);
        exchange.reset();
        return undefined;
      },
      open: (headers) => exchange.open(headers),
      chunk: (text) => later(() => exchange.chunk(text)),
      end: () => later(() => {
        this.#finish(under);
        exchange.end();
      }),
      reset: () => {
        this.#finish(under);
        exchange.reset();
      },
    };
  }

  #stalls({ facts }: Under): boolean {
    const { path } = this.#parts;
    return path.stalls(facts.client, facts.resource) || path.blocks(facts.client, 'in');
  }

  /** Faults changed: what no fault keeps back any more goes on, in its order. */
  #look(): void {
    for (const under of this.#under) {
      const blocked = under.parked && this.#parts.path.blocks(under.facts.client, 'out');
      if (blocked || this.#stalls(under)) continue;
      for (const part of under.kept.splice(0)) part();
    }
  }

  /** Another writer was faster: the version that this request names is history. */
  #interfere({ path }: HttpRequest): void {
    const touched = String(this.#parts.world.now);
    const body = { metadata: { annotations: { 'sim.fairlead.dev/touched': touched } } };
    const request = httpRequest({
      method: 'PATCH', target: path.split('/').map(encodeURIComponent).join('/'),
      headers: new Map([
        ['content-type', 'application/merge-patch+json'], ['user-agent', 'other-writer'],
      ]),
      body: JSON.stringify(body),
    });
    if (request !== undefined) this.#parts.end.serve(request, nobody);
  }

  #refuse(under: Under, status: number): void {
    this.#finish(under);
    under.exchange.answer(refusalAnswer(refusalOf(status)));
  }

  #finish(under: Under): void {
    under.over = true;
    this.#under.delete(under);
    under.timer?.cancel();
    under.hold?.cancel();
  }
}

/** What names an object that another writer may have changed. */
const updates: ReadonlySet<string> = new Set(['update', 'patch', 'apply']);

/** Whoever listens to no answer. */
const nobody: Exchange = {
  answer: () => undefined, open: () => undefined, chunk: () => undefined, end: () => undefined,
  reset: () => undefined,
};

const reasons: ReadonlyMap<number, string> = new Map([
  [401, 'Unauthorized'], [403, 'Forbidden'], [404, 'NotFound'], [409, 'Conflict'],
  [410, 'Expired'], [429, 'TooManyRequests'], [500, 'InternalError'],
  [503, 'ServiceUnavailable'], [504, 'Timeout'],
]);

function refusalOf(code: number): Refusal {
  return {
    kind: 'server', code, reason: reasons.get(code) ?? '', message: `the server answered ${code}`,
    ...(code === 429 || code === 504 ? { retryAfter: 1_000_000 } : {}),
  };
}
