import type {
  PeerName, Route, SpeakerDone, SpeakerError, SpeakerEvent, SpeakerGlobal, SpeakerPeer,
  SpeakerPort, Speakers, StopMode,
} from '../../bgp/port.ts';
import type { Clock, Micros } from '../../lb/ports.ts';
import { err, ok } from '../../lb/result.ts';
import { routeText } from './derive.ts';

/** What one call said, and when. */
export interface Call {
  readonly at: Micros;
  readonly text: string;
}

/** A speaker that writes down what it is told and answers a moment later. */
export class Recorder implements SpeakerPort {
  readonly name: string;
  readonly calls: Call[] = [];
  readonly routes = new Map<PeerName, readonly Route[]>();
  peers: readonly SpeakerPeer[] = [];
  global: SpeakerGlobal | undefined;
  stopped: StopMode | undefined;
  /** What the next calls are refused with; undefined: they succeed. */
  refusal: SpeakerError | undefined;
  #clock: Clock;
  #listeners: ((event: SpeakerEvent) => void)[] = [];

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
  }

  start(global: SpeakerGlobal, done: SpeakerDone): void {
    this.#call(`start ${global.asn} ${global.routerId} ${global.listenPort ?? '-'}`, done, () => {
      this.global = global;
    });
  }

  setPeers(peers: readonly SpeakerPeer[], done: SpeakerDone): void {
    this.#call(`peers ${peers.map(({ name }) => name).join(' ')}`, done, () => {
      this.peers = peers;
    });
  }

  setRoutes(peer: PeerName, routes: readonly Route[], done: SpeakerDone): void {
    this.#call(`${peer}: ${routes.map(routeText).join(', ')}`, done, () => {
      this.routes.set(peer, routes);
    });
  }

  stop(mode: StopMode, done: SpeakerDone): void {
    this.#call(`stop ${mode}`, done, () => { this.stopped = mode; });
  }

  subscribe(listener: (event: SpeakerEvent) => void): () => void {
    this.#listeners.push(listener);
    return () => { this.#listeners = this.#listeners.filter((other) => other !== listener); };
  }

  /** Something happens to the speaker. */
  tell(event: SpeakerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** The calls since the last look, without times. */
  take(): string[] {
    return this.calls.splice(0).map(({ text }) => text);
  }

  #call(text: string, done: SpeakerDone, act: () => void): void {
    this.calls.push({ at: this.#clock.now(), text });
    const { refusal } = this;
    if (refusal === undefined) act();
    this.#clock.after(1_000, () => done(refusal === undefined ? ok(undefined) : err(refusal)));
  }
}

/** Recording speakers by instance; one that is opened again replaces the last. */
export class Recorders implements Speakers {
  readonly opened: Recorder[] = [];
  #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  open(instance: string): Recorder {
    const recorder = new Recorder(instance, this.#clock);
    this.opened.push(recorder);
    return recorder;
  }

  /** The present speaker of an instance. */
  of(instance = 'main'): Recorder {
    const found = this.opened.findLast(({ name }) => name === instance);
    if (found === undefined) throw new Error(`nobody opened ${instance}`);
    return found;
  }
}
