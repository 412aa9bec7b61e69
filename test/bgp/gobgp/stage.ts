import type { DaemonPort } from '../../../bgp/gobgp/daemon.ts';
import { v3, type Dialect } from '../../../bgp/gobgp/dialect.ts';
import { createGobgpSpeaker } from '../../../bgp/gobgp/speaker.ts';
import type {
  Route, SpeakerDone, SpeakerEvent, SpeakerGlobal, SpeakerPeer, SpeakerPort,
} from '../../../bgp/port.ts';
import { ip } from '../../../lb/ip.ts';
import type { Clock } from '../../../lb/ports.ts';
import { ok } from '../../../lb/result.ts';
import { MachineClock, Process, processClock } from '../../../sim/process.ts';
import { World } from '../../../sim/world.ts';
import { FakeGobgp } from './fakegobgp.ts';

export const global: SpeakerGlobal = {
  asn: 65_001, routerId: ip('192.0.2.1'), listenPort: undefined,
};

/** A process that comes and goes as it is told. */
class FakeProcess implements DaemonPort {
  readonly survives = true;
  alive = false;
  spawned = 0;
  readonly signals: string[] = [];
  noted: readonly string[] | undefined;
  #stage: Stage;
  #exit: () => void = () => undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  spawn(done: Parameters<DaemonPort['spawn']>[0]): void {
    this.#stage.clock.after(1_000, () => {
      this.alive = true;
      this.spawned += 1;
      this.#stage.daemon.running = true;
      done(ok(undefined));
    });
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.signals.push(signal);
    if (signal === 'SIGKILL' || this.#stage.heedsTerm) this.die();
  }

  die(): void {
    this.#stage.daemon.crash();
    this.#stage.clock.after(100, () => {
      this.alive = false;
      this.#exit();
    });
  }

  onExit(listener: () => void): void {
    this.#exit = listener;
  }

  noteHelpers(addresses: readonly string[]): void {
    this.noted = addresses;
  }

  helpers(): ReturnType<DaemonPort['helpers']> {
    return this.noted === undefined ? undefined : { addresses: this.noted, age: 1_000_000 };
  }
}

/** One speaker over a pretended daemon, in virtual time. */
export class Stage {
  readonly world = new World({ seed: 0n });
  readonly #agent = new Process(this.world, 'agent', new MachineClock(this.world));
  readonly clock: Clock = processClock(this.#agent);
  readonly daemon: FakeGobgp;
  readonly process: FakeProcess;
  readonly events: SpeakerEvent[] = [];
  heedsTerm = true;
  port: SpeakerPort;
  #supervised: boolean;

  constructor(
    { dialect = v3, supervised = true }: {
      readonly dialect?: Dialect; readonly supervised?: boolean;
    } = {},
  ) {
    this.daemon = new FakeGobgp(this.clock, dialect);
    this.daemon.running = !supervised;
    this.process = new FakeProcess(this);
    this.#supervised = supervised;
    this.port = this.open();
  }

  /** Another agent over the same daemon. */
  open(): SpeakerPort {
    const port = createGobgpSpeaker({
      clock: this.clock, rpc: this.daemon, endpoint: 'unix:x',
      daemon: this.#supervised ? this.process : undefined, drainSeconds: 1, deferralSeconds: 5,
    });
    port.subscribe((event) => this.events.push(event));
    this.port = port;
    return port;
  }

  run(seconds: number): void {
    this.world.run(this.world.now + Math.round(seconds * 1_000_000));
    if (this.#agent.fault !== undefined) throw this.#agent.fault;
  }

  /** Runs for as long as a call takes; its kind of refusal, or `ok`. */
  call(order: (done: SpeakerDone) => void): string {
    let told: string | undefined;
    order((result) => { told = result.ok ? 'ok' : result.error.kind; });
    for (let step = 0; told === undefined && step < 400; step += 1) this.run(0.1);
    return told ?? 'never';
  }

  start(of: SpeakerGlobal = global): string {
    return this.call((done) => this.port.start(of, done));
  }

  setPeers(...peers: readonly SpeakerPeer[]): string {
    return this.call((done) => this.port.setPeers(peers, done));
  }

  setRoutes(peer: string, ...routes: readonly Route[]): string {
    return this.call((done) => this.port.setRoutes(peer, routes, done));
  }

  kinds(kind: SpeakerEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }
}

/** A peer by the last part of its address. */
export function peer(last: number, more: Partial<SpeakerPeer> = {}): SpeakerPeer {
  return {
    name: `p${last}`, address: { ip: ip(`192.0.2.${last}`) }, asn: 65_000 + last, port: 179,
    families: ['IPv4', 'IPv6'], timers: { connectRetry: 5, hold: 9, keepalive: 3 }, ...more,
  };
}
