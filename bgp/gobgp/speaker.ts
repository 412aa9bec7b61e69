import { MachineHost, type Effect } from '../../lb/machine.ts';
import type { Clock, Micros } from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import type {
  PolicyStatement, Route, SpeakerDone, SpeakerError, SpeakerEvent, SpeakerGlobal, SpeakerPeer,
  SpeakerPort, StopMode,
} from '../port.ts';
import { connectionMachine, type ConnectionEvent, type ConnectionState } from './connection.ts';
import type { DaemonPort } from './daemon.ts';
import { Dialogue } from './dialogue.ts';
import { policyStatements } from './policyviews.ts';
import { checkGlobal, checkPeers, checkRoutes } from './validate.ts';
import type { RpcPort } from './rpc.ts';

/** What a GoBGP speaker stands on. */
export interface GobgpOptions {
  readonly clock: Clock;
  readonly rpc: RpcPort;
  /** `unix:` and a path, or a loopback address with a port. */
  readonly endpoint: string;
  /** Undefined: somebody else starts and ends the daemon (external mode). */
  readonly daemon: DaemonPort | undefined;
  /** Seconds that a drained session stays open after its last withdraw. */
  readonly drainSeconds: number;
  /** Seconds of selection deferral after a restart, 1 to 15. */
  readonly deferralSeconds: number;
}

/** A BGP speaker that is a GoBGP daemon, of version 3 or 4. */
export function createGobgpSpeaker(options: GobgpOptions): SpeakerPort {
  return new GobgpSpeaker(options);
}

interface Waiter {
  readonly done: SpeakerDone;
  readonly what: 'start' | 'routes' | 'peers';
}

const reopenDelay: Micros = 20_000;
const second: Micros = 1_000_000;
const retryDelayMax: Micros = second;
const restartDelayMax: Micros = 8 * second;
/** A child that lived so long starts over with its delays. */
const steadyLife: Micros = 60 * second;
const youngChild: Micros = 5 * second;
const killDelay: Micros = 5 * second;

class GobgpSpeaker implements SpeakerPort {
  #options: GobgpOptions;
  #host: MachineHost<typeof connectionMachine>;
  #dialogue: Dialogue;
  #listeners = new Set<(event: SpeakerEvent) => void>();
  #waiters: Waiter[] = [];
  #stopping: SpeakerDone[] = [];
  #global: SpeakerGlobal | undefined;
  #looking = false;
  #error: SpeakerError = { kind: 'unreachable', text: 'the speaker is away' };
  #spawnedAt: Micros | undefined;
  #exits = 0;
  #failures = 0;
  #exited = false;
  #wasLive = false;
  #checked = new WeakSet<Route>();
  /** The end of the child is ours. */
  #replacing = false;

  constructor(options: GobgpOptions) {
    this.#options = options;
    const { clock } = options;
    this.#host = new MachineHost(connectionMachine, {
      clock, execute: (effect) => this.#execute(effect),
    });
    this.#dialogue = new Dialogue({
      clock, drain: options.drainSeconds * second, deferral: options.deferralSeconds,
      daemon: options.daemon,
      send: (event) => this.#send(event),
      emit: (event) => this.#emit(event),
      failed: (error) => { this.#error = error; },
      changed: () => this.#look(),
      progressed: () => this.#settle(),
      refused: (error) => this.#answer(err(error)),
    });
    options.daemon?.onExit(() => {
      if (!this.#replacing) this.#send({ type: 'EXITED' });
    });
  }

  start(global: SpeakerGlobal, done: SpeakerDone): void {
    const valid = checkGlobal(global);
    if (!valid.ok) return this.#later(() => done(valid));
    const changed = JSON.stringify(global) !== JSON.stringify(this.#global);
    this.#global = global;
    this.#dialogue.configure(global);
    this.#later(() => {
      this.#send({ type: 'CONFIGURE', changed });
      this.#waiters.push({ done, what: 'start' });
      this.#settle();
    });
  }

  setPeers(peers: readonly SpeakerPeer[], done: SpeakerDone): void {
    const valid = checkPeers(peers);
    if (!valid.ok) return this.#later(() => done(valid));
    this.#waiters.push({ done, what: 'peers' });
    this.#dialogue.setPeers(peers);
    this.#look();
  }

  setRoutes(peer: string, routes: readonly Route[], done: SpeakerDone): void {
    const valid = checkRoutes(routes, this.#checked);
    if (!valid.ok) return this.#later(() => done(valid));
    this.#waiters.push({ done, what: 'routes' });
    this.#dialogue.table.setRoutes(peer, routes);
    this.#look();
  }

  stop(mode: StopMode, done: SpeakerDone): void {
    this.#later(() => {
      if (this.#state === 'stopped') return done(ok(undefined));
      this.#stopping.push(done);
      this.#send(mode === 'keep' ? { type: 'KEEP' } : { type: 'DRAIN' });
    });
  }

  subscribe(listener: (event: SpeakerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  policies(): readonly PolicyStatement[] {
    return policyStatements(this.#dialogue.table.installedStatements());
  }

  get #state(): ConnectionState {
    // The states of the machine are those of the type.
    return this.#host.state as ConnectionState;
  }

  #later(run: () => void): void {
    this.#options.clock.after(0, run);
  }

  /** Calls of one turn are taken together. */
  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#later(() => {
      this.#looking = false;
      this.#send({ type: 'CHANGED' });
      this.#settle();
    });
  }

  #emit(event: SpeakerEvent): void {
    this.#later(() => {
      for (const listener of [...this.#listeners]) listener(event);
    });
  }

  #send(event: ConnectionEvent): void {
    const before = this.#state;
    this.#host.send(event);
    if (this.#state === before) return;
    if (this.#state === 'stopped') this.#dialogue.close();
    this.#settle();
  }

  /** Answers whoever need not wait any longer. */
  #settle(): void {
    const state = this.#state;
    if (state === 'backoff' || state === 'blocked') return this.#answer(err(this.#error));
    if (state === 'stopped') return this.#answer(ok(undefined));
    if (state !== 'live') return;
    const { planned, refusal, calm } = this.#dialogue;
    const waiting = this.#waiters;
    this.#waiters = waiting.filter(({ what }) => (
      what !== 'start' && !(planned && (what === 'routes' || calm))
    ));
    for (const waiter of waiting) {
      if (this.#waiters.includes(waiter)) continue;
      const refused = waiter.what === 'peers' && refusal !== undefined;
      this.#later(() => waiter.done(refused ? err(refusal) : ok(undefined)));
    }
  }

  /** What was set before a start waits for nothing. */
  #answer(result: Result<void, SpeakerError>): void {
    const waiting = this.#waiters.splice(0);
    for (const { done } of waiting) this.#later(() => done(result));
  }

  #execute({ type }: Effect): void {
    switch (type) {
      case 'open': return this.#open();
      case 'reopen': return void this.#options.clock.after(reopenDelay, () => this.#open());
      case 'spawn': return this.#spawn();
      case 'respawn': return this.#respawn();
      case 'inspect': return this.#dialogue.inspect();
      case 'start': return this.#dialogue.startRouter();
      case 'restart': return this.#dialogue.restartRouter();
      case 'sync': return this.#dialogue.sync();
      case 'live': return this.#live();
      case 'plan': return this.#dialogue.plan();
      case 'audit': return this.#dialogue.audit();
      case 'lost': return this.#lost();
      case 'exited':
        this.#exited = true;
        return this.#lost();
      case 'wait': return this.#wait();
      case 'block': return this.#block();
      case 'drain': return this.#dialogue.drain(true);
      case 'replace': return this.#dialogue.drain(false);
      case 'close': return this.#dialogue.endSessions(this.#options.daemon === undefined);
      case 'terminate': return this.#terminate();
      case 'keep': return this.#keep();
      default:
    }
  }

  #open(): void {
    if (this.#state !== 'connecting') return;
    const { rpc, endpoint } = this.#options;
    this.#dialogue.open(rpc.open(endpoint), (refused) => {
      this.#error = refused;
      this.#send({ type: 'REFUSED', child: this.#child() });
    });
  }

  #child(): 'none' | 'young' | 'old' | 'not-ours' {
    const { daemon, clock } = this.#options;
    if (daemon === undefined) return 'not-ours';
    if (!daemon.alive) return 'none';
    return clock.now() - (this.#spawnedAt ?? 0) < youngChild ? 'young' : 'old';
  }

  #spawn(): void {
    this.#options.daemon?.spawn((result) => {
      if (result.ok) {
        this.#spawnedAt = this.#options.clock.now();
        return this.#send({ type: 'SPAWNED' });
      }
      this.#error = result.error;
      this.#send({ type: 'FAILED', lasting: result.error.kind === 'foreign' });
    });
  }

  /** Ends the process, whoever started it, and starts another. */
  #respawn(): void {
    const { daemon, clock } = this.#options;
    if (daemon === undefined) return;
    this.#dialogue.close();
    this.#replacing = true;
    daemon.kill('SIGKILL');
    const look = (): void => {
      if (daemon.alive) return void clock.after(reopenDelay, look);
      this.#replacing = false;
      this.#spawn();
    };
    clock.after(reopenDelay, look);
  }

  #live(): void {
    this.#failures = 0;
    this.#wasLive = true;
    this.#emit({ kind: 'live' });
    this.#dialogue.keepUp();
  }

  #lost(): void {
    this.#dialogue.close();
    if (!this.#wasLive) return;
    this.#wasLive = false;
    this.#emit({ kind: 'lost', error: this.#error });
  }

  /** At once after the first exit, then later and later; what else failed begins at 100 ms. */
  #wait(): void {
    const { clock } = this.#options;
    this.#lost();
    let delay = Math.min(retryDelayMax, 100_000 * (1 << Math.min(this.#failures, 4)));
    this.#failures += 1;
    if (this.#exited) {
      this.#exited = false;
      if (clock.now() - (this.#spawnedAt ?? 0) >= steadyLife) this.#exits = 0;
      delay = this.#exits === 0
        ? 0 : Math.min(restartDelayMax, 250_000 * (1 << Math.min(this.#exits, 6)));
      this.#exits += 1;
    }
    clock.after(delay, () => this.#send({ type: 'RETRY' }));
  }

  #block(): void {
    this.#lost();
    this.#emit({ kind: 'blocked', error: this.#error });
  }

  #terminate(): void {
    const { daemon, clock } = this.#options;
    if (daemon?.alive !== true) return this.#stopped();
    daemon.kill('SIGTERM');
    const deadline = clock.now() + killDelay;
    const look = (): void => {
      if (!daemon.alive) return this.#stopped();
      // It hangs now and then (G6).
      if (clock.now() >= deadline) daemon.kill('SIGKILL');
      clock.after(reopenDelay, look);
    };
    clock.after(0, look);
  }

  #keep(): void {
    const { daemon } = this.#options;
    // Its end says nothing to anybody: no NOTIFICATION, and helpers keep the routes.
    if (daemon?.survives === false) daemon.kill('SIGKILL');
    this.#stopped();
  }

  #stopped(): void {
    this.#wasLive = false;
    for (const done of this.#stopping.splice(0)) this.#later(() => done(ok(undefined)));
  }
}
