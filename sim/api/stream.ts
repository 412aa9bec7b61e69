import type { Micros, Timer } from '../../lb/ports.ts';
import type { KubeError, Watch, WatchEvent, WatchRequest, WatchSink } from '../../kube/port.ts';
import type { ApiEnd } from './client.ts';
import { keepalive } from './connection.ts';
import { covers, type ApiScope, type RequestFacts } from './path.ts';

const bookmarkPeriod: Micros = 60_000_000;
/** The last bookmark comes so long before the server closes a watch (A4). */
const lastBookmark: Micros = 2_000_000;
/** A server closes a watch after a draw from this range (A3). */
const lifeMin: Micros = 1_800_000_000;
const lifeSpread: Micros = 1_800_000_000;
/** How long a client waits for the server to take a connection. */
const connectTimeout: Micros = 30_000_000;

type Message =
  | { readonly kind: 'event'; readonly event: WatchEvent }
  | { readonly kind: 'end'; readonly error: KubeError | undefined };

const cutOff: KubeError = { kind: 'unreachable', message: 'connection lost' };

/**
 * One watch on its own ordered channel. Messages that meet a partition or a stall wait in order
 * and arrive after it; a partition that outlasts the keepalive ends the stream at the client,
 * which is the only end that it can see.
 */
export class WatchStream {
  readonly #end: ApiEnd;
  readonly #request: WatchRequest;
  readonly #sink: WatchSink;
  readonly #about: RequestFacts;
  readonly #channel: string;
  readonly #what: { readonly kind: string; readonly entity: string };
  #open = true;
  /** The server took the request, whatever it answered. */
  #connected = false;
  #watch: Watch | undefined;
  #lastDue: Micros = 0;
  #waiting: Message[] = [];
  #flushing = false;
  #connecting: Timer | undefined;
  #life: Timer | undefined;
  #bookmark: Timer | undefined;
  #silence: Timer | undefined;
  #stops: (() => void)[] = [];

  constructor(end: ApiEnd, call: { request: WatchRequest; sink: WatchSink }) {
    this.#end = end;
    this.#request = call.request;
    this.#sink = call.sink;
    this.#about = { client: end.client, verb: 'watch', resource: call.request.resource };
    this.#what = { kind: 'api.event', entity: end.process.name };
    this.#channel = `watch/${end.process.name}/${call.request.resource.plural}`;
  }

  start(): void {
    const { path, streams } = this.#end;
    streams.add(this);
    this.#stops = [
      path.onChange(() => { this.#pathChanged(); }),
      path.onDrop((scope, form) => { this.#drop(scope, form); }),
    ];
    if (path.failure !== undefined) return this.#fail();
    this.#connecting = this.#schedule(
      connectTimeout, 'api.connect', () => { this.#endNow(cutOff); },
    );
    this.#schedule(path.delay(this.#about), 'api.watch', () => { this.#connect(); });
    this.#feelSilence();
  }

  /** Ends the stream without a word to the client: it cancelled, or its process is gone. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#unwatch();
    this.#waiting = [];
    this.#connecting?.cancel();
    this.#silence?.cancel();
    for (const stop of this.#stops) stop();
    this.#end.streams.delete(this);
  }

  #connect(): void {
    const { path, client, process, server } = this.#end;
    // A request that meets a partition is sent again when the path changes.
    if (!this.#open || this.#connected || path.blocks(client, 'out')) return;
    if (path.failure !== undefined) return this.#fail();
    this.#connected = true;
    this.#connecting?.cancel();
    const error = path.drawError(this.#about);
    if (error !== undefined) return this.#send({ kind: 'end', error }, 0);
    const opened = server.open(this.#request, (event, commit) => {
      this.#send({ kind: 'event', event }, commit?.version ?? 0);
    }, client.user);
    if (!opened.ok) return this.#send({ kind: 'end', error: opened.error }, 0);
    this.#watch = opened.value;
    const life = lifeMin + process.world.stream('api').below(lifeSpread);
    this.#life = this.#schedule(life - lastBookmark, 'api.bookmark', () => {
      this.#sendBookmark();
      this.#life = this.#schedule(lastBookmark, 'api.close', () => { this.#finish(undefined); });
    });
    this.#armBookmark();
  }

  #armBookmark(): void {
    this.#bookmark = this.#schedule(bookmarkPeriod, 'api.bookmark', () => {
      this.#sendBookmark();
      this.#armBookmark();
    });
  }

  #sendBookmark(): void {
    const { version } = this.#end.server;
    const event: WatchEvent = { type: 'BOOKMARK', resourceVersion: String(version) };
    this.#send({ kind: 'event', event }, version);
  }

  // From the server: into the channel, never before what was sent earlier.
  #send(message: Message, digest: number): void {
    const { path, client, process } = this.#end;
    const { now } = process.world;
    const due = Math.max(this.#lastDue, now + path.delay(this.#about) + path.lagOf(client));
    this.#lastDue = due;
    process.world.schedule(
      due - now, this.#what, () => { this.#arrive(message); }, { channel: this.#channel, digest },
    );
  }

  #arrive(message: Message): void {
    if (!this.#open) return;
    if (this.#flushing || this.#waiting.length > 0 || this.#held()) {
      this.#waiting.push(message);
      return;
    }
    this.#end.process.enter(() => { this.#deliver(message); });
  }

  #deliver(message: Message): void {
    if (!this.#open) return;
    if (message.kind === 'event') return this.#sink.event(message.event);
    this.close();
    this.#sink.end(message.error);
  }

  #held(): boolean {
    const { path, client } = this.#end;
    return path.blocks(client, 'in') || path.stalls(client, this.#request.resource);
  }

  #pathChanged(): void {
    const { path, client } = this.#end;
    if (path.failure !== undefined) return this.#fail();
    if (!this.#connected && !path.blocks(client, 'out')) {
      this.#schedule(path.latency.min, 'api.watch', () => { this.#connect(); });
    }
    this.#feelSilence();
    if (this.#waiting.length > 0 && !this.#flushing && !this.#held()) this.#flush();
  }

  // Keepalive probes need both directions.
  #feelSilence(): void {
    const { path, client } = this.#end;
    if (path.blocks(client, 'in') || path.blocks(client, 'out')) {
      this.#silence ??= this.#schedule(keepalive, 'api.keepalive', () => { this.#endNow(cutOff); });
      return;
    }
    this.#silence?.cancel();
    this.#silence = undefined;
  }

  #flush(): void {
    this.#flushing = true;
    this.#schedule(this.#end.path.latency.min, 'api.event', () => {
      this.#flushing = false;
      if (this.#held()) return;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const message of waiting) this.#end.process.enter(() => { this.#deliver(message); });
    });
  }

  #drop(scope: ApiScope, form: 'cut' | 'close'): void {
    if (this.#watch === undefined || !covers(scope, this.#about)) return;
    this.#finish(form === 'cut' ? cutOff : undefined);
  }

  // The server ends the stream: what is on the way arrives first.
  #finish(error: KubeError | undefined): void {
    this.#unwatch();
    this.#send({ kind: 'end', error }, 0);
  }

  #fail(): void {
    this.#unwatch();
    const { path } = this.#end;
    const message = path.failure === 'refuse' ? 'connection refused' : 'connection reset by peer';
    this.#schedule(
      path.latency.min, 'api.failure', () => { this.#endNow({ kind: 'unreachable', message }); },
    );
  }

  // At the client's own end: nothing that is still on the way arrives.
  #endNow(error: KubeError): void {
    this.#end.process.enter(() => { this.#deliver({ kind: 'end', error }); });
  }

  #unwatch(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#life?.cancel();
    this.#bookmark?.cancel();
  }

  #schedule(delay: Micros, kind: string, run: () => void): Timer {
    const { process } = this.#end;
    return process.world.schedule(delay, { kind, entity: process.name }, run);
  }
}
