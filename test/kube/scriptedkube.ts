import { err, ok } from '../../lb/result.ts';
import type {
  KubeDone, KubeError, KubeObject, KubePort, KubeRequest, Watch, WatchEvent, WatchRequest,
  WatchSink,
} from '../../kube/port.ts';
import type { Prng } from '../../sim/prng.ts';
import type { World } from '../../sim/world.ts';

/** What goes wrong, per thousand; all zero is a good day. */
export interface Mishaps {
  error: number;
  timeout: number;
  cut: number;
  stall: number;
  expire: number;
  duplicate: number;
}

const expired: KubeError = { kind: 'expired', message: 'too old' };

interface Open {
  readonly request: WatchRequest;
  readonly sink: WatchSink;
  alive: boolean;
  stalled: boolean;
}

/**
 * One resource behind a KubePort with scripted mishaps, small enough to be obviously right: a map,
 * a log of events, versions that count. Written apart from `sim/api`: each can accuse the other.
 */
export class ScriptedKube implements KubePort {
  readonly objects = new Map<string, KubeObject>();
  readonly requests: KubeRequest[] = [];
  readonly watchRequests: WatchRequest[] = [];
  mishaps: Mishaps = { error: 0, timeout: 0, cut: 0, stall: 0, expire: 0, duplicate: 0 };
  /** Fixed answer for writes and reads of the next requests, first in, first out. */
  answers: ((request: KubeRequest) => Parameters<KubeDone>[0] | 'lost')[] = [];
  bookmarks = true;
  #world: World;
  #prng: Prng;
  #version = 1;
  #log: { version: number; event: WatchEvent }[] = [];
  #compacted = 0;
  #open: Open[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#prng = world.stream('scripted');
    this.#bookmarkLater();
  }

  get watching(): number {
    return this.#open.filter(({ alive }) => alive).length;
  }

  put(name: string, uid: string, extra: Record<string, unknown> = {}): void {
    this.#version += 1;
    const metadata = { name, uid, resourceVersion: String(this.#version) };
    const object: KubeObject = { ...extra, metadata };
    const type = this.objects.has(name) ? 'MODIFIED' : 'ADDED';
    this.objects.set(name, object);
    this.#emit({ type, object });
  }

  drop(name: string): void {
    const object = this.objects.get(name);
    if (object === undefined) return;
    this.objects.delete(name);
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    this.#emit({ type: 'DELETED', object: { ...object, metadata } });
  }

  compact(): void {
    this.#compacted = this.#version;
    this.#log = [];
  }

  /** Ends every open watch, in order or with an error. */
  cut(error?: KubeError): void {
    for (const open of this.#open) this.#end(open, error);
  }

  stallAll(): void {
    for (const open of this.#open) open.stalled = true;
  }

  request(request: KubeRequest, done: KubeDone): void {
    this.requests.push(request);
    const fixed = this.answers.shift()?.(request);
    if (fixed === 'lost' || (fixed === undefined && this.#chance('timeout'))) {
      const error: KubeError = { kind: 'unreachable', message: 'timed out' };
      this.#later(request.timeout ?? 1, () => done(err(error)));
      return;
    }
    if (fixed !== undefined) return this.#later(1000, () => done(fixed));
    if (this.#chance('error')) {
      return this.#later(1000, () => done(err({ kind: 'server', message: 'boom' })));
    }
    if (request.verb !== 'list') throw new Error(`${request.verb} is not scripted`);
    const items = request.options.labelSelector === undefined ? [...this.objects.values()] : [];
    const answer = { kind: 'list', items, resourceVersion: String(this.#version) } as const;
    this.#later(this.#latency(), () => done(ok(answer)));
  }

  watch(request: WatchRequest, sink: WatchSink): Watch {
    this.watchRequests.push(request);
    const open = { request, sink, alive: true, stalled: this.#chance('stall') };
    this.#open.push(open);
    this.#later(this.#latency(), () => {
      const from = Number(request.resourceVersion);
      if (from < this.#compacted || this.#chance('expire')) {
        return this.#end(open, expired);
      }
      for (const { version, event } of this.#log) if (version > from) this.#send(open, event);
    });
    return { cancel: () => { open.alive = false; } };
  }

  #emit(event: WatchEvent): void {
    this.#log.push({ version: this.#version, event });
    for (const open of this.#open) {
      if (!open.alive) continue;
      if (this.#chance('cut')) {
        this.#end(open, this.#chance('expire') ? expired : undefined);
        continue;
      }
      if (this.#chance('stall')) open.stalled = true;
      this.#send(open, event);
      if (this.#chance('duplicate')) this.#send(open, event);
    }
    this.#open = this.#open.filter(({ alive }) => alive);
  }

  // A delivery of its own per stream: two streams may race, one stays in order.
  #send(open: Open, event: WatchEvent): void {
    this.#later(1000, () => {
      if (open.alive && !open.stalled) open.sink.event(event);
    });
  }

  #end(open: Open, error: KubeError | undefined): void {
    this.#later(1000, () => {
      if (!open.alive) return;
      open.alive = false;
      open.sink.end(error);
    });
  }

  #bookmarkLater(): void {
    this.#later(60_000_000, () => {
      this.#bookmarkLater();
      if (!this.bookmarks) return;
      const bookmark = { type: 'BOOKMARK', resourceVersion: String(this.#version) } as const;
      for (const open of this.#open) if (open.alive) this.#send(open, bookmark);
    });
  }

  #latency(): number {
    return 1000 + this.#prng.below(20_000);
  }

  #chance(mishap: keyof Mishaps): boolean {
    return this.#prng.ratio(this.mishaps[mishap], 1000);
  }

  #later(delay: number, callback: () => void): void {
    this.#world.schedule(delay, { kind: 'scripted', entity: 'kube' }, callback);
  }
}
