import { checkGlobal, checkPeers, checkRoutes } from '../../bgp/gobgp/validate.ts';
import type {
  PeerName, Route, SessionReport, SpeakerDone, SpeakerError, SpeakerEvent, SpeakerGlobal,
  SpeakerPeer, SpeakerPort, StopMode,
} from '../../bgp/port.ts';
import type { Micros, Timer } from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { compareText } from '../../lb/table.ts';
import type { Process } from '../process.ts';
import type { SpeakerDaemon } from './daemon.ts';
import type { DaemonSlot, NodeSpeakers } from './speakers.ts';

/** One call to the daemon and back, over its socket. */
const callDelay: Micros = 200;
const spawnDelay: Micros = 50_000;
/** Between a withdrawal and the end of its session (bgp.md 7, settle). */
const settleTime: Micros = 100_000;
const second = 1_000_000;
/** After an exit: at once, then these (bgp.md 5.1). */
const respawnDelays: readonly Micros[] = [0, 500_000, second, 2 * second, 4 * second, 8 * second];
const steadyAfter = 60 * second;

/**
 * The speaker of one instance as its agent drives it: whole sets in, events out, and the daemon
 * behind it started, taken over and started again (bgp.md 3, 5.1).
 */
export class SimSpeaker implements SpeakerPort {
  #agent: Process;
  #slot: DaemonSlot;
  #speakers: NodeSpeakers;
  #listeners: ((event: SpeakerEvent) => void)[] = [];
  #global: SpeakerGlobal | undefined;
  #peers: readonly SpeakerPeer[] | undefined;
  #routes = new Map<PeerName, readonly Route[]>();
  /** Calls that the next plan takes, and those that the present one carries out. */
  #waiting: SpeakerDone[] = [];
  #applying: SpeakerDone[] = [];
  #driven: SpeakerDaemon | undefined;
  #planned: Timer | undefined;
  #busy = false;
  #live = false;
  #stopped = false;
  #exits = 0;
  /** Sessions with graceful restart, and when their daemon died. */
  #restartable = new Map<PeerName, Micros | undefined>();

  constructor(agent: Process, slot: DaemonSlot, speakers: NodeSpeakers) {
    this.#agent = agent;
    this.#slot = slot;
    this.#speakers = speakers;
  }

  start(global: SpeakerGlobal, done: SpeakerDone): void {
    const checked = checkGlobal(global);
    if (!checked.ok) return this.#refuse(done, checked.error);
    const { listenPort } = global;
    if (listenPort !== undefined && this.#speakers.portTaken(listenPort, this.#slot.instance)) {
      const error = { kind: 'port-in-use', text: `port ${listenPort} is taken` } as const;
      this.#emitLater({ kind: 'blocked', error });
      return this.#refuse(done, error);
    }
    this.#stopped = false;
    this.#global = global;
    this.#plan(done);
  }

  setPeers(peers: readonly SpeakerPeer[], done: SpeakerDone): void {
    const checked = checkPeers(peers);
    if (!checked.ok) return this.#refuse(done, checked.error);
    this.#peers = peers;
    this.#plan(done);
  }

  setRoutes(peer: PeerName, routes: readonly Route[], done: SpeakerDone): void {
    const checked = checkRoutes(routes);
    if (!checked.ok) return this.#refuse(done, checked.error);
    this.#routes.set(peer, routes);
    this.#plan(done);
  }

  stop(mode: StopMode, done: SpeakerDone): void {
    this.#agent.operation();
    this.#stopped = true;
    this.#planned?.cancel();
    const daemon = this.#slot.daemon;
    const over = (): void => {
      this.#driven = undefined;
      this.#live = false;
      this.#applying.push(...this.#waiting.splice(0));
      this.#complete(ok(undefined));
      done(ok(undefined));
    };
    if (daemon === undefined || mode === 'keep') {
      daemon?.drive(undefined);
      this.#later(callDelay, over);
      return;
    }
    const { drain } = this.#speakers.settings;
    this.#later(callDelay, () => this.#drain(daemon, Math.max(settleTime, drain * second), () => {
      this.#slot.kill();
      over();
    }));
  }

  subscribe(listener: (event: SpeakerEvent) => void): () => void {
    this.#listeners.push(listener);
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }

  #later(delay: Micros, callback: () => void): Timer {
    // Calls and answers share one socket: they do not overtake one another.
    const channel = `${this.#agent.name} ${this.#slot.instance}`;
    return this.#agent.later(delay, 'speaker', callback, channel);
  }

  #refuse(done: SpeakerDone, error: SpeakerError): void {
    this.#agent.operation();
    this.#later(callDelay, () => done(err(error)));
  }

  #emit(event: SpeakerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #emitLater(event: SpeakerEvent): void {
    this.#later(callDelay, () => this.#emit(event));
  }

  #complete(result: Result<void, SpeakerError>): void {
    for (const done of this.#applying.splice(0)) done(result);
  }

  /** Calls of one turn are one plan. */
  #plan(done?: SpeakerDone): void {
    this.#agent.operation();
    if (done !== undefined) this.#waiting.push(done);
    if (this.#planned !== undefined || this.#busy) return;
    this.#planned = this.#later(callDelay, () => {
      this.#planned = undefined;
      this.#run();
    });
  }

  #run(): void {
    const global = this.#global;
    if (this.#stopped) return;
    this.#applying.push(...this.#waiting.splice(0));
    if (global === undefined) return this.#complete(ok(undefined));
    const { daemon } = this.#slot;
    if (daemon === undefined) return this.#spawn(global);
    if (!sameGlobal(daemon.global, global)) {
      this.#busy = true;
      return this.#drain(daemon, settleTime, () => {
        this.#undrive();
        this.#slot.kill();
        this.#spawn(global);
      });
    }
    // A daemon that stands still takes its calls when it goes on.
    this.#slot.process?.enter(() => {
      this.#drive(daemon);
      this.#setRoutesOf(daemon);
      this.#setPeersOf(daemon, () => this.#settled());
    });
  }

  #settled(): void {
    this.#busy = false;
    this.#complete(ok(undefined));
    if (!this.#live) {
      this.#live = true;
      this.#emit({ kind: 'live' });
    }
    // Sets that came meanwhile are a plan of their own.
    if (this.#waiting.length > 0) this.#plan();
  }

  #spawn(global: SpeakerGlobal): void {
    this.#busy = true;
    this.#later(spawnDelay, () => {
      this.#busy = false;
      if (this.#stopped || this.#slot.daemon !== undefined) return this.#plan();
      this.#slot.spawn(this.#global ?? global);
      this.#run();
    });
  }

  #undrive(): void {
    this.#driven?.drive(undefined);
    this.#driven = undefined;
  }

  #drive(daemon: SpeakerDaemon): void {
    if (this.#driven === daemon) return;
    this.#driven = daemon;
    daemon.drive({
      onSession: (session) => this.#later(callDelay, () => this.#session(daemon, session)),
      onCounts: (counts) => this.#later(callDelay, () => {
        if (this.#driven === daemon) this.#emit({ kind: 'counts', counts });
      }),
    });
    const startedAt = this.#agent.world.now;
    this.#slot.process?.onEnd(() => this.#later(callDelay, () => this.#exited(daemon, startedAt)));
  }

  #session(daemon: SpeakerDaemon, session: SessionReport): void {
    if (this.#driven !== daemon) return;
    if (session.state === 'established' && session.capabilities?.restartTime !== undefined)
      this.#restartable.set(session.peer, undefined);
    this.#emit({ kind: 'session', session });
  }

  #exited(daemon: SpeakerDaemon, startedAt: Micros): void {
    if (this.#driven !== daemon || this.#stopped) return;
    const { now } = this.#agent.world;
    this.#driven = undefined;
    this.#live = false;
    this.#busy = true;
    for (const name of this.#restartable.keys()) this.#restartable.set(name, now);
    this.#emit({ kind: 'lost', error: { kind: 'unreachable', text: 'the speaker ended' } });
    if (now - startedAt > steadyAfter) this.#exits = 0;
    const wait = respawnDelays[Math.min(this.#exits, respawnDelays.length - 1)] ?? 0;
    this.#exits += 1;
    this.#later(wait, () => {
      this.#busy = false;
      this.#plan();
    });
  }

  #setRoutesOf(daemon: SpeakerDaemon): void {
    for (const [name, routes] of this.#routes)
      if (daemon.routesOf(name) !== routes) daemon.setRoutes(name, routes);
  }

  /** Additions and replacements at once; removals withdraw, settle and then end (bgp.md 3). */
  #setPeersOf(daemon: SpeakerDaemon, done: () => void): void {
    if (this.#peers === undefined) return done();
    const wanted = new Map(this.#peers.map((peer) => [peer.name, peer]));
    const gone = daemon.peerNames().filter((name) => !wanted.has(name));
    for (const peer of this.#peers) {
      const present = daemon.wantedPeer(peer.name);
      if (present !== undefined && samePeer(present, peer)) {
        daemon.setNextHop6(peer);
        continue;
      }
      const restarting = present === undefined
        ? this.#lostLately(peer)
        : peer.restart !== undefined && daemon.restartable(peer.name);
      daemon.deletePeer(peer.name);
      daemon.addPeer(peer, restarting);
    }
    if (gone.length === 0) return done();
    this.#busy = true;
    for (const name of gone) daemon.setRoutes(name, []);
    this.#later(settleTime, () => {
      for (const name of gone) {
        if (this.#peers?.some((peer) => peer.name === name) !== true) daemon.deletePeer(name);
      }
      done();
    });
  }

  #lostLately({ name, restart }: SpeakerPeer): boolean {
    const lostAt = this.#restartable.get(name);
    if (lostAt === undefined || restart === undefined) return false;
    return this.#agent.world.now - lostAt < restart * second;
  }

  // oxlint-disable-next-line max-params -- what ends, how long it still forwards, and what then
  #drain(daemon: SpeakerDaemon, wait: Micros, done: () => void): void {
    for (const name of daemon.peerNames()) daemon.setRoutes(name, []);
    this.#later(wait, () => {
      for (const name of daemon.peerNames()) daemon.deletePeer(name);
      // What was said has to leave before its process ends.
      this.#later(settleTime, done);
    });
  }
}

function sameGlobal(left: SpeakerGlobal, right: SpeakerGlobal): boolean {
  return left.asn === right.asn && left.routerId === right.routerId &&
    left.listenPort === right.listenPort;
}

/** Equal up to what needs a new session; the next hop of IPv6 changes routes alone (bgp.md 3). */
function samePeer(left: SpeakerPeer, right: SpeakerPeer): boolean {
  const text = (peer: SpeakerPeer): string => {
    const facts = Object.entries(peer).filter(([name]) => name !== 'nextHop6');
    return JSON.stringify(facts.toSorted(([a], [b]) => compareText(a, b)));
  };
  return text(left) === text(right);
}
