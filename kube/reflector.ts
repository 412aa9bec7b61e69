import type { Clock, Journal, Micros, Random, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { retryDelay } from './backoff.ts';
import { objectKey, type KeyOf } from './objectkey.ts';
import type {
  KubeAnswer, KubeError, KubeObject, KubePort, KubeRequest, Watch, WatchEvent,
} from './port.ts';
import type { Resource } from './resource.ts';

export interface ReflectorPorts {
  readonly kube: KubePort;
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
}

export interface ReflectorScope {
  readonly resource: Resource;
  /** `objectKey`, or a memo of it; default: `objectKey`. */
  readonly keyOf?: KeyOf;
  /** Unset or empty: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** Set for a kind that not every API server has: one that is not served counts as empty. */
  readonly optional?: true;
}

/** Where a reflector puts what it learns. Keys are `namespace/name`, or the name alone. */
export interface ReflectorSink {
  /** A new object, or another version of one. A new uid was announced by `remove` first. */
  upsert(key: string, object: KubeObject): void;
  remove(key: string): void;
  /** A complete list was taken in; called after each one. */
  synced(): void;
}

export interface Reflector {
  start(): void;
  /** No call of the sink happens afterwards. */
  stop(): void;
  /** Lists again, whatever the watch says. */
  relist(): void;
  /** What it waits for, as a sentence; empty while it follows a live watch. */
  pending(): readonly string[];
}

/** Bounds the wait for a list and for a knock. */
const requestTimeout: Micros = 15_000_000;
/** Silence after which the watch is doubted, so that a stall is noticed within 60 s. */
const doubtAfter: Micros = 40_000_000;
/** A watch without its bookmark is not believed any longer, nor is any other: a list decides. */
const silenceMax: Micros = 75_000_000;
/** A second watch that speaks at once brings what the first one withheld. */
const replayWindow: Micros = 5_000_000;
/** How long a kind that the server has not is left alone. */
const absentFor: Micros = 300_000_000;
/** Matches nothing: the answer shows that the API hears us, at the cost of an empty list. */
const knockSelector = 'fairlead.dev/knock';

/**
 * Follows one resource by list and watch and reports the differences, for ever, whatever the API
 * does (lb-ipam.md 12, simulator.md A3–A5).
 *
 * A watch may be silent because nothing happens or because it stalled. After 40 s of silence the
 * reflector knocks (an empty list) and opens a second watch from the same version. Whichever of the
 * two speaks first is complete from that version on, so it wins and the other is cancelled: nothing
 * is lost, nothing comes twice, and versions, which are opaque, are never compared. Simply opening
 * a new watch each 40 s would starve every watch of its bookmarks, and so age the version until
 * it is compacted. An unanswered knock means that the API is out of reach: back off, knock, watch.
 * After 75 s, when even a bookmark is overdue on both, a whole list tells the truth.
 */
export function createReflector(
  ports: ReflectorPorts,
  scope: ReflectorScope,
  sink: ReflectorSink,
): Reflector {
  return new ListAndWatch(ports, scope, sink);
}

interface Stream {
  readonly openedAt: Micros;
  watch: Watch | undefined;
}

interface KnownVersion {
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
}

type Phase = 'idle' | 'listing' | 'knocking' | 'watching' | 'waiting' | 'absent' | 'stopped';

const settledPhases: ReadonlySet<Phase> = new Set(['watching', 'absent', 'stopped']);

class ListAndWatch implements Reflector {
  readonly #ports: ReflectorPorts;
  readonly #scope: ReflectorScope;
  readonly #sink: ReflectorSink;
  #phase: Phase = 'idle';
  /** Only what tells versions apart: a cluster's objects as they came are most of a memory. */
  #known = new Map<string, KnownVersion>();
  #version = '';
  #listed = false;
  #listFailures = 0;
  #watchFailures = 0;
  /** Expired versions since the last sign of life of a watch. */
  #expirations = 0;
  /** Answers of an older round are ignored: requests cannot be taken back. */
  #round = 0;
  #stream: Stream | undefined;
  #spare: Stream | undefined;
  #heardAt: Micros = 0;
  #timer: Timer | undefined;
  #problem = '';

  constructor(ports: ReflectorPorts, scope: ReflectorScope, sink: ReflectorSink) {
    this.#ports = ports;
    this.#scope = scope;
    this.#sink = sink;
  }

  start(): void {
    if (this.#phase === 'idle') this.#list();
  }

  stop(): void {
    this.#leave('stopped');
  }

  relist(): void {
    if (this.#phase !== 'idle' && this.#phase !== 'stopped') this.#list();
  }

  pending(): readonly string[] {
    const { plural } = this.#scope.resource;
    if (settledPhases.has(this.#phase)) return [];
    const target = this.#listed ? '' : ' for the first list';
    const problem = this.#problem === '' ? '' : ` after '${this.#problem}'`;
    return [`${plural}: ${this.#phase}${target}${problem}`];
  }

  /** Ends whatever is under way; the next phase starts from here. */
  #leave(next: Phase): void {
    this.#phase = next;
    this.#round += 1;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stream?.watch?.cancel();
    this.#spare?.watch?.cancel();
    this.#stream = undefined;
    this.#spare = undefined;
  }

  #request(request: KubeRequest, then: (answer: KubeAnswer) => void): void {
    const round = this.#round;
    this.#ports.kube.request(request, (result) => {
      if (round !== this.#round) return;
      if (result.ok) then(result.value);
      else this.#failed(result.error);
    });
  }

  #listRequest(options: { labelSelector?: string; resourceVersion?: string }): KubeRequest {
    const { resource, namespace = '' } = this.#scope;
    return { verb: 'list', resource, namespace, options, timeout: requestTimeout };
  }

  #list(): void {
    this.#leave('listing');
    const { labelSelector } = this.#scope;
    const options = labelSelector === undefined ? {} : { labelSelector };
    this.#request(this.#listRequest(options), (answer) => {
      if (answer.kind !== 'list') return this.#failed(answerError);
      const round = this.#round;
      this.#recovered();
      this.#listFailures = 0;
      this.#version = answer.resourceVersion;
      this.#replace(answer.items);
      if (this.#phase === 'stopped') return;
      this.#listed = true;
      this.#sink.synced();
      // The sink may have stopped us, or asked for another list.
      if (round === this.#round) this.#watch();
    });
  }

  /** Takes the difference between what was known and a complete list. */
  #replace(items: readonly KubeObject[]): void {
    const listed = new Set<string>();
    for (const object of items) {
      const key = this.#keyOf(object);
      if (key === undefined) continue;
      listed.add(key);
      this.#upsert(key, object);
    }
    const lost = [...this.#known.keys()].filter((key) => !listed.has(key));
    for (const key of lost.sort(compareText)) this.#remove(key);
  }

  #upsert(key: string, object: KubeObject): void {
    // The sink may stop us in the middle of a list.
    if (this.#phase === 'stopped') return;
    const before = this.#known.get(key);
    const after = object.metadata;
    if (before !== undefined && before.uid !== after?.uid) this.#remove(key);
    else if (before !== undefined && before.resourceVersion === after?.resourceVersion) return;
    this.#known.set(key, { uid: after?.uid, resourceVersion: after?.resourceVersion });
    this.#sink.upsert(key, object);
  }

  #remove(key: string): void {
    if (this.#phase !== 'stopped' && this.#known.delete(key)) this.#sink.remove(key);
  }

  #watch(): void {
    this.#leave('watching');
    this.#heardAt = this.#ports.clock.now();
    this.#stream = this.#open();
    this.#arm(doubtAfter, () => this.#doubt());
  }

  #open(): Stream {
    const { kube, clock } = this.#ports;
    const { resource, namespace = '', labelSelector } = this.#scope;
    const stream: Stream = { openedAt: clock.now(), watch: undefined };
    const selector = labelSelector === undefined ? {} : { labelSelector };
    const request = { resource, namespace, ...selector, resourceVersion: this.#version };
    stream.watch = kube.watch(request, {
      event: (event) => this.#heard(stream, event),
      end: (error) => this.#ended(stream, error),
    });
    return stream;
  }

  #heard(stream: Stream, event: WatchEvent): void {
    if (stream !== this.#stream && stream !== this.#spare) return;
    const now = this.#ports.clock.now();
    if (stream === this.#spare) {
      const replayed = now - stream.openedAt <= replayWindow && event.type !== 'BOOKMARK';
      if (replayed) this.#stalled('a second watch brought what the first withheld');
      this.#stream?.watch?.cancel();
      this.#stream = stream;
    } else {
      this.#spare?.watch?.cancel();
    }
    this.#spare = undefined;
    // The timer stays as it is and finds out how long it has really been silent: a timer that is
    // set anew by each event would cost more than the event.
    this.#heardAt = now;
    this.#alive();
    this.#apply(event);
  }

  #apply(event: WatchEvent): void {
    if (event.type === 'BOOKMARK') {
      this.#version = event.resourceVersion;
      return;
    }
    const { object } = event;
    const key = this.#keyOf(object);
    this.#version = object.metadata?.resourceVersion ?? this.#version;
    if (key === undefined) return;
    if (event.type !== 'DELETED') this.#upsert(key, object);
    else if (this.#known.get(key)?.uid === object.metadata?.uid) this.#remove(key);
  }

  /** The watch is silent: ask whether the API hears us, and for what may have been withheld. */
  #doubt(): void {
    const silence = this.#ports.clock.now() - this.#heardAt;
    if (silence < doubtAfter) {
      this.#arm(doubtAfter - silence, () => this.#doubt());
      return;
    }
    if (silence >= silenceMax) {
      this.#stalled('no bookmark in time');
      this.#list();
      return;
    }
    this.#arm(Math.min(doubtAfter, silenceMax - silence), () => this.#doubt());
    const stream = this.#stream;
    const request = this.#listRequest({ labelSelector: knockSelector, resourceVersion: '0' });
    const round = this.#round;
    this.#ports.kube.request(request, (result) => {
      // Whatever was heard meanwhile has settled the doubt.
      if (round !== this.#round || stream !== this.#stream || !this.#silent()) return;
      if (result.ok) {
        this.#alive();
        this.#spare ??= this.#open();
      } else if (outOfReach(result.error)) {
        this.#stalled(`silent, and ${result.error.message}`);
        this.#failed(result.error);
      }
    });
  }

  /** The watch works: its next failure is a first one. */
  #alive(): void {
    this.#watchFailures = 0;
    this.#expirations = 0;
  }

  #silent(): boolean {
    return this.#ports.clock.now() - this.#heardAt >= doubtAfter;
  }

  #ended(stream: Stream, error: KubeError | undefined): void {
    if (stream !== this.#stream && stream !== this.#spare) return;
    stream.watch = undefined;
    if (error?.kind === 'expired') return this.#expired();
    if (stream === this.#spare) {
      this.#spare = undefined;
      return;
    }
    this.#stream = this.#spare;
    this.#spare = undefined;
    if (this.#stream !== undefined) return;
    if (error !== undefined) return this.#failed(error);
    // Closed in order, as servers do every half hour: not a failure, but never in lockstep.
    this.#wait(this.#ports.random.below(1_000_000), () => this.#connect());
  }

  /** 410, on the request or in the stream: the version is compacted and only a list helps. */
  #expired(): void {
    const text = `${this.#scope.resource.plural} changed further than the watch reaches back`;
    this.#note('warn', 'kube.relistAfter410', text);
    this.#expirations += 1;
    // At first at once; a server that expires what it has just listed is not worth hammering.
    if (this.#expirations === 1) return this.#list();
    this.#wait(retryDelay(this.#expirations, this.#ports.random), () => this.#list());
  }

  /** Knocks until the API answers, then watches on from where the last watch stood. */
  #connect(): void {
    this.#leave('knocking');
    const request = this.#listRequest({ labelSelector: knockSelector, resourceVersion: '0' });
    this.#request(request, () => {
      this.#recovered();
      this.#watch();
    });
  }

  #failed(error: KubeError): void {
    if (this.#scope.optional && error.kind === 'gone') return this.#absent();
    if (error.message !== this.#problem) {
      this.#note('warn', 'kube.unreachable', `${this.#scope.resource.plural}: ${error.message}`);
    }
    this.#problem = error.message;
    const listing = this.#phase === 'listing' || !this.#listed || error.kind === 'expired';
    const failures = listing ? (this.#listFailures += 1) : (this.#watchFailures += 1);
    const delay = retryDelay(failures, this.#ports.random, error.retryAfter);
    this.#wait(delay, () => (listing ? this.#list() : this.#connect()));
  }

  /** The kind is not served: its objects are none, until an upgrade of the server brings it. */
  #absent(): void {
    this.#leave('absent');
    this.#arm(absentFor, () => this.#list());
    this.#replace([]);
    this.#listed = true;
    this.#sink.synced();
  }

  #recovered(): void {
    if (this.#problem === '') return;
    this.#problem = '';
    this.#note('info', 'kube.recovered', `${this.#scope.resource.plural}: the API answers again`);
  }

  #stalled(why: string): void {
    this.#note('warn', 'kube.stallDetected', `${this.#scope.resource.plural}: ${why}`);
  }

  #wait(delay: Micros, then: () => void): void {
    this.#leave('waiting');
    this.#arm(delay, then);
  }

  #arm(delay: Micros, then: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#ports.clock.after(delay, then);
  }

  #keyOf(object: KubeObject): string | undefined {
    const key = (this.#scope.keyOf ?? objectKey)(object);
    if (key === undefined) {
      this.#note('error', 'kube.namelessObject', `${this.#scope.resource.plural}: no usable name`);
    }
    return key;
  }

  #note(level: 'info' | 'warn' | 'error', code: string, text: string): void {
    this.#ports.journal.note({ level, component: 'kube', code, text });
  }
}

const answerError: KubeError = { kind: 'server', message: 'the answer to a list is no list' };

function outOfReach(error: KubeError): boolean {
  return error.kind === 'unreachable' || error.kind === 'unknown-outcome';
}
