import type {
  Clock, EventSink, Journal, Micros, ObjectEvent, Random, Timer,
} from '../lb/ports.ts';
import { EventQueue, type EventRecord } from './event-queue.ts';
import type { KubeError, KubeObject, KubePort, KubeRequest } from './port.ts';
import { resources } from './resource.ts';
import { retryDelay } from './backoff.ts';
import { formatTime } from '../lb/time.ts';

export interface EventPorts {
  readonly kube: KubePort;
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
}

export interface EventSource {
  /** `fairlead-agent` or `fairlead-controller`. */
  readonly component: string;
  /** Node name or replica. */
  readonly instance: string;
}

export interface EventRecorder extends EventSink {
  /** Events not yet accepted by the API, one sentence each. */
  pending(): readonly string[];
  /** Events that no one will ever see, for a limit, a full queue or a refusal. */
  dropped(): number;
  /** Forgets what waits and writes no more. */
  stop(): void;
}

const requestTimeout: Micros = 10_000_000;
/** The API refuses longer messages. */
const messageLengthMax = 1024;
/** An Event name is an object name: at most 253 characters with its suffix. */
const nameLengthMax = 253 - 14;

/**
 * Writes core/v1 Events, politely (lb-ipam.md 10.4): at most 10 a minute about one object and 10 a
 * second in all, Warnings first; a repeat within 10 minutes raises the count of the first. What the
 * limits refuse is counted, never kept for ever: conditions carry the full state anyway.
 */
export function createEventRecorder(ports: EventPorts, source: EventSource): EventRecorder {
  return new Recorder(ports, source);
}

class Recorder implements EventRecorder {
  readonly #ports: EventPorts;
  readonly #source: EventSource;
  readonly #queue = new EventQueue();
  /** Makes names of this process unlike those of any other; drawn when first needed. */
  #run = '';
  #named = 0;
  #failures = 0;
  #writing: EventRecord | undefined;
  #retryAt: Micros = 0;
  #timer: Timer | undefined;
  #timerAt: Micros = 0;
  #stopped = false;

  constructor(ports: EventPorts, source: EventSource) {
    this.#ports = ports;
    this.#source = source;
  }

  emit(event: ObjectEvent): void {
    if (this.#stopped) return;
    const message = cut(event.message);
    this.#queue.add({ ...event, message }, this.#ports.clock.now());
    // Never inside the call that emits: what follows in the same step may outrank this event.
    if (this.#writing === undefined) this.#arm(0);
  }

  pending(): readonly string[] {
    const waiting = this.#queue.waiting();
    const all = this.#writing === undefined ? waiting : [this.#writing, ...waiting];
    return all.map(({ event: { reason, object } }) =>
      `event ${reason} about ${object.kind} ${object.namespace}/${object.name}`);
  }

  dropped(): number {
    return this.#queue.dropped;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing = undefined;
    this.#queue.clear();
  }

  /** Looks again after `delay`, though not before a failed write may be repeated. */
  #arm(delay: Micros): void {
    const { clock } = this.#ports;
    const dueAt = Math.max(clock.now() + delay, this.#retryAt);
    if (this.#timer !== undefined && this.#timerAt <= dueAt) return;
    this.#timer?.cancel();
    this.#timerAt = dueAt;
    this.#timer = clock.after(dueAt - clock.now(), () => {
      this.#timer = undefined;
      this.#next();
    });
  }

  #next(): void {
    const now = this.#ports.clock.now();
    const due = this.#queue.due(now);
    if (due === undefined) return;
    if (due.at > now) return this.#arm(due.at - now);
    const record = this.#queue.take(now);
    this.#writing = record;
    const { count } = record;
    this.#ports.kube.request(this.#requestOf(record), (result) => {
      if (this.#writing !== record) return;
      this.#writing = undefined;
      if (result.ok || result.error.kind === 'exists') record.told = count;
      this.#settle(record, result.ok ? undefined : result.error);
    });
  }

  #settle(record: EventRecord, error: KubeError | undefined): void {
    // `exists` answers the repetition of a creation whose first answer was lost.
    if (error === undefined || error.kind === 'exists') {
      this.#failures = 0;
      record.stored = true;
      return this.#arm(0);
    }
    if (error.kind === 'gone' && record.stored) {
      // The API keeps Events for an hour or less; this one is told as new.
      this.#queue.expired(record);
      return this.#arm(0);
    }
    if (error.kind === 'gone' || error.kind === 'invalid' || error.kind === 'denied') {
      this.#queue.lose(record);
      this.#ports.journal.note({
        level: 'debug',
        component: 'kube',
        code: 'kube.eventRefused',
        text: `Event ${record.event.reason}: ${error.message}`,
      });
      return this.#arm(0);
    }
    this.#queue.again(record);
    this.#failures += 1;
    const { clock, random } = this.#ports;
    this.#retryAt = clock.now() + retryDelay(this.#failures, random, error.retryAfter);
    this.#arm(0);
  }

  #requestOf(record: EventRecord): KubeRequest {
    const namespace = eventNamespace(record.event);
    const timeout = requestTimeout;
    if (!record.stored) {
      if (record.name === '') record.name = this.#nameOf(record.event);
      const body = this.#bodyOf(record, namespace);
      return { verb: 'create', resource: resources.events, namespace, body, timeout };
    }
    const ref = { resource: resources.events, namespace, name: record.name };
    const body = { count: record.count, lastTimestamp: this.#wallAt(record.lastAt) };
    return { verb: 'patch', ref, body, timeout };
  }

  #bodyOf(record: EventRecord, namespace: string): KubeObject {
    const { object, reason, message, type } = record.event;
    const { component, instance } = this.#source;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: record.name, namespace },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        ...(object.namespace === '' ? {} : { namespace: object.namespace }),
        name: object.name,
        uid: object.uid,
      },
      reason,
      message,
      type,
      count: record.count,
      firstTimestamp: this.#wallAt(record.firstAt),
      lastTimestamp: this.#wallAt(record.lastAt),
      source: { component, host: instance },
      reportingComponent: component,
      reportingInstance: instance,
    };
  }

  #nameOf(event: ObjectEvent): string {
    const { random } = this.#ports;
    if (this.#run === '') this.#run = random.below(0x1_0000_0000).toString(16).padStart(8, '0');
    this.#named += 1;
    return `${event.object.name.slice(0, nameLengthMax)}.${this.#run}${this.#named.toString(16)}`;
  }

  // Instants are kept on the monotonic clock; the wall clock is asked when one is shown.
  #wallAt(instant: Micros): string {
    const { clock } = this.#ports;
    return formatTime(clock.wall() - (clock.now() - instant));
  }
}

/** Events about cluster-scoped objects stand in `default`, as the API demands. */
function eventNamespace(event: ObjectEvent): string {
  return event.object.namespace === '' ? 'default' : event.object.namespace;
}

function cut(message: string): string {
  if (message.length <= messageLengthMax) return message;
  return `${message.slice(0, messageLengthMax - 1)}…`;
}
