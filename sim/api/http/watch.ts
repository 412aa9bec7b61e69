import type { WatchEvent } from '../../../kube/port.ts';
import type { Micros, Timer } from '../../../lb/ports.ts';
import type { Watch } from '../../../kube/port.ts';
import type { Refusal } from '../refusal.ts';
import type { FrontParts, ObjectCall } from './call.ts';
import type { ServedKind } from './kinds.ts';
import type { Hold } from './message.ts';
import type { WatchParameters } from './parameters.ts';
import { refusalAnswer, statusOf } from './status.ts';

const second: Micros = 1_000_000;
const bookmarkPeriod: Micros = 60 * second;
/** The last bookmark comes so long before the server closes a watch (A4). */
const lastBookmark: Micros = 2 * second;
/** A server closes a watch that names no time after a draw from this range (A3). */
const lifeMin: Micros = 1800 * second;
const lifeSpread: Micros = 1800 * second;

/**
 * One watch over HTTP: a line of JSON per event. Lines are written by an event of the world after
 * the commit, so nothing passes while time stands still.
 */
export class HttpWatch implements Hold {
  readonly #parts: FrontParts;
  readonly #call: ObjectCall & { readonly served: ServedKind; readonly namespace: string };
  readonly #parameters: WatchParameters;
  #lines: string[] = [];
  #flush: Timer | undefined;
  #watch: Watch | undefined;
  #timers: Timer[] = [];
  #bookmark: Timer | undefined;
  #open = true;

  constructor(
    parts: FrontParts,
    call: ObjectCall & { readonly served: ServedKind; readonly namespace: string },
    parameters: WatchParameters,
  ) {
    this.#parts = parts;
    this.#call = call;
    this.#parameters = parameters;
  }

  /** Opens the stream; false when the request was refused instead. */
  start(): boolean {
    const { server, options } = this.#parts;
    const { served, namespace, exchange, user } = this.#call;
    const { labelSelector, fieldSelector, resourceVersion: wanted } = this.#parameters;
    const resourceVersion = wanted === 'now' ? String(server.version) : wanted;
    const opened = server.open(
      {
        resource: served.resource,
        namespace,
        resourceVersion,
        ...(labelSelector !== undefined && { labelSelector }),
        ...(fieldSelector !== undefined && { fieldSelector }),
      },
      (event) => { this.#event(event); },
      user,
    );
    const late = !opened.ok && opened.error.code === 410 && options.expiredWatch === 'event';
    if (!opened.ok && !late) {
      const { group, plural, kind } = served.resource;
      exchange.answer(refusalAnswer(opened.error, { group, plural, kind, name: '' }));
      return false;
    }
    exchange.open({ 'content-type': 'application/json' });
    if (!opened.ok) {
      this.#fail(opened.error);
      return false;
    }
    this.#watch = opened.value;
    const { initialEvents, bookmarks } = this.#parameters;
    if (initialEvents && bookmarks) this.#line(this.#bookmarkText(true));
    this.#arm();
    return true;
  }

  cancel(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch?.cancel();
    this.#flush?.cancel();
    this.#bookmark?.cancel();
    for (const timer of this.#timers) timer.cancel();
  }

  #arm(): void {
    const { timeoutSeconds, bookmarks } = this.#parameters;
    const { world } = this.#parts;
    const life = timeoutSeconds === undefined
      ? lifeMin + world.stream('http').below(lifeSpread)
      : timeoutSeconds * second;
    this.#timers.push(this.#schedule(life, 'http.close', () => { this.#finish(); }));
    if (!bookmarks) return;
    if (life > lastBookmark) {
      this.#timers.push(this.#schedule(life - lastBookmark, 'http.bookmark', () => {
        this.#line(this.#bookmarkText(false));
      }));
    }
    this.#armBookmark();
  }

  #armBookmark(): void {
    this.#bookmark = this.#schedule(bookmarkPeriod, 'http.bookmark', () => {
      this.#line(this.#bookmarkText(false));
      this.#armBookmark();
    });
  }

  #event(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') return;
    const object = this.#call.shown.object(event.object, this.#parts.world.wall);
    this.#line(JSON.stringify({ type: event.type, object }));
  }

  #bookmarkText(initial: boolean): string {
    const annotations = initial ? { 'k8s.io/initial-events-end': 'true' } : undefined;
    const object = this.#call.shown.bookmark(String(this.#parts.server.version), annotations);
    return JSON.stringify({ type: 'BOOKMARK', object });
  }

  #line(text: string): void {
    this.#lines.push(text);
    this.#flush ??= this.#schedule(0, 'http.event', () => { this.#write(); });
  }

  #write(): void {
    this.#flush = undefined;
    if (!this.#open || this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#call.exchange.chunk(`${lines.join('\n')}\n`);
  }

  #fail(refusal: Refusal): void {
    const object = statusOf(refusal, undefined);
    this.#call.exchange.chunk(`${JSON.stringify({ type: 'ERROR', object })}\n`);
    this.#open = false;
    this.#call.exchange.end();
  }

  #finish(): void {
    this.#write();
    this.cancel();
    this.#call.exchange.end();
  }

  #schedule(delay: Micros, kind: string, run: () => void): Timer {
    return this.#parts.world.schedule(delay, { kind, entity: this.#call.user }, run);
  }
}
