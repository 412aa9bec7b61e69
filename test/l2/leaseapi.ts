import type {
  KubeAnswer, KubeError, KubeObject, KubeRequest, WatchEvent, WatchSink,
} from '../../kube/port.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import type { Process } from '../../sim/process.ts';
import type { World } from '../../sim/world.ts';

export const namespace = 'fairlead';
export const ms = 1000;

/** How messages between one node and the API fare; a test changes the fields. */
export interface ApiWay {
  /** One way, per message. */
  delay(): number;
  lag(): number;
  /** Requests or answers that vanish. */
  lose(what: 'request' | 'answer'): boolean;
  reachable: boolean;
  /** Writes pass, but neither lists nor events come: a stuck watch cache. */
  deaf: boolean;
  /** Requests are refused at once instead of vanishing while the path is cut. */
  refuses: boolean;
}

/** Whoever asks the API, and how its messages fare. */
export interface ApiPlace {
  readonly name: string;
  readonly path: ApiWay;
}

/** One open watch, and the process that hears it. */
export interface StoredWatch {
  sink: WatchSink;
  node: ApiPlace;
  process: Process;
  ended: boolean;
  due: number;
  selector: boolean;
}

interface Commit { object: KubeObject; before: boolean; after: boolean; was: boolean; is: boolean }

/** One write as the server saw it. */
export interface ApiWrite { time: number; node: string; verb: string; name: string; result: string }

/** Leases only, linearizable; every message takes as long as the node's path says. */
export class LeaseApi {
  readonly world: World;
  readonly objects = new Map<string, KubeObject>();
  readonly writes: ApiWrite[] = [];
  reads = 0;
  #version = 100;
  #uid = 0;
  #watches: StoredWatch[] = [];

  constructor(world: World) {
    this.world = world;
  }

  get(name: string): KubeObject | undefined {
    return this.objects.get(name);
  }

  locks(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const [name, object] of this.objects) {
      if (name.startsWith('fairlead-l2-')) {
        found[name.slice(12)] = specOf(object).holderIdentity.split('_')[0] ?? '';
      }
    }
    return found;
  }

  sessions(): string[] {
    return [...this.objects.keys()].filter((name) => name.startsWith('fairlead-session-')).sort();
  }

  /** A change by hand, or undefined to delete. */
  edit(name: string, change: (object: any) => any): void {
    const object = this.objects.get(name);
    if (object === undefined) return;
    const next = change(JSON.parse(JSON.stringify(object)));
    this.#commit(name, next);
  }

  handle(request: KubeRequest, node: string): Result<KubeAnswer, KubeError> {
    const result = this.#handle(request);
    if (request.verb === 'get' || request.verb === 'list') this.reads += 1;
    else {
      const body = 'body' in request ? request.body as KubeObject : undefined;
      const name = 'ref' in request ? request.ref.name : body?.metadata?.name ?? '';
      const outcome = result.ok ? 'ok' : result.error.kind;
      this.writes.push(
        { time: this.world.now, node, verb: request.verb, name, result: outcome },
      );
    }
    return result;
  }

  watch(watch: StoredWatch, since: number): void {
    this.#watches.push(watch);
    // Nothing is lost between the list and the watch: the history since then is replayed.
    for (const [version, event] of this.#history) if (version > since) this.#deliver(watch, event);
  }

  drop(node: ApiPlace): void {
    for (const watch of this.#watches) {
      if (watch.node !== node || watch.ended) continue;
      watch.ended = true;
      this.world.schedule(
        0,
        { kind: 'watch.end', entity: node.name },
        () => watch.process.enter(() => watch.sink.end(undefined)),
      );
    }
    this.#watches = this.#watches.filter((watch) => !watch.ended);
  }

  #history: [number, Commit][] = [];

  #handle(request: KubeRequest): Result<KubeAnswer, KubeError> {
    switch (request.verb) {
      case 'list': {
        const labelled = request.options.labelSelector !== undefined;
        const items = [...this.objects.keys()].sort().map((name) => this.objects.get(name)!)
          .filter((object) => !labelled || hasLabel(object));
        return ok({ kind: 'list', items, resourceVersion: String(this.#version) });
      }
      case 'get': {
        const object = this.objects.get(request.ref.name);
        return object === undefined ? refuse('gone') : ok({ kind: 'object', object });
      }
      case 'create': {
        const name = request.body.metadata?.name ?? '';
        if (this.objects.has(name)) return refuse('exists');
        this.#uid += 1;
        const metadata = { ...request.body.metadata, uid: `uid-${this.#uid}`, namespace };
        return ok({ kind: 'object', object: this.#commit(name, { ...request.body, metadata })! });
      }
      case 'update': {
        const { name } = request.ref;
        const object = this.objects.get(name);
        if (object === undefined) return refuse('gone');
        const { resourceVersion, uid } = request.body.metadata ?? {};
        if (resourceVersion !== object.metadata?.resourceVersion || uid !== object.metadata?.uid) {
          return refuse('conflict');
        }
        return ok({ kind: 'object', object: this.#commit(name, request.body)! });
      }
      case 'delete': {
        const object = this.objects.get(request.ref.name);
        if (object === undefined) return refuse('gone');
        const { resourceVersion, uid } = request.preconditions ?? {};
        if (resourceVersion !== undefined && resourceVersion !== object.metadata?.resourceVersion) {
          return refuse('conflict');
        }
        if (uid !== undefined && uid !== object.metadata?.uid) return refuse('conflict');
        this.#commit(request.ref.name, undefined);
        return ok({ kind: 'object', object });
      }
      default: return refuse('invalid');
    }
  }

  #commit(name: string, body: KubeObject | undefined): KubeObject | undefined {
    const before = this.objects.get(name);
    this.#version += 1;
    const resourceVersion = String(this.#version);
    const source = body ?? before!;
    const object = { ...source, metadata: { ...source.metadata, resourceVersion } } as KubeObject;
    if (body === undefined) this.objects.delete(name);
    else this.objects.set(name, object);
    const event = {
      object,
      before: before !== undefined && hasLabel(before),
      after: body !== undefined && hasLabel(object),
      was: before !== undefined,
      is: body !== undefined,
    };
    this.#history.push([this.#version, event]);
    if (this.#history.length > 3000) this.#history.splice(0, 1500);
    for (const watch of this.#watches) this.#deliver(watch, event);
    return object;
  }

  #deliver(watch: StoredWatch, commit: Commit): void {
    // To a watch with a selector a lost label is a deletion.
    const [was, is] = watch.selector ? [commit.before, commit.after] : [commit.was, commit.is];
    if (!was && !is) return;
    const event: WatchEvent = {
      type: !is ? 'DELETED' : was ? 'MODIFIED' : 'ADDED', object: commit.object,
    };
    const { node } = watch;
    watch.due = Math.max(watch.due, this.world.now + node.path.lag());
    const fire = (): void => {
      if ((!node.path.reachable || node.path.deaf) && !watch.ended) {
        // The stream stalls while the path is cut, and goes on in order.
        this.world.schedule(50 * ms, { kind: 'watch.stall', entity: node.name }, fire);
        return;
      }
      watch.process.enter(() => {
        if (!watch.ended) watch.sink.event(event);
      });
    };
    this.world.schedule(watch.due - this.world.now, { kind: 'watch', entity: node.name }, fire);
  }
}

/** A refusal of that kind. */
export function refuse(kind: KubeError['kind']): { ok: false; error: KubeError } {
  return err({ kind, message: kind });
}

function hasLabel(object: KubeObject): boolean {
  const labels = object.metadata?.['labels'];
  return typeof labels === 'object' && labels !== null && 'fairlead.dev/l2' in labels;
}

export function specOf(
  object: KubeObject | undefined,
): { holderIdentity: string; leaseTransitions: number } {
  return object?.['spec'] as { holderIdentity: string; leaseTransitions: number };
}
