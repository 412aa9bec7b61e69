import type { Clock, Journal, Micros, Random, Timer } from '../lb/ports.ts';
import type { Prefix } from '../lb/ip.ts';
import { Damping } from './damping.ts';
import type { DesiredInstance } from './desired.ts';
import type {
  PeerName, PolicyStatement, Route, RouteCounts, SessionReport, SpeakerDone, SpeakerError,
  SpeakerEvent,
  SpeakerGlobal, SpeakerPeer, SpeakerPort, StopMode,
} from './port.ts';
import { keep, settle, withdrawn } from './routeset.ts';

export interface InstanceParts {
  readonly name: string;
  readonly port: SpeakerPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
  /** Something happened; sessions are as they were before and as they are now. */
  readonly told: (event: SpeakerEvent, before: SessionReport | undefined) => void;
  /** A plan is due though no input changed. */
  readonly wake: () => void;
}

/** One session as far as it is known. */
export interface SessionFacts {
  readonly report: SessionReport;
  /** Wall clock; only while established. */
  readonly establishedAt: Micros | undefined;
  readonly counts: ReadonlyMap<string, RouteCounts>;
  readonly flaps: number;
}

/** How the speaker itself is. */
export type SpeakerFacts =
  | { readonly kind: 'starting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'lost' | 'blocked'; readonly error: SpeakerError };

const retryFirst: Micros = 500_000;
const retryMax: Micros = 15_000_000;
const noRoutes: readonly Route[] = [];
const noPrefixes: readonly Prefix[] = [];

/** The calls of one instance on its speaker: whole sets, told only where they differ. */
export class InstanceSession {
  readonly name: string;
  #parts: InstanceParts;
  #cancel: () => void;
  #desired: DesiredInstance | undefined;
  /** What the speaker was told and did not refuse. */
  #global: SpeakerGlobal | undefined;
  #peers: readonly SpeakerPeer[] | undefined;
  #routes = new Map<PeerName, readonly Route[]>();
  #damping = new Map<PeerName, Damping>();
  #outstanding = 0;
  /** When the first of the outstanding calls was made. */
  #runSince: Micros = 0;
  #failures = 0;
  #failed: SpeakerError | undefined;
  #retry: Timer | undefined;
  #rest: Timer | undefined;
  #sessions = new Map<PeerName, SessionFacts>();
  #speaker: SpeakerFacts = { kind: 'starting' };
  /** Since when each peer has been wanted without a session. */
  #downSince = new Map<PeerName, Micros>();
  #stopped = false;

  constructor(parts: InstanceParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.#cancel = parts.port.subscribe((event) => this.#hear(event));
  }

  get desired(): DesiredInstance | undefined {
    return this.#desired;
  }

  get speaker(): SpeakerFacts {
    return this.#speaker;
  }

  /** The last refusal, until everything was taken. */
  get failed(): SpeakerError | undefined {
    return this.#failed;
  }

  session(peer: PeerName): SessionFacts | undefined {
    return this.#sessions.get(peer);
  }

  /** On the monotonic clock; undefined while established, and for peers that are not wanted. */
  downSince(peer: PeerName): Micros | undefined {
    return this.#downSince.get(peer);
  }

  /** What the speaker was told to announce. */
  routesOf(peer: PeerName): readonly Route[] {
    return this.#routes.get(peer) ?? noRoutes;
  }

  /** Rules of its speaker; undefined: it has none. */
  policies(): readonly PolicyStatement[] | undefined {
    return this.#parts.port.policies?.();
  }

  pending(): readonly string[] {
    if (this.#outstanding > 0) return [`bgp ${this.name}: ${this.#outstanding} calls`];
    return this.#retry === undefined ? [] : [`bgp ${this.name}: tries again`];
  }

  /** Makes the speaker what is desired: paths before peers, so that End-of-RIB follows them all. */
  apply(desired: DesiredInstance): void {
    if (this.#stopped || desired.global === undefined) return;
    this.#desired = desired;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#start(desired.global);
    this.#rest?.cancel();
    this.#rest = undefined;
    let due: Micros | undefined;
    for (const { peer, routes } of desired.peers) {
      const now = this.#parts.clock.now();
      const permitted = this.#dampingOf(peer.name)
        .permit(this.routesOf(peer.name), routes, now);
      if (permitted.due !== undefined) due = Math.min(due ?? permitted.due, permitted.due);
      this.#setRoutes(peer.name, permitted.routes);
    }
    this.#setPeers(desired.peers.map(({ peer }) => peer));
    if (due !== undefined) this.#restUntil(due);
  }

  /** Takes back at once what is not wanted any more, and leaves the rest for a whole plan. */
  withdraw(desired: DesiredInstance): void {
    if (this.#stopped || desired.global === undefined) return;
    const wanted = new Map(desired.peers.map(({ peer, routes }) => [peer.name, routes]));
    for (const [name, routes] of this.#routes) {
      this.#setRoutes(name, keep(routes, wanted.get(name) ?? noRoutes));
    }
  }

  stop(mode: StopMode, done: () => void): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#rest?.cancel();
    this.#retry = undefined;
    this.#parts.port.stop(mode, (result) => {
      if (!result.ok) this.#note('bgp.stopFailed', result.error);
      this.#cancel();
      done();
    });
  }

  #start(global: SpeakerGlobal): void {
    const before = this.#global;
    const same = before?.asn === global.asn && before.routerId === global.routerId
      && before.listenPort === global.listenPort;
    if (same) return;
    this.#global = global;
    this.#call((done) => this.#parts.port.start(global, done), () => {
      if (this.#global === global) this.#global = undefined;
    });
  }

  #setRoutes(name: PeerName, wanted: readonly Route[]): void {
    const before = this.#routes.get(name);
    const routes = settle(before ?? noRoutes, wanted);
    if (routes === before) return;
    const { clock, journal } = this.#parts;
    const at = clock.now();
    const gone = before === undefined ? noPrefixes : withdrawn(before, routes);
    this.#dampingOf(name).note(gone, at);
    this.#routes.set(name, routes);
    this.#call((done) => this.#parts.port.setRoutes(name, routes, done), () => {
      if (this.#routes.get(name) === routes) this.#routes.delete(name);
    }, () => {
      if (gone.length === 0) return;
      const value = (clock.now() - at) / 1_000_000;
      journal.measure?.({ name: 'bgp_withdraw_seconds', value, labels: {} });
    });
  }

  #setPeers(peers: readonly SpeakerPeer[]): void {
    const before = this.#peers;
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(peers)) return;
    const names = new Set(peers.map(({ name }) => name));
    const gone = [...this.#routes.keys()].filter((name) => !names.has(name));
    for (const name of gone) {
      this.#setRoutes(name, noRoutes);
      this.#routes.delete(name);
      this.#damping.delete(name);
      this.#sessions.delete(name);
      this.#downSince.delete(name);
    }
    for (const { name } of peers) {
      const up = this.#sessions.get(name)?.report.state === 'established';
      if (!up && !this.#downSince.has(name)) this.#downSince.set(name, this.#parts.clock.now());
    }
    this.#peers = peers;
    this.#call((done) => this.#parts.port.setPeers(peers, done), () => {
      if (this.#peers === peers) this.#peers = undefined;
    });
  }

  /** One call; what was refused counts as not told, so that the next plan tells it again. */
  #call(
    make: (done: SpeakerDone) => void, forget: () => void, succeeded?: () => void,
  ): void {
    const { clock, journal } = this.#parts;
    if (this.#outstanding === 0) this.#runSince = clock.now();
    this.#outstanding += 1;
    make((result) => {
      this.#outstanding -= 1;
      if (this.#outstanding === 0) {
        journal.measure?.({
          name: 'bgp_control_plane_reconcile_run_duration_seconds',
          value: (clock.now() - this.#runSince) / 1_000_000, labels: { instance_name: this.name },
        });
      }
      if (result.ok) {
        succeeded?.();
        if (this.#outstanding === 0 && this.#retry === undefined) this.#recover();
        return;
      }
      forget();
      if (this.#stopped) return;
      if (this.#failed?.text !== result.error.text) this.#note('bgp.callFailed', result.error);
      this.#failed = result.error;
      this.#retryLater();
    });
  }

  #recover(): void {
    if (this.#failed === undefined) return;
    this.#failed = undefined;
    this.#failures = 0;
    this.#parts.wake();
  }

  #retryLater(): void {
    if (this.#retry !== undefined) return;
    const { clock, random, journal } = this.#parts;
    const delay = Math.min(retryFirst * (1 << this.#failures), retryMax);
    this.#failures = Math.min(this.#failures + 1, 10);
    // Half of it to one and a half times.
    const jittered = Math.floor(delay / 2) + random.below(delay);
    journal.measure?.({
      name: 'bgp_control_plane_reconcile_errors_total', value: 1,
      labels: { instance_name: this.name },
    });
    this.#retry = clock.after(jittered, () => {
      this.#retry = undefined;
      if (this.#desired !== undefined) this.apply(this.#desired);
    });
  }

  #restUntil(due: Micros): void {
    const { clock, wake } = this.#parts;
    this.#rest = clock.after(Math.max(0, due - clock.now()), () => {
      this.#rest = undefined;
      wake();
    });
  }

  #dampingOf(name: PeerName): Damping {
    const known = this.#damping.get(name);
    if (known !== undefined) return known;
    const made = new Damping();
    this.#damping.set(name, made);
    return made;
  }

  #hear(event: SpeakerEvent): void {
    const before = event.kind === 'session'
      ? this.#sessions.get(event.session.peer)?.report : undefined;
    switch (event.kind) {
      case 'live':
        this.#speaker = { kind: 'live' };
        if (this.#retry !== undefined && this.#desired !== undefined) this.apply(this.#desired);
        break;
      case 'lost': case 'blocked':
        this.#speaker = event;
        break;
      case 'session':
        this.#takeSession(event.session);
        break;
      case 'counts':
        for (const counts of event.counts) this.#takeCounts(counts);
        break;
      case 'drift':
        this.#parts.journal.measure?.({ name: 'bgp_drift_repaired_total', value: 1, labels: {} });
    }
    this.#parts.told(event, before);
  }

  #takeSession(report: SessionReport): void {
    const before = this.#sessions.get(report.peer);
    const up = report.state === 'established';
    const was = before?.report.state === 'established';
    if (was && !up) {
      const labels = { instance: this.name, peer: report.peer };
      this.#parts.journal.measure?.({ name: 'bgp_session_flaps_total', value: 1, labels });
    }
    if (up) this.#downSince.delete(report.peer);
    else if (was) this.#downSince.set(report.peer, this.#parts.clock.now());
    this.#sessions.set(report.peer, {
      report,
      establishedAt: up ? before?.establishedAt ?? this.#parts.clock.wall() : undefined,
      counts: up ? before?.counts ?? new Map() : new Map(),
      flaps: (before?.flaps ?? 0) + (was && !up ? 1 : 0),
    });
  }

  #takeCounts(counts: RouteCounts): void {
    const before = this.#sessions.get(counts.peer);
    if (before === undefined) return;
    const merged = new Map(before.counts).set(counts.family, counts);
    this.#sessions.set(counts.peer, { ...before, counts: merged });
  }

  #note(code: string, error: SpeakerError): void {
    this.#parts.journal.note({
      level: 'warn', component: 'bgp', code, object: `instance ${this.name}`,
      text: `${error.kind}: ${error.text}`,
    });
  }
}
